import type { Watch } from '../native/watcher.js';
import { Watcher } from '../native/watcher.js';
import { ERL_DRV_READ, ERL_DRV_USE, ERL_DRV_USE_NO_CALLBACK, ERL_DRV_WRITE } from './driver.js';

/**
 * A watcher that several ports share: it is there, and keeps the OS process alive, while one of them needs it.
 *
 * A descriptor is watched for one port at a time, as in Erlang: the last one that has selected it. Mostly the others have
 * let it be closed, and its number has been given to another file.
 */
export class SharedWatcher {
  #watcher: Watcher | undefined = undefined;
  #users = 0;
  /** How to take each descriptor away from whom it is watched for. */
  readonly #watched = new Map<number, () => void>();

  /** To be given back by release. Throws when there are not descriptors enough. */
  acquire(): void {
    this.#watcher ??= Watcher.onLoop();
    this.#users++;
  }

  release(): void {
    if (--this.#users > 0) return;
    void this.#watcher?.close();
    this.#watcher = undefined;
  }

  /** For those who have acquired it. `lost` is called when the descriptor is watched for somebody else from now on. */
  watch(event: number, ready: () => void, lost: () => void): Watch {
    const take = this.#watched.get(event);
    if (take !== undefined) {
      take();
      process.emitWarning(`descriptor ${event} is taken over by another port`, 'PortWarning');
    }
    const watch = (this.#watcher as Watcher).watch(event, ready);
    const close = (): void => {
      this.#watched.delete(event);
      watch.close();
    };
    this.#watched.set(event, () => {
      close();
      lost();
    });
    return { ...watch, close };
  }
}

interface Selected {
  mode: number;
  watch: Watch | undefined;
}

/** The descriptors that a driver has selected for one port. */
export class PortSelect {
  readonly #selected = new Map<number, Selected>();
  #hasAcquired = false;

  /** `ready` is told which of ERL_DRV_READ and ERL_DRV_WRITE a descriptor may be ready for, one at a time. */
  constructor(
    private readonly shared: SharedWatcher,
    private readonly ready: (event: number, mode: number) => void,
    private readonly stopSelect: (event: number) => void,
  ) {}

  /** driver_select. */
  select(event: number, mode: number, on: boolean): void {
    const old = this.#selected.get(event);
    if (on) this.#change(event, old, (old?.mode ?? 0) | mode);
    else if (old === undefined) this.#notUsed(event, mode);
    else if ((mode & ERL_DRV_USE) === 0) this.#change(event, old, old.mode & ~mode);
    else {
      old.watch?.close();
      this.#selected.delete(event);
      this.#notUsed(event, mode);
    }
  }

  /** The port has ended. */
  close(): void {
    for (const { watch } of this.#selected.values()) watch?.close();
    this.#selected.clear();
    if (this.#hasAcquired) this.shared.release();
    this.#hasAcquired = false;
  }

  #notUsed(event: number, mode: number): void {
    if ((mode & ERL_DRV_USE_NO_CALLBACK) === ERL_DRV_USE) this.stopSelect(event);
  }

  #change(event: number, old: Selected | undefined, mode: number): void {
    const selected = old ?? { mode: 0, watch: undefined };
    if ((mode & READ_WRITE) === 0) {
      selected.watch?.close();
      selected.watch = undefined;
    } else {
      if (!this.#hasAcquired) this.shared.acquire();
      this.#hasAcquired = true;
      selected.watch ??= this.shared.watch(
        event,
        () => this.#onReady(event, selected),
        () => {
          selected.watch = undefined;
        },
      );
    }
    // Only now: what the system refuses has not been selected.
    selected.mode = mode;
    arm(selected);
    if (mode === 0) this.#selected.delete(event);
    else this.#selected.set(event, selected);
  }

  /** Nothing says which of the two it is; drivers have to expect that it is none. */
  #onReady(event: number, selected: Selected): void {
    const { watch, mode } = selected;
    for (const each of [ERL_DRV_READ, ERL_DRV_WRITE]) {
      if ((mode & selected.mode & each) !== 0 && selected.watch === watch) this.ready(event, each);
    }
    if (this.#selected.get(event) === selected && selected.watch === watch) arm(selected);
  }
}

function arm({ watch, mode }: Selected): void {
  watch?.armFor((mode & ERL_DRV_READ) !== 0, (mode & ERL_DRV_WRITE) !== 0);
}

const READ_WRITE = ERL_DRV_READ | ERL_DRV_WRITE;
