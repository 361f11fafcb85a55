import { EventEmitter } from 'node:events';
import path from 'node:path';
import type TypedEmitter from 'typed-emitter';
import { type Crash, printCrash } from '../actors/crash.js';
import { ProcessExit } from '../actors/errors.js';
import { ExitObserver } from '../actors/exit-observer.js';
import type { AnyMessage, Pid } from '../actors/identifiers.js';
import type { Self } from '../ports/self.js';
import type { Domid } from '../xen/hypervisor.js';
import { LinuxHypervisor } from '../xen/linux-hypervisor.js';
import { defaultRunDirectory } from '../xen/run-directory.js';
import { XenstoreError } from '../xen/xenstore/errors.js';
import { type DomainStatus, domainLifecycle } from './domain-lifecycle.js';
import { DomainRuntime } from './domain-runtime.js';
import * as gen_server from './gen-server.js';
import { ok } from './result.js';
import { TUBE_SERVER, tubeServer } from './tube-server.js';
import { WATCHES } from './xenstore.js';
import { xenstoreWatches } from './xenstore-watches.js';

export interface BootOptions {
  /** What others see as the domain's name in Xenstore: 1 to 64 bytes. Default: `domain-<OS process id>`. */
  readonly name?: string;
  /** lingd's directory; default `$XENSTORED_RUNDIR`, else `$XDG_RUNTIME_DIR/ling-tubes`, else `/tmp/ling-tubes-<uid>`. */
  readonly rundir?: string;
  /** How long a peer may take to answer when a tube is opened, in milliseconds. Default 5000, as in LING. */
  readonly tubeTimeout?: number;
}

export class OptionError extends RangeError {
  readonly code = 'ERR_OPTION';
}

export type DomainEvents = {
  /** A process has crashed. Without a listener it is printed on stderr. */
  crash: (crash: Crash) => void;
  /** lingd has gone. Open tubes go on; nothing new can be opened. The error's code is `ECONNRESET`, or the system's. */
  disconnected: (error: Error) => void;
  stopped: () => void;
};

/**
 * Joins the box as a new domain and starts its processes `xenstore` and `tube_server`; starts lingd if none runs.
 * The domain keeps the OS process alive until {@link Domain.stop}.
 * @throws OptionError for a bad option; RunDirectoryError, LingdStartError or what the system says when lingd cannot
 * be reached
 */
export async function boot(options: BootOptions = {}): Promise<Domain> {
  const { name = `domain-${process.pid}`, rundir, tubeTimeout = 5000, ...others } = options;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw new OptionError(`${unknown} is no option of boot`);
  if (typeof name !== 'string' || Buffer.byteLength(name) > 64 || !/^\P{Cc}+$/u.test(name)) {
    throw new OptionError('name has to be 1 to 64 bytes of text without control characters');
  }
  if (rundir !== undefined && (typeof rundir !== 'string' || rundir === '')) {
    throw new OptionError('rundir has to be the path of a directory');
  }
  if (typeof tubeTimeout !== 'number' || !(tubeTimeout > 0)) {
    throw new OptionError('tubeTimeout has to be a positive number of milliseconds');
  }
  const directory = rundir === undefined ? defaultRunDirectory() : path.resolve(rundir);
  const hypervisor = await LinuxHypervisor.connect({ name, directory });
  const domain = new Domain(hypervisor, directory);
  try {
    await domain.start(tubeTimeout);
    return domain;
  } catch (error) {
    await domain.stop();
    throw error;
  }
}

/** One running runtime: a domid, its processes, its ports, and its connection to the hypervisor. */
export class Domain extends (EventEmitter as new () => TypedEmitter<DomainEvents>) {
  readonly #hypervisor: LinuxHypervisor;
  readonly #runtime: DomainRuntime;
  #state = domainLifecycle.initialState;
  #stopping: Promise<void> | undefined;

  /** @internal See {@link boot}. */
  constructor(
    hypervisor: LinuxHypervisor,
    /** Where lingd listens; for Xen's tools, in XENSTORED_RUNDIR. */
    readonly rundir: string,
  ) {
    super();
    this.#hypervisor = hypervisor;
    this.#runtime = new DomainRuntime(hypervisor, {
      onCrash: (crash) => {
        if (!this.emit('crash', crash)) printCrash(crash);
      },
    });
    void hypervisor.closed.then((error) => {
      if (this.status === 'stopping' || this.status === 'stopped') return;
      this.emit('disconnected', error ?? new XenstoreError('ECONNRESET', 'ECONNRESET: lingd has gone'));
    });
  }

  get domid(): Domid {
    return this.#hypervisor.domid;
  }

  get status(): DomainStatus {
    return this.#state.value;
  }

  get runtime(): DomainRuntime {
    return this.#runtime;
  }

  /** Starts a process that runs `body`; see {@link Self} for what it can do. */
  spawn<M = AnyMessage, A extends unknown[] = []>(
    body: (self: Self<M>, ...args: A) => unknown,
    ...args: A
  ): Pid<M> {
    return this.#runtime.spawn(body, ...args);
  }

  /**
   * Runs `body` as a process and resolves with what it returns; rejects with what it throws, or with a ProcessExit when
   * it is killed. For programs that are not processes themselves.
   */
  run<T>(body: (self: Self) => Promise<T> | T): Promise<T> {
    return new Promise((resolve, reject) => {
      const pid = this.spawn(async (self) => {
        try {
          resolve(await body(self));
        } catch (error) {
          reject(error);
        }
      });
      // A process that is killed may never get as far as that.
      new ExitObserver(this.#runtime, pid, (reason) => reject(new ProcessExit(reason)));
    });
  }

  /** @internal The domain's own processes; resolves when tubes can be opened and accepted. */
  async start(tubeTimeout: number): Promise<void> {
    await this.run(async (self) => {
      ok(await gen_server.start(self, xenstoreWatches, undefined, { name: WATCHES }));
      ok(await gen_server.start(self, tubeServer, { timeout: tubeTimeout }, { name: TUBE_SERVER }));
    });
    this.#state = domainLifecycle.transition(this.#state, 'STARTED');
  }

  /**
   * Ends all processes (reason killed), ports and tubes, and leaves the box. What was sent through tubes can still be
   * received on the other side. Can be called at any time, and more than once.
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#state = domainLifecycle.transition(this.#state, 'STOP');
    this.#runtime.stop();
    await this.#hypervisor.close();
    this.#state = domainLifecycle.transition(this.#state, 'DONE');
    this.emit('stopped');
  }
}
