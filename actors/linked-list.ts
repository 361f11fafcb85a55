/** What can be in one {@link LinkedList} at a time. */
export abstract class Linked {
  /** @internal The list's own. */
  previous: this | undefined = undefined;
  /** @internal */
  next: this | undefined = undefined;
}

/** Takes out of its middle at no cost, which for few and short-lived members is much cheaper than a Set. */
export class LinkedList<T extends Linked> {
  first: T | undefined = undefined;
  private last: T | undefined = undefined;

  /** At the end; it must not be in any list. */
  add(member: T): void {
    member.previous = this.last;
    if (this.last === undefined) this.first = member;
    else this.last.next = member;
    this.last = member;
  }

  /** It must be in this list. */
  delete(member: T): void {
    const { previous, next } = member;
    if (previous === undefined) this.first = next;
    else previous.next = next;
    if (next === undefined) this.last = previous;
    else next.previous = previous;
    member.previous = undefined;
    member.next = undefined;
  }

  /** In the order they were added. The one that is looked at may be deleted meanwhile, and others be added. */
  *[Symbol.iterator](): IterableIterator<T> {
    for (let member = this.first, next: T | undefined; member !== undefined; member = next) {
      next = member.next;
      yield member;
    }
  }
}
