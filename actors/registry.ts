import { badarg } from './errors.js';
import { formatShort } from './format.js';
import type { Receiver } from './signal.js';
import { type List, list } from './term.js';

/** The registered names of one runtime: one name for a process or port, one of these for a name. */
export class Registry {
  private readonly receivers = new Map<string, Receiver>();

  /** Raises badarg for a name that is taken or no name, and for a receiver that has one already. */
  register(name: unknown, receiver: Receiver): void {
    if (typeof name !== 'string' || name === 'undefined')
      throw badarg(`${formatShort(name)} is no name: that is a string, not 'undefined'`);
    if (this.receivers.has(name)) throw badarg(`the name ${name} is taken`);
    if (receiver.registeredName !== undefined) throw badarg(`it is registered as ${receiver.registeredName}`);
    this.receivers.set(name, receiver);
    receiver.registeredName = name;
  }

  /** Raises badarg for a name that nobody has. */
  unregister(name: unknown): void {
    const receiver = this.whereis(name);
    if (receiver === undefined) throw badarg(`nobody is registered as ${formatShort(name)}`);
    this.release(receiver);
  }

  /** Frees the name of one that exits, where it has one. */
  release(receiver: Receiver): void {
    if (receiver.registeredName === undefined) return;
    this.receivers.delete(receiver.registeredName);
    receiver.registeredName = undefined;
  }

  whereis(name: unknown): Receiver | undefined {
    return this.receivers.get(name as string);
  }

  names(): List<string> {
    return list(...this.receivers.keys());
  }
}
