import { EventEmitter } from 'node:events';
import path from 'node:path';
import { isArrayBufferView } from 'node:util/types';
import type TypedEmitter from 'typed-emitter';
import { MAX_TIMEOUT } from '../actors/actor.js';
import { type Crash, printCrash } from '../actors/crash.js';
import { exitReason, ProcessExit } from '../actors/errors.js';
import { ExitObserver } from '../actors/exit-observer.js';
import { formatReason, formatShort } from '../actors/format.js';
import type { AnyMessage, Pid } from '../actors/identifiers.js';
import { checkOptions } from '../actors/options.js';
import { checkBody } from '../actors/process.js';
import type { Reason } from '../actors/signal.js';
import type { Driver } from '../ports/driver.js';
import type { Ring } from '../ports/drivers/tube-options.js';
import { isRingSize } from '../ports/drivers/tube-resources.js';
import type { Self } from '../ports/self.js';
import type { Domid } from '../xen/hypervisor.js';
import { LinuxHypervisor } from '../xen/linux-hypervisor.js';
import { defaultRunDirectory } from '../xen/run-directory.js';
import { XenstoreError } from '../xen/xenstore/errors.js';
import { type DomainStatus, domainLifecycle } from './domain-lifecycle.js';
import { DomainRuntime } from './domain-runtime.js';
import { runTree } from './domain-tree.js';
import type { TubeServerOptions } from './tube-server.js';

export interface BootOptions {
  /** What others see as the domain's name in Xenstore: 1 to 64 bytes. Default: `domain-<OS process id>`. */
  readonly name?: string;
  /** lingd's directory; default `$XENSTORED_RUNDIR`, else `$XDG_RUNTIME_DIR/ling-tubes`, else `/tmp/ling-tubes-<uid>`. */
  readonly rundir?: string;
  /** How long a peer may take to answer when a tube is opened, in milliseconds. Default 5000, as in LING. */
  readonly tubeTimeout?: number;
  /**
   * The largest rings, in bytes, that this domain makes for those who open tubes to it, each in its own memory: twice as
   * much a tube. `'ling'`: LING's 31 slots and nothing else. Default 1 MiB.
   */
  readonly tubeRing?: Ring;
}

export class OptionError extends RangeError {
  readonly code = 'ERR_OPTION';
}

export type DomainEvents = {
  /**
   * A process has crashed; or, as its `kind` says, a supervisor tells that a child could not be started, or why it gives
   * up. `${crash}` says it all. Without a listener that is printed on stderr.
   */
  crash: (crash: Crash) => void;
  /**
   * lingd had ended, or been killed, and the domain is back under another one, with its domid, nodes, watches and tubes;
   * it took so many milliseconds.
   */
  reconnected: (milliseconds: number) => void;
  /**
   * lingd has gone, and the domain could not come back for good: the error's code is `ECONNRESET` when another lingd does
   * not know it, or says what was wrong. Open tubes go on; nothing new can be opened.
   */
  disconnected: (error: Error) => void;
  /**
   * The domain has ended: reason `normal` after {@link Domain.stop}, otherwise why its own processes have, `shutdown`
   * when they had crashed too often. Such an end is printed on stderr when nobody listens.
   */
  stopped: (reason: Reason) => void;
};

/**
 * Joins the box as a new domain and starts its own processes, under the supervisor `ling_sup`; starts lingd if none
 * runs. Of these `xenstore` and `tube_server` heal when they crash; if they do so again and again, the domain stops.
 * The domain keeps the OS process alive until {@link Domain.stop}.
 * @throws OptionError for a bad option; RunDirectoryError, LingdStartError or what the system says when lingd cannot
 * be reached
 */
export async function boot(options: BootOptions = {}): Promise<Domain> {
  if (typeof options !== 'object' || options === null || Array.isArray(options) || isArrayBufferView(options))
    throw new OptionError(`the options of boot have to be an object, not ${formatShort(options)}`);
  const {
    name = `domain-${process.pid}`,
    rundir,
    tubeTimeout = 5000,
    tubeRing = 2 ** 20,
    ...others
  } = options;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw new OptionError(`${unknown} is no option of boot`);
  if (typeof name !== 'string' || Buffer.byteLength(name) > 64 || !/^\P{Cc}+$/u.test(name)) {
    throw new OptionError('name has to be 1 to 64 bytes of text without control characters');
  }
  if (rundir !== undefined && (typeof rundir !== 'string' || rundir === '' || rundir.includes('\0'))) {
    throw new OptionError('rundir has to be the path of a directory');
  }
  const isTimeout = typeof tubeTimeout === 'number' && tubeTimeout > 0;
  if (!isTimeout || (tubeTimeout > MAX_TIMEOUT && tubeTimeout !== Number.POSITIVE_INFINITY)) {
    throw new OptionError('tubeTimeout has to be a positive number of milliseconds, below 2^32 or Infinity');
  }
  if (tubeRing !== 'ling' && !isRingSize(tubeRing)) {
    throw new OptionError("tubeRing has to be 'ling', or a power of two from 131072 to 8388608 bytes");
  }
  const directory = rundir === undefined ? defaultRunDirectory() : path.resolve(rundir);
  const hypervisor = await LinuxHypervisor.connect({ name, directory });
  const domain = new Domain(hypervisor, directory);
  try {
    await domain.start({ timeout: tubeTimeout, ring: tubeRing });
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
  #reason: Reason = 'normal';

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
    hypervisor.onReturned = (milliseconds) => void this.emit('reconnected', milliseconds);
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
      checkBody(body);
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

  /**
   * Registers a driver, which open_port then finds by its name. One of the same name is replaced for ports to come, and
   * finishes after its last port. Raises what the driver's init raises, a TypeError for what is no driver, and a RangeError
   * for a name that is empty or that of a driver of this package (`tube`, `echo`, `spawn`, `fd`, `tcp_inet`, `udp_inet`);
   * nothing has changed then.
   */
  addDriver(driver: Driver): void {
    this.#runtime.addDriver(driver);
  }

  /**
   * No port can be opened on that driver any more; it finishes after its last port. With `killPorts` those that are open
   * end at once, with reason `driver_unloaded`. False for a name that no driver has; those of this package are refused, as by
   * addDriver. Raises badarg for what are no options.
   */
  removeDriver(name: string, options: { readonly killPorts?: boolean } = {}): boolean {
    checkOptions(options, 'removeDriver', ['killPorts']);
    return this.#runtime.removeDriver(name, options);
  }

  /** @internal Starts the domain's own processes; resolves when tubes can be opened and accepted. */
  start(options: TubeServerOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      const onStarted = (): void => {
        this.#state = domainLifecycle.transition(this.#state, 'STARTED');
        resolve();
      };
      this.run((self) => runTree(self, options, onStarted)).then(
        (reason) => this.#end(reason),
        (error: unknown) => {
          reject(error);
          this.#end(error instanceof ProcessExit ? error.reason : exitReason(error));
        },
      );
    });
  }

  /** Without them it is no domain any more. */
  #end(reason: Reason): void {
    if (this.status !== 'running') return;
    this.#reason = reason;
    void this.stop();
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
    this.#tellStopped();
  }

  #tellStopped(): void {
    try {
      if (this.emit('stopped', this.#reason) || this.#reason === 'normal') return;
      process.stderr.write(`Domain ${this.domid} has ended: ${formatReason(this.#reason)}\n`);
    } catch (error) {
      // A listener's failure, and not of who stops the domain.
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
