/** Stands for "no message": terms are never `undefined`, but what a careless program sends may be. */
export const NONE: unique symbol = Symbol('no message');

/**
 * The messages of one process that it has not received yet, oldest first: a ring whose size is a power of two.
 *
 *              head            head + length
 *               v                v
 *     |  |  |  |a |b |c |d |e |f |  |  |       taking d moves e, f down or a, b, c up, whichever are fewer
 */
export class Mailbox {
  length = 0;
  /** How many messages have ever been put in: remember it to look only at what came {@link take | since}. */
  arrived = 0;
  private slots: unknown[] = [];
  private head = 0;

  push(message: unknown): void {
    if (this.length === this.slots.length) this.grow();
    this.slots[(this.head + this.length) & (this.slots.length - 1)] = message;
    this.length++;
    this.arrived++;
  }

  /** Puts back what was the oldest message: it has not newly arrived. */
  unshift(message: unknown): void {
    if (this.length === this.slots.length) this.grow();
    this.head = (this.head + this.slots.length - 1) & (this.slots.length - 1);
    this.slots[this.head] = message;
    this.length++;
  }

  /** Takes the oldest message, or answers {@link NONE}. */
  shift(): unknown {
    if (this.length === 0) return NONE;
    const { slots, head } = this;
    const message = slots[head];
    slots[head] = undefined;
    this.head = (head + 1) & (slots.length - 1);
    this.length--;
    if (this.length === 0) this.reset();
    return message;
  }

  /**
   * Takes the oldest message that `guard` accepts, or answers {@link NONE}. What the guard raises goes to the
   * caller and leaves the mailbox as it was. With `since`, a former value of `arrived`, what was there then is not
   * looked at, except where others have been taken since.
   */
  take(guard: (message: unknown) => boolean, since = 0): unknown {
    const first = Math.max(0, this.length - (this.arrived - since));
    // The guard may itself use the mailbox (self.send in a guard), so nothing is kept across a call of it.
    for (let i = first; i < this.length; i++) {
      const message = this.slots[(this.head + i) & (this.slots.length - 1)];
      if (guard(message)) return this.remove(i);
    }
    return NONE;
  }

  clear(): void {
    this.length = 0;
    this.slots = [];
    this.head = 0;
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
    const slots = [...this];
    // Made by pushing: an array that never had a hole stays one that the engine knows to be packed.
    for (let i = slots.length, size = Math.max(INITIAL_SLOTS, i * 2); i < size; i++) slots.push(undefined);
    this.slots = slots;
    this.head = 0;
  }

  /** An empty mailbox starts again, and gives back the memory that a flood has taken. */
  private reset(): void {
    this.head = 0;
    if (this.slots.length > KEPT_SLOTS) this.slots = [];
  }
}

const INITIAL_SLOTS = 8;
const KEPT_SLOTS = 1024;
