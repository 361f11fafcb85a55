import type { Reason, Sender } from './signal.js';
import { type List, list } from './term.js';

/** Whom a process or port is linked to. It knows its own side only: signals tell the other. */
export class Links {
  private readonly others = new Set<Sender>();

  add(other: Sender): void {
    this.others.add(other);
  }

  /** Answers whether there was such a link. */
  delete(other: Sender): boolean {
    return this.others.delete(other);
  }

  has(other: Sender): boolean {
    return this.others.has(other);
  }

  get size(): number {
    return this.others.size;
  }

  toList(): List<Sender> {
    return list(...this.others);
  }

  /** `from` has ended: sends its exit signal over every link, each of which that uses up. */
  breakAll(from: Sender, reason: Reason): void {
    const others = [...this.others];
    this.others.clear();
    for (const other of others) other.receiver?.signal({ type: 'exit', from, reason, linked: true });
  }
}
