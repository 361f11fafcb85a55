/**
 * Readiness of descriptors as callbacks, with the waiting done on a thread of its own or by this one's loop.
 */
import path from 'node:path';
import { isMainThread } from 'node:worker_threads';
import type { Piscina } from 'piscina';
import { Reactor } from './index.js';

/** One descriptor that is watched; see {@link Reactor} for when to arm it. */
export interface Watch {
  arm(): void;
  wantRoom(want: boolean): void;
  armFor(input: boolean, room: boolean): void;
  close(): void;
}

export class Watcher {
  readonly reactor: Reactor;
  readonly #callbacks = new Map<number, () => void>();
  readonly #threads: Piscina[] = [];

  private constructor() {
    this.reactor = new Reactor((tokens) => {
      for (const token of tokens) this.#call(token);
    });
    running.add(this.reactor);
  }

  /** A watcher on this thread's own event loop: no thread, no hop. */
  static onLoop(): Watcher {
    const watcher = new Watcher();
    try {
      if (!watcher.reactor.attach()) watcher.#run(watcher.#makeThread(), watcher.reactor.number);
    } catch (error) {
      void watcher.close();
      throw error;
    }
    return watcher;
  }

  /** A watcher whose waiting is done by a worker thread, as it is where an event loop cannot wait for a descriptor. */
  static onThread(): Watcher {
    if (!isMainThread) return Watcher.onLoop();
    const watcher = new Watcher();
    watcher.#run(watcher.#makeThread(), watcher.reactor.number);
    return watcher;
  }

  /**
   * Starts the thread that takes packets out of rings when this one is late; once. Resolves when it runs, rejects when there
   * is something it cannot have. None inside a worker: Worker.terminate would wait for a thread below it, and nobody could
   * end that.
   */
  async startRelief(): Promise<void> {
    if (!isMainThread) return;
    const relief = this.reactor.startRelief();
    const thread = this.#makeThread();
    // A task that is over at once, once there is all that a task needs.
    await new Promise<void>((resolve, reject) => {
      thread.on('error', reject);
      thread.run(NO_REACTOR).then(resolve, reject);
    });
    this.#run(thread, relief);
  }

  /** Calls `callback` when the descriptor can be read or has been hung up. Starts unarmed. */
  watch(fd: number, callback: () => void): Watch {
    const token = this.reactor.add(fd);
    this.on(token, callback);
    return {
      arm: () => this.reactor.arm(token),
      wantRoom: (want) => this.reactor.wantRoom(token, want),
      armFor: (input, room) => this.reactor.armFor(token, input, room),
      close: () => {
        this.off(token);
        this.reactor.remove(token);
      },
    };
  }

  /** For watches that native objects made themselves and remove themselves. */
  on(token: number, callback: () => void): void {
    this.#callbacks.set(token, callback);
  }

  off(token: number): void {
    this.#callbacks.delete(token);
  }

  /** Ends the waiting and the thread; no callback is called any more, and the event loop is let go. */
  async close(): Promise<void> {
    running.delete(this.reactor);
    this.#callbacks.clear();
    this.reactor.stop();
    await Promise.all(this.#threads.map((thread) => thread.destroy()));
  }

  /** What one callback throws is uncaught, and does not keep the others from being called. */
  #call(token: number): void {
    try {
      this.#callbacks.get(token)?.();
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  #makeThread(): Piscina {
    // Loaded only here, since it takes as much memory as lingd, which needs no thread, does without it.
    const { Piscina } = require('piscina') as typeof import('piscina');
    const thread = new Piscina({
      filename: path.join(__dirname, 'reactor-thread.js'),
      minThreads: 1,
      maxThreads: 1,
    });
    this.#threads.push(thread);
    return thread;
  }

  #run(thread: Piscina, number: number): void {
    // destroy() rejects the task that is still running; anything else that ends it is an error of ours.
    thread.run(number).catch((error: Error) => {
      if (this.#callbacks.size > 0) throw error;
    });
  }
}

/** A number that no reactor has. */
const NO_REACTOR = 0;

const running = new Set<Reactor>();

// A thread that is blocked in native code cannot be ended from outside: process.exit would wait for it.
process.once('exit', () => {
  for (const reactor of running) reactor.stop();
});
