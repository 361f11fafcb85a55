import type { Pid, Reference } from './identifiers.js';
import { Linked } from './linked-list.js';
import type { Receiver, Sender } from './signal.js';

/**
 * What ends an alias, besides unalias: nothing; the first message through it; the end of the monitor it belongs
 * to; or either of these two, and then the first message ends the monitor as well.
 */
export type AliasMode = 'explicit_unalias' | 'reply' | 'demonitor' | 'reply_demonitor';

/** What an alias needs of the process behind it. */
interface Owner {
  readonly id: Pid;
  message(message: unknown, sender?: Sender): void;
  aliasAnswered(alias: Alias): void;
}

/** The receiver behind a reference that is an alias. It takes messages and no other signal. */
export class Alias extends Linked implements Receiver {
  registeredName: string | undefined = undefined;

  constructor(
    readonly owner: Owner,
    readonly ref: Reference,
    readonly mode: AliasMode,
  ) {
    super();
  }

  get id(): Pid {
    return this.owner.id;
  }

  message(message: unknown, sender?: Sender): undefined {
    // First: what the message wakes must find the alias gone already.
    if (this.mode === 'reply' || this.mode === 'reply_demonitor') this.owner.aliasAnswered(this);
    this.owner.message(message, sender);
  }

  signal(): void {}
}
