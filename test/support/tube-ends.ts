import { type Domain, type OpenOption, ok, type Port, type Self, tube } from 'ling-tubes';
import type { Box } from './box';

/** What tubes can be made of, as the boot option tubeRing says it, and how many packets of any size fit into an empty one. */
export const LAYOUTS = [
  ['ling', 31],
  [2 ** 17, 30],
] as const;

/** Both ends of a tube, each in the hands of a process that stays, and with what it has got. */
export class End {
  readonly got: string[] = [];
  ended: unknown;
  self!: Self;
  tube!: Port;

  static async pair(
    opener: Domain,
    acceptor: Domain,
    tid = 0,
    options: readonly OpenOption[] = [],
  ): Promise<[End, End]> {
    return Promise.all([
      new End().start(opener, (self) => tube.open(self, acceptor.domid, tid, options)),
      new End().start(acceptor, (self) => tube.accept(self)),
    ]);
  }

  start(domain: Domain, get: (self: Self) => Promise<['ok', Port] | ['error', string]>): Promise<this> {
    return new Promise((resolve, reject) => {
      domain.spawn(async (self) => {
        self.process_flag('trap_exit', true);
        this.self = self;
        try {
          this.tube = ok(await get(self));
        } catch (error) {
          reject(error);
          return;
        }
        resolve(this);
        while (this.ended === undefined) {
          const message = (await self.receive()) as unknown[];
          if (message[0] === 'EXIT' && message[1] === this.tube) this.ended = message[2];
          else if (message[0] === this.tube) this.got.push(String((message[1] as unknown[])[1]));
        }
        await self.receive((message): message is 'over' => message === 'over');
      });
    });
  }

  send(data: string | Buffer): void {
    this.self.port_command(this.tube, data);
  }
}

/** Everything below /local/domain, with values; in a transaction, so that nothing goes while it is looked at. */
export async function snapshot(box: Box): Promise<Record<string, string>> {
  const client = box.client('socket');
  const found: Record<string, string> = {};
  const tx = await client.transactionStart();
  const visit = async (path: string): Promise<void> => {
    found[path] = await client.readString(path, tx);
    for (const name of await client.directory(path, tx)) await visit(`${path}/${name}`);
  };
  await visit('/local/domain');
  await client.transactionEnd(tx, false);
  return found;
}
