/** Programs that never have to wait let timers, I/O and other processes have their turns. */
import { readFile } from 'node:fs/promises';
import { is_pid, type Pid } from '#actors/identifiers';
import type { Process } from '#actors/process';
import { Runtime } from '#actors/runtime';
import { isTuple } from '#actors/term';
import * as gen_server from '#lib/gen-server';

const runtime = new Runtime({ onCrash: () => {} });
afterAll(() => runtime.stop());

/** To whom messages are lost. */
const nobody = runtime.spawn(() => {});

let isOver = false;
let rounds = 0;

/** Loops that go on until it is over; each counts its rounds. */
const LOOPS: Record<string, (self: Process) => unknown> = {
  'two that play ping-pong': async (self) => {
    const echo = self.spawn(async (other) => {
      for (;;) other.send(await other.receive(is_pid), 'pong');
    });
    while (!isOver) {
      self.send(echo, self.pid);
      await self.receive();
      rounds++;
    }
    self.exit(echo, 'kill');
  },
  'one that sends to itself': async (self) => {
    while (!isOver) {
      self.send(self.pid, 'next');
      await self.receive();
      rounds++;
    }
  },
  'one that looks for a message behind others': async (self) => {
    self.send(self.pid, 'other');
    while (!isOver) {
      self.send(self.pid, 'next');
      await self.receive((message) => message === 'next');
      rounds++;
    }
  },
  'one that polls with after 0': async (self) => {
    while (!isOver) {
      await self.receive(() => false, { after: 0 });
      rounds++;
    }
  },
  'calls of a gen_server': async (self) => {
    const counter: gen_server.Behaviour<number> = {
      init: () => ['ok', 0],
      handle_call: (_request, _from, n) => ['reply', n, n + 1],
    };
    const [, server] = (await gen_server.start(self, counter, undefined)) as ['ok', Pid];
    while (!isOver) {
      await gen_server.call(self, server, 'next');
      rounds++;
    }
    self.exit(server, 'kill');
  },
  'children that are waited for': async (self) => {
    while (!isOver) {
      const [, ref] = self.spawn_monitor(() => {});
      await self.receive((message) => isTuple(message) && message[1] === ref);
      rounds++;
    }
  },
  'processes that spawn their successors': (self) => {
    const succeed = (successor: Process): void => {
      rounds++;
      if (!isOver) successor.spawn(succeed);
    };
    succeed(self);
  },
  'one that only sends, and yields': async (self) => {
    while (!isOver) {
      self.send(nobody, 'x');
      expect(await self.yield()).toBe(true);
      rounds++;
    }
  },
  'calls of a process that never waits': async (self) => {
    while (!isOver) {
      const ref = self.monitor(
        'process',
        self.spawn((child) => child.exit('r')),
      );
      self.demonitor(ref, ['flush']);
      await self.receive(undefined, { after: 0 });
      rounds++;
    }
  },
};

test.each(Object.entries(LOOPS))('%s', async (_, loop) => {
  isOver = false;
  rounds = 0;
  const pid = runtime.spawn(loop);
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(await readFile(__filename, 'utf8')).toContain('readFile');
  await new Promise((resolve) => {
    runtime.spawn(async (self) => {
      await self.receive(() => false, { after: 5 });
      resolve('another process');
    });
  });
  // It has been busy all the time: more than the budget of one turn.
  while (rounds < 5000) await new Promise((resolve) => setImmediate(resolve));
  isOver = true;
  while (pid.receiver !== undefined) await new Promise((resolve) => setImmediate(resolve));
});
