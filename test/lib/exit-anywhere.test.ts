/** process.exit() wherever code of a program runs: the status is what was asked for, and the other side has its end. */
import { type Domain, ok, type Self, tube } from 'ling-tubes';
import { Box } from '../support/box';
import type { World } from '../support/program';
import { eventually } from '../support/residue';
import { Witness } from '../support/witness';

let box: Box;
let peer: Domain;
beforeEach(async () => {
  box = new Box();
  peer = await box.boot({ tubeTimeout: 60_000 });
});
afterEach(() => box.close());

const STATUS = 7;

/** Where it is called, by a program that accepts a tube, gets `packet` and then nothing but more of them. */
const PLACES = [
  'when a packet comes',
  'in a guard of receive',
  'behind a packet that it sends',
  'while it sends without end',
  'while it waits for room',
  'when its tube ends',
  'when it is told that another process ended',
  'in a crash of another process',
  'in the start of a driver',
  'in an output of a driver',
  'in an async control of a driver',
  'in the stop of a driver',
  'in a descriptor of a driver',
  'in a timer',
  'while it stops',
  'when it has stopped',
] as const;

async function accept({ ling, say }: World, place: (typeof PLACES)[number], status: number): Promise<void> {
  const { ok, tube } = ling;
  const domain = await ling.boot();
  const leave = (): never => process.exit(status);
  const forever = () => false;
  const driver = {
    name: 'leaving',
    start: (port: import('ling-tubes').DriverPort, command: string) => {
      if (command === 'start') leave();
      if (command === 'descriptor') {
        const [input, output] = require('#native').createPipe();
        port.select(input, ling.ERL_DRV_READ, true);
        require('node:fs').writeSync(output, 'x');
      }
      return {
        output: leave,
        control: async () => {
          await 0;
          return leave();
        },
        ready_input: leave,
        stop: () => command === 'stop' && leave(),
      };
    },
  };
  domain.addDriver(driver);
  if (place === 'in a crash of another process') domain.on('crash', leave);
  if (place === 'when it has stopped') domain.on('stopped', leave);
  say(domain.domid);
  domain.spawn(async (self) => {
    self.process_flag('trap_exit', true);
    const t = ok(await tube.accept(self, [['full', 'busy']]));
    await self.receive(ling.isData(t));
    switch (place) {
      case 'when a packet comes':
        return leave();
      case 'in a guard of receive':
        self.send(self.pid, 'something');
        return self.receive(leave);
      case 'behind a packet that it sends':
        self.port_command(t, 'last');
        return leave();
      case 'while it sends without end':
        setTimeout(leave, 20);
        for (;;) {
          await self.port_command(t, Buffer.alloc(1000));
          await self.yield();
        }
      case 'while it waits for room':
        setTimeout(leave, 50);
        while (self.port_command(t, Buffer.alloc(4096), ['nosuspend']));
        return self.port_command(t, 'x');
      case 'when its tube ends':
        await tube.close(self, t);
        await self.receive((m) => (m as unknown[])[0] === 'EXIT');
        return leave();
      case 'when it is told that another process ended':
        self.monitor(
          'process',
          self.spawn(() => {}),
        );
        await self.receive((m) => (m as unknown[])[0] === 'DOWN');
        return leave();
      case 'in a crash of another process':
        self.spawn(() => {
          throw new Error('crash');
        });
        return self.receive(forever);
      case 'in the start of a driver':
        return self.open_port(['spawn', 'leaving start']);
      case 'in an output of a driver':
        return self.port_command(self.open_port('leaving'), '');
      case 'in an async control of a driver':
        return self.port_control(self.open_port('leaving'), 1, '');
      case 'in the stop of a driver':
        return self.port_close(self.open_port(['spawn', 'leaving stop']));
      case 'in a descriptor of a driver':
        self.open_port(['spawn', 'leaving descriptor']);
        return self.receive(forever);
      case 'in a timer':
        setTimeout(leave, 20);
        return self.receive(forever);
      case 'while it stops':
        void domain.stop();
        return leave();
      case 'when it has stopped':
        return domain.stop();
    }
  });
  await new Promise(() => {});
}

test.each(PLACES)('%s', async (place) => {
  const program = box.run(accept, place, STATUS);
  const domid = await program.hear<number>();
  const stuck = place === 'while it waits for room';
  let ended: unknown;
  peer.spawn(async (self) => {
    self.process_flag('trap_exit', true);
    const t = ok(
      await tube.open(self, domid, 0, [
        ['full', 'busy'],
        ['active', !stuck],
      ]),
    );
    self.port_command(t, 'packet');
    if (stuck) {
      await self.receive(() => false, { after: 300 });
      tube.setopts(self, t, [['active', true]]);
    }
    const end = await self.receive((m) => (m as unknown[])[0] === 'EXIT' && (m as unknown[])[1] === t);
    ended = (end as unknown[])[2];
  });
  expect([await program.end(), program.output]).toEqual([STATUS, '']);
  await eventually(() => ended, 'normal');
});

/** How long after the first word, in milliseconds. */
const DELAYS = [0, 2, 10];

test.each(['boot', 'open', 'accept'] as const)('at any moment of %s', async (what) => {
  for (const delay of DELAYS) {
    const program = box.run(
      async ({ ling, say }, what, domid, delay, status) => {
        const leaveSoon = (): void => {
          setTimeout(() => process.exit(status), delay);
        };
        if (what === 'boot') leaveSoon();
        const domain = await ling.boot();
        say(domain.domid);
        domain.spawn(async (self) => {
          const asked = what === 'open' ? ling.tube.open(self, domid) : ling.tube.accept(self);
          if (what !== 'boot') leaveSoon();
          await asked;
          await self.receive(() => false);
        });
        await new Promise(() => {});
      },
      what,
      peer.domid,
      delay,
      STATUS,
    );
    let other: Witness | undefined;
    if (what === 'open') other = new Witness(peer, (self: Self) => tube.accept(self));
    if (what === 'accept') {
      const domid = await program.hear<number>();
      other = new Witness(peer, (self: Self) => tube.open(self, domid));
    }
    expect([await program.end(), program.output]).toEqual([STATUS, '']);
    if (what === 'accept') {
      await eventually(() => other?.at !== 0, true);
      expect(['normal', 'closed', 'not_found']).toContain(other?.told);
    }
    if (what === 'open' && other) await satisfy(other);
  }
});

/** One that has not got a tube gets one now. */
async function satisfy(other: Witness): Promise<void> {
  await peer.run(async (self) => {
    const [tag, t] = await tube.open(self, peer.domid, 1);
    if (tag === 'ok') await tube.close(self, t);
  });
  await eventually(() => other.told, 'normal');
}
