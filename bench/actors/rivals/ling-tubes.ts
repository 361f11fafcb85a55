import { gen_server, isTuple, ok, type Pid, type Reference, type Self } from '../../../lib/index.js';
import { inDomain } from '../../domain.js';
import { check } from '../check.js';
import type { Operation, Population, Repeat, Rival } from '../rival.js';

/** Ours, used as a program would use it: the processes of a domain, and guards that say what a receive takes. */
export const lingTubes: Rival = {
  name: 'ling-tubes',
  guarantees: 'processes of a domain, `await self.receive(guard)`; one thread',
  get operations() {
    return Object.keys(PREPARE) as Operation[];
  },
  operate: (operation, rundir, measure) =>
    inDomain(rundir, async (self) => measure(await PREPARE[operation](self))),
  populate: (rundir, measure) => inDomain(rundir, async (self) => measure(population(self))),
};

const WAITING = 1000;
const RING = 1000;
/** How much to send before others get a turn: JavaScript, unlike BEAM, cannot interrupt a loop. */
const SLICE = 1000;

const PREPARE: Readonly<Record<Operation, (self: Self) => Repeat | Promise<Repeat>>> = {
  'ping-pong': (self) => {
    const pong = self.spawn(async (self) => {
      for (;;) {
        const [, from, n] = await self.receive(isPing);
        self.send(from, ['pong', n]);
      }
    });
    return async (count) => {
      for (let n = count / 2; n > 0; n--) {
        self.send(pong, ['ping', self.pid, n]);
        check(n, (await self.receive(isPong))[1]);
      }
    };
  },

  flood: (self) => {
    const drain = self.spawn(async (self) => {
      for (;;) {
        const [, from, count] = await self.receive(isExpect);
        let got = 0;
        for (; got < count; got++) await self.receive(isData);
        self.send(from, ['got', got]);
      }
    });
    const x = Buffer.from('x');
    return async (count) => {
      self.send(drain, ['expect', self.pid, count]);
      for (let n = 0; n < count; n++) {
        self.send(drain, ['t', ['data', x]]);
        if (n % SLICE === SLICE - 1) await self.yield();
      }
      check(count, (await self.receive(isGot))[1]);
    };
  },

  ring: (self) => {
    const first = self.spawn(async (self) => hop(self, (await self.receive(isNext))[1]));
    let next = first;
    for (let n = 2; n <= RING; n++) next = self.spawn(hop, next);
    self.send(first, ['next', next]);
    return async (count) => {
      self.send(first, ['token', count - 1, self.pid]);
      await self.receive(isThrough);
    };
  },

  spawn: (self) => async (count) => {
    for (let n = count; n > 0; n--) {
      self.spawn((child) => child.send(self.pid, ['done', n]));
      check(n, (await self.receive(isDone))[1]);
    }
  },

  'spawn-batch': (self) => async (count) => {
    for (let n = count; n > 0; n--) self.spawn((child) => child.send(self.pid, ['done', n]));
    for (let n = count; n > 0; n--) await self.receive(isDone);
  },

  'spawn-monitor': (self) => async (count) => {
    for (let n = count; n > 0; n--) {
      const [, ref] = self.spawn_monitor(() => {});
      check('normal', (await self.receive(isDown(ref)))[4]);
    }
  },

  select: (self) => {
    waitWithMessages(self);
    return async (count) => {
      for (let n = count; n > 0; n--) {
        self.send(self.pid, ['wanted', n]);
        check(n, (await self.receive(isWanted))[1]);
      }
    };
  },

  'select-reference': (self) => {
    waitWithMessages(self);
    return async (count) => {
      for (let n = count; n > 0; n--) {
        const ref = self.make_ref();
        self.send(self.pid, [ref, n]);
        check(n, (await self.receive(hasReference(ref), { since: ref }))?.[1]);
      }
    };
  },

  call,

  'call-behind': (self) => {
    waitWithMessages(self);
    return call(self);
  },
};

