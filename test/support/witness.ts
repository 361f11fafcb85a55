import type { Domain, Port, Self } from 'ling-tubes';

/** A process that asks for a tube, and what it sees: the packets and the end of it, or why there is none. */
export class Witness {
  readonly got: string[] = [];
  /** Undefined where that was over too soon. */
  peer: number | undefined;
  /** The reason of the end, or of the error. */
  told: unknown;
  /** When it was told, as performance.now() has it. */
  at = 0;

  constructor(domain: Domain, ask: (self: Self) => Promise<['ok', Port] | ['error', string]>) {
    domain.spawn(async (self) => {
      self.process_flag('trap_exit', true);
      const [tag, result] = await ask(self);
      if (tag === 'error') this.told = result;
      else await this.#watch(self, result);
      this.at = performance.now();
    });
  }

  async #watch(self: Self, tube: Port): Promise<void> {
    const peer = self.port_info(tube, 'peer');
    if (Array.isArray(peer)) this.peer = peer[1] as number;
    while (this.told === undefined) {
      const message = (await self.receive()) as unknown[];
      if (message[0] === 'EXIT') this.told = message[2];
      else this.got.push(String((message[1] as unknown[])[1]));
    }
  }
}
