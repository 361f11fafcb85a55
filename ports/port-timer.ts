import { Alarm } from '../actors/alarm.js';

/** The one timer that a port has. */
export class PortTimer {
  #alarm: Alarm<PortTimer> | undefined = undefined;

  constructor(private readonly ring: () => void) {}

  /** Replaces an earlier one. */
  set(milliseconds: number): void {
    this.cancel();
    this.#alarm = new Alarm<PortTimer>(milliseconds, elapse, this);
  }

  cancel(): void {
    this.#alarm?.cancel();
    this.#alarm = undefined;
  }

  /** Milliseconds; 0 when there is none. */
  get left(): number {
    return this.#alarm?.left ?? 0;
  }

  /** @internal */
  elapse(): void {
    this.#alarm = undefined;
    this.ring();
  }
}

function elapse(timer: PortTimer): void {
  timer.elapse();
}
