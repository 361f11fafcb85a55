import type { Pid, Port, Self } from 'ling-tubes';
import type { Ring } from '#ports/drivers/tube-options';
import type { World } from '../support/program';

/** What one end of a tube has done and seen: both ends send the numbers from 0 on, one packet each, all the time. */
export interface Talk {
  sent: number;
  /** In order, none left out. */
  got: number;
  /** Packets that were not the next number. */
  wrong: number;
  /** Why the tube has ended. */
  reason?: unknown;
}

export interface Report {
  /** By tid. */
  readonly talks: Readonly<Record<number, Talk>>;
  /** How often lingd has answered, and how long it has taken at most, in milliseconds. */
  readonly asked: { count: number; longest: number };
}

export type Command =
  | ['open', peer: number, tid: number, ring: Ring]
  | ['report']
  /** Send nothing more. */
  | ['be quiet'];

/** The body of a program: a domain that accepts every tube, opens those that it is told to, and talks on all of them. */
export async function inhabitant({ ling, say, listen }: World, name: string): Promise<void> {
  const { boot, ok, tube, xenstore } = ling;
  const domain = await boot({ name, tubeTimeout: 3000 });
  const talks: Record<number, Talk> = {};
  const asked = { count: 0, longest: 0 };
  let isQuiet = false;

  const talk = async (self: Self, port: Port): Promise<void> => {
    const [, tid] = self.port_info(port, 'tid') as [string, number];
    const end: Talk = { sent: 0, got: 0, wrong: 0 };
    talks[tid] = end;
    const next = Buffer.alloc(8);
    let sentAt = 0;
    while (end.reason === undefined) {
      if (!isQuiet && performance.now() - sentAt > 2) {
        next.writeUInt32LE(end.sent);
        try {
          self.port_command(port, next);
          end.sent++;
        } catch {
          // It has ended, which is the next message.
        }
        sentAt = performance.now();
      }
      const message = (await self.receive(undefined, { after: 2 })) as
        | [string | Port, unknown, unknown]
        | undefined;
      if (message === undefined) continue;
      if (message[0] === 'EXIT') end.reason = message[2];
      else {
        const [, data] = message[1] as [string, Buffer];
        if (data.length === 8 && data.readUInt32LE() === end.got) end.got++;
        else end.wrong++;
      }
    }
  };
  const accept = (): Pid =>
    domain.spawn(async (self) => {
      self.process_flag('trap_exit', true);
      const port = ok(await tube.accept(self));
      accept();
      await talk(self, port);
    });
  const open = (peer: number, tid: number, ring: Ring): Promise<string> =>
    new Promise((resolve) => {
      domain.spawn(async (self) => {
        self.process_flag('trap_exit', true);
        const opened = await tube.open(self, peer, tid, [['ring', ring]]);
        resolve(opened[0] === 'ok' ? 'ok' : opened[1]);
        if (opened[0] === 'ok') await talk(self, opened[1]);
      });
    });
  domain.spawn(async (self) => {
    for (;;) {
      const before = performance.now();
      if ((await xenstore.read(self, 'name'))[0] !== 'ok') return;
      asked.count++;
      asked.longest = Math.max(asked.longest, performance.now() - before);
      await self.receive((message): message is never => message === undefined, { after: 10 });
    }
  });

  accept();
  say(domain.domid);
  for (;;) {
    const command = (await listen()) as Command;
    if (command[0] === 'open') say(await open(command[1], command[2], command[3]));
    else if (command[0] === 'report') {
      say({ talks, asked: { ...asked } });
      asked.longest = 0;
    } else isQuiet = true;
  }
}