type CounterCalls = [['add', number], number];

const counter: gen_server.Behaviour<number, CounterCalls> = {
  init: (start: number) => ['ok', start],
  handle_call: ([, more], _from, n) => ['reply', n + more, n + more],
};

async function call(self: Self): Promise<Repeat> {
  const server = ok(await gen_server.start_link(self, counter, 0));
  let sum = 0;
  return async (count) => {
    for (let n = count; n > 0; n--) check(++sum, await gen_server.call(self, server, ['add', 1]));
  };
}

async function hop(self: Self, next: Pid): Promise<never> {
  for (;;) {
    const [, n, home] = await self.receive(isToken);
    if (n === 0) self.send(home, 'token_is_through');
    else self.send(next, ['token', n - 1, home]);
  }
}

function waitWithMessages(self: Self): void {
  for (let n = 1; n <= WAITING; n++) self.send(self.pid, ['waiting', n]);
}

function population(self: Self): Population {
  const pids: Pid[] = [];
  const hear = async (guard: (message: unknown) => message is string) => {
    for (let n = pids.length; n > 0; n--) await self.receive(guard);
  };
  return {
    async start(count) {
      for (let n = 0; n < count; n++) pids.push(self.spawn(wait, self.pid));
      await hear(isReady);
    },
    async talk() {
      for (const pid of pids) self.send(pid, ['ping', self.pid]);
      await hear(isAnswer);
    },
    async end() {
      const last = self.monitor('process', pids.at(-1) as Pid);
      for (const pid of pids) self.send(pid, ['stop', self.pid]);
      await hear(isBye);
      check('normal', (await self.receive(isDown(last)))[4]);
    },
  };
}

async function wait(self: Self, home: Pid): Promise<void> {
  self.send(home, 'ready');
  for (;;) {
    const [what, from] = await self.receive(isRequest);
    if (what === 'stop') return void self.send(from, 'bye');
    self.send(from, 'pong');
  }
}

type Guard<M> = (message: unknown) => message is M;

const isPing = (m: unknown): m is ['ping', Pid, number] => isTuple(m) && m[0] === 'ping';
const isPong = (m: unknown): m is ['pong', number] => isTuple(m) && m[0] === 'pong';
const isExpect = (m: unknown): m is ['expect', Pid, number] => isTuple(m) && m[0] === 'expect';
const isGot = (m: unknown): m is ['got', number] => isTuple(m) && m[0] === 'got';
const isNext = (m: unknown): m is ['next', Pid] => isTuple(m) && m[0] === 'next';
const isToken = (m: unknown): m is ['token', number, Pid] => isTuple(m) && m[0] === 'token';
const isThrough = (m: unknown): m is 'token_is_through' => m === 'token_is_through';
const isDone = (m: unknown): m is ['done', number] => isTuple(m) && m[0] === 'done';
const isWanted = (m: unknown): m is ['wanted', number] => isTuple(m) && m[0] === 'wanted';
const isRequest = (m: unknown): m is ['ping' | 'stop', Pid] =>
  isTuple(m) && (m[0] === 'ping' || m[0] === 'stop');
const isReady = (m: unknown): m is 'ready' => m === 'ready';
const isAnswer = (m: unknown): m is 'pong' => m === 'pong';
const isBye = (m: unknown): m is 'bye' => m === 'bye';

function isData(m: unknown): m is ['t', ['data', Uint8Array]] {
  return isTuple(m) && m[0] === 't' && isTuple(m[1]) && m[1][0] === 'data' && m[1][1] instanceof Uint8Array;
}

function isDown(ref: Reference): Guard<['DOWN', Reference, 'process', Pid, unknown]> {
  return (m): m is ['DOWN', Reference, 'process', Pid, unknown] =>
    isTuple(m) && m[0] === 'DOWN' && m[1] === ref;
}

function hasReference(ref: Reference): Guard<[Reference, number]> {
  return (m): m is [Reference, number] => isTuple(m) && m[0] === ref;
}
