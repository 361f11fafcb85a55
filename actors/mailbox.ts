/** Stands for "no message": terms are never `undefined`, but what a careless program sends may be. */
export const NONE: unique symbol = Symbol('no message');

/**
 * The messages of one process that it has not received yet, oldest first, in segments of limited size: a flood
 * neither moves what is there already nor writes new messages into old memory, which garbage collection pays for.
 */
export class Mailbox {
  length = 0;
  /** How many messages have ever been put in: remember it to look only at what came {@link take | since}. */
  arrived = 0;
  private first: Segment | undefined = undefined;
  private last: Segment | undefined = undefined;

  push(message: unknown): void {
    const { last } = this;
    if (last === undefined || last.isFull) this.append(message);
    else last.push(message);
    this.length++;
    this.arrived++;
  }

  /** Puts back what was the oldest message: it has not newly arrived. */
  unshift(message: unknown): void {
    const front = new Segment();
    front.push(message);
    front.next = this.first;
    this.first = front;
    this.last ??= front;
    this.length++;
  }

  /** Takes the oldest message, or answers {@link NONE}. */
  shift(): unknown {
    if (this.length === 0) return NONE;
    const first = this.first as Segment;
    const message = first.shift();
    this.length--;
    if (first.length === 0) this.drop(first, undefined);
    return message;
  }

  /**
   * Takes the oldest message that `guard` accepts, or answers {@link NONE}. What the guard raises goes to the
   * caller and leaves the mailbox as it was. With `since`, a former value of `arrived`, what was there then is not
   * looked at, except where others have been taken since.
   */
  take(guard: (message: unknown) => boolean, since = 0): unknown {
    let skipped = Math.max(0, this.length - (this.arrived - since));
    let previous: Segment | undefined;
    for (let segment = this.first; segment !== undefined; segment = segment.next) {
      if (skipped >= segment.length) skipped -= segment.length;
      else {
        const message = segment.take(guard, skipped);
        skipped = 0;
        if (message !== NONE) {
          this.length--;
          if (segment.length === 0) this.drop(segment, previous);
          return message;
        }
      }
      previous = segment;
    }
    return NONE;
  }

  clear(): void {
    this.length = 0;
    this.first = undefined;
    this.last = undefined;
  }

  *[Symbol.iterator](): IterableIterator<unknown> {
    for (let segment = this.first; segment !== undefined; segment = segment.next) yield* segment;
  }

  private append(message: unknown): void {
    const segment = new Segment();
    segment.push(message);
    if (this.last === undefined) this.first = segment;
    else this.last.next = segment;
    this.last = segment;
  }

  /** The last one is kept for what comes, unless it holds the memory of more than a few messages. */
  private drop(segment: Segment, previous: Segment | undefined): void {
    if (segment === this.last && previous === undefined && !segment.isLarge) return;
    if (segment === this.last) this.last = previous;
    if (previous === undefined) this.first = segment.next;
    else previous.next = segment.next;
  }
}

/**
 * A ring whose size is a power of two.
 *
 *              head            head + length
 *               v                v
 *     |  |  |  |a |b |c |d |e |f |  |  |       taking d moves e, f down or a, b, c up, whichever are fewer
 */
class Segment {
  length = 0;
  next: Segment | undefined = undefined;
  private slots: unknown[] = noSlots();
  private head = 0;

  get isFull(): boolean {
    return this.length === MOST;
  }

  get isLarge(): boolean {
    return this.slots.length > KEPT;
  }

  push(message: unknown): void {
    if (this.length === this.slots.length) this.grow();
    this.slots[(this.head + this.length) & (this.slots.length - 1)] = message;
    this.length++;
  }

  shift(): unknown {
    const { slots, head } = this;
    const message = slots[head];
    slots[head] = undefined;
    this.head = (head + 1) & (slots.length - 1);
    this.length--;
    return message;
  }

  /** From the given index on. */
  take(guard: (message: unknown) => boolean, index: number): unknown {
    // The guard may itself use the mailbox (self.send in a guard), so nothing is kept across a call of it.
    for (let i = index; i < this.length; i++) {
      const message = this.slots[(this.head + i) & (this.slots.length - 1)];
      if (guard(message)) return this.remove(i);
    }
    return NONE;
  }

  *[Symbol.iterator](): IterableIterator<unknown> {
    for (let i = 0; i < this.length; i++) yield this.slots[(this.head + i) & (this.slots.length - 1)];
  }

  private remove(index: number): unknown {
    if (index === 0) return this.shift();
    const { slots, head } = this;
    const mask = slots.length - 1;
    const message = slots[(head + index) & mask];
    if (index < this.length / 2) {
      for (let i = index; i > 0; i--) slots[(head + i) & mask] = slots[(head + i - 1) & mask];
      slots[head] = undefined;
      this.head = (head + 1) & mask;
    } else {
      for (let i = index; i < this.length - 1; i++) slots[(head + i) & mask] = slots[(head + i + 1) & mask];
      slots[(head + this.length - 1) & mask] = undefined;
    }
    this.length--;
    return message;
  }

  private grow(): void {
    const slots = emptySlots(this.slots.length * 2);
    for (let i = 0; i < this.length; i++) slots[i] = this.slots[(this.head + i) & (this.slots.length - 1)];
    this.slots = slots;
    this.head = 0;
  }
}

/** The size of a segment goes from 8 to this. */
const MOST = 1024;
/** How many slots an empty mailbox may hold on to. */
const KEPT = 256;

function noSlots(): unknown[] {
  const none = undefined;
  return [none, none, none, none, none, none, none, none];
}

/** Made by pushing: an array that never had a hole stays one that the engine knows to be packed. */
function emptySlots(size: number): unknown[] {
  const slots: unknown[] = [];
  for (let i = 0; i < size; i++) slots.push(undefined);
  return slots;
}
