import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { packetAt } from '#examples/navel/chunks';
import { encodeMessage } from '#examples/navel/message';
import * as navel from '#examples/navel/navel';
import { boot, type Domain, list, ok, type Pid, type Port, type Self, sys, timer, tube } from '#lib/index';
import { kill, processesWith } from '../support/residue';

const PEER = path.resolve(__dirname, '../fixtures/navel/peer.js');
const SIZES = [0, 1, 3999, 4000, 4001, 7999, 8000, 8001, 31 * 4000, 31 * 4000 + 1, 1_000_000];

let rundir: string;
let domain: Domain;
const peers: { child: ChildProcess; ended: Promise<string> }[] = [];
const received: unknown[] = [];

beforeEach(async () => {
  process.env.LINGD_LINGER = '0.5';
  rundir = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'navel-')), 'run');
  domain = await boot({ name: 'here', rundir });
  received.length = 0;
});

afterEach(async () => {
  await domain.stop();
  // They end with the domain.
  let overdue = 0;
  const all = peers.splice(0);
  const patience = setTimeout(() => {
    for (const { child } of all) if (child.kill('SIGKILL')) overdue++;
  }, 20_000);
  const printed = (await Promise.all(all.map(({ ended }) => ended))).join('');
  clearTimeout(patience);
  expect({ overdue, printed }).toEqual({ overdue: 0, printed: '' });
  const deadline = Date.now() + 5000;
  while (fs.existsSync(rundir)) {
    if (Date.now() > deadline) throw new Error(`${fs.readdirSync(rundir)} is left in ${rundir}`);
    await sleep(20);
  }
  fs.rmdirSync(path.dirname(rundir));
});

function startPeer(name: string): ChildProcess {
  const child = spawn(process.execPath, [PEER, name, String(domain.domid)], {
    env: { ...process.env, XENSTORED_RUNDIR: rundir },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
  }
  peers.push({ child, ended: once(child, 'close').then(() => printed) });
  return child;
}

const EXPORTS: navel.Exports = {
  test: {
    whoAreYou: () => Buffer.from('here'),
    whatNow: (self) => self.receive(never, { after: 500 }),
    record: (_self, value) => {
      received.push(value);
    },
  },
};

/** Runs a process of a node `here` that is connected to the named peers. */
function withPeers<T>(names: string[], body: (self: Self, peers: ChildProcess[]) => Promise<T>): Promise<T> {
  return domain.run(async (self) => {
    ok(await navel.start(self, 'here', EXPORTS));
    await navel.subscribe(self);
    const children = names.map(startPeer);
    const up = new Set<unknown>();
    while (up.size < names.length) up.add(((await self.receive()) as unknown[])[1]);
    expect([...up].sort()).toEqual([...names].sort());
    return body(self, children);
  });
}

const call = (self: Self, name: string, args: unknown[] = [], timeout?: number) =>
  navel.call(self, 'there', 'test', name, args, timeout ?? 'infinity');

describe('a call', () => {
  test('answers the value, whatever it is made of', async () => {
    await withPeers(['there'], async (self) => {
      for (const value of ['an_atom', 42, list(1, 2), ['a', list()], new Map([[1, 2]]), true, -0.5]) {
        expect(await call(self, 'echo', [value])).toEqual(value);
      }
      expect(await call(self, 'echo', [1, 2, 3])).toEqual([1, 2, 3]);
      expect(await call(self, 'forget')).toBe('ok');
      expect(await navel.nodes(self)).toEqual(list('there'));
    });
  });

  test('takes arguments and values of all sizes', async () => {
    await withPeers(['there'], async (self) => {
      for (const size of SIZES) {
        const bytes = Buffer.alloc(size, 'xyz');
        expect(await call(self, 'size', [bytes])).toBe(size);
        expect(bytes.equals((await call(self, 'echo', [bytes])) as Buffer)).toBe(true);
      }
      expect(await navel.traffic(self)).toMatchObject({ drops: 0 });
    });
  });

  test('of a function that fails, or is not there, says why', async () => {
    await withPeers(['there'], async (self) => {
      const why = async (name: string) => {
        const [tag, [exit, reason]] = (await call(self, name)) as [string, [string, unknown]];
        expect([tag, exit]).toEqual(['badrpc', 'EXIT']);
        return reason;
      };
      expect(await why('raise')).toEqual([['RangeError', Buffer.from('no such thing')], expect.anything()]);
      expect(await why('exit')).toBe('tired');
      expect(await why('notATerm')).toEqual(['badarg', expect.anything()]);
      for (const name of ['missing', 'constructor', '__proto__']) {
        expect(await why(name)).toEqual(['undef', list(['test', name, list(), list()])]);
      }
      const proto = await navel.call(self, 'there', '__proto__', 'toString');
      expect(proto).toEqual(['badrpc', ['EXIT', ['undef', expect.anything()]]]);
      expect(await call(self, 'echo', ['still there'])).toBe('still there');
    });
  });

  test('can be answered by a call back', async () => {
    await withPeers(['there'], async (self) => {
      expect(String(await call(self, 'back', ['here', 'whoAreYou']))).toBe('here');
    });
  });

  test('that takes too long is badrpc timeout; those behind it have their turn, or none if nobody waits', async () => {
    await withPeers(['there'], async (self) => {
      const slow = call(self, 'sleep', [300], 50);
      expect(await slow).toEqual(['badrpc', 'timeout']);
      expect(await call(self, 'record', ['never'], 50)).toEqual(['badrpc', 'timeout']);
      expect(await call(self, 'echo', ['in turn'])).toBe('in turn');
      expect(String(await call(self, 'recorded'))).toBe('[]');
    });
  });

  test('to nobody is badrpc nodedown', async () => {
    await withPeers([], async (self) => {
      expect(await call(self, 'echo', [1])).toEqual(['badrpc', 'nodedown']);
      expect(await navel.call_no_return(self, 'there', 'test', 'echo')).toEqual(['badrpc', 'nodedown']);
    });
  });

  test('with what is no term raises badarg, with too much of it is system_limit', async () => {
    await domain.run(async (self) => {
      ok(await navel.start(self, 'here', EXPORTS, { maxMessage: 1000 }));
      await navel.subscribe(self);
      startPeer('there');
      await self.receive();
      await expect(call(self, 'echo', [undefined])).rejects.toMatchObject({ reason: 'badarg' });
      expect(await call(self, 'echo', [Buffer.alloc(1000)])).toEqual(['badrpc', 'system_limit']);
      expect(await call(self, 'size', [Buffer.alloc(900)])).toBe(900);
      expect(await call(self, 'zeros', [1000])).toEqual(['badrpc', 'nodedown']);
      const [, node, reason] = (await self.receive()) as [string, string, [string, Buffer]];
      expect([node, reason[0], String(reason[1])]).toEqual([
        'there',
        'protocol',
        'expected a message of at most 1000 bytes, found more',
      ]);
    });
  });

  test('of many processes at once: each gets its own answer', async () => {
    await withPeers(['there', 'elsewhere'], async (self) => {
      const me = self.pid;
      for (let i = 0; i < 500; i++) {
        self.spawn(async (caller) => {
          const node = i % 2 ? 'there' : 'elsewhere';
          caller.send(me, [i, await navel.call(caller, node, 'test', 'echo', [i])]);
        });
      }
      for (let i = 0; i < 500; i++) {
        const [asked, answered] = (await self.receive()) as [number, number];
        expect(answered).toBe(asked);
      }
    });
  });
});

describe('5000 messages each way, both sides sending', () => {
  test.each([0, 5000])(
    'with %i bytes of padding arrive once and in order, over many changes of postman',
    async (padding) => {
      await withPeers(['there'], async (self) => {
        const numbers = Array.from({ length: 5000 }, (_, i) => i);
        await navel.call_no_return(self, 'there', 'test', 'flood', ['here', numbers.length, padding]);
        const owners = new Set<unknown>();
        const [port] = self.ports();
        for (const i of numbers) {
          await navel.call_no_return(self, 'there', 'test', 'record', [i, Buffer.alloc(padding)]);
          owners.add((self.port_info(port as Port, 'connected') as [string, unknown])[1]);
        }
        expect(JSON.parse(String(await call(self, 'recorded')))).toEqual(numbers);
        while (received.length < numbers.length) await self.receive(never, { after: 10 });
        expect(received).toEqual(numbers);
        expect(owners.size).toBeGreaterThan(4);
        expect(await navel.traffic(self)).toMatchObject({ drops: 0 });
      });
    },
  );

  test('while a call of either side waits for its answer', async () => {
    await withPeers(['there'], async (self) => {
      const me = self.pid;
      await navel.call_no_return(self, 'there', 'test', 'flood', ['here', 5000, 10]);
      self.spawn(async (caller) => {
        // There it calls back, and waits here, in vain, so that both calls are open all the time.
        caller.send(me, ['answer', await call(caller, 'back', ['here', 'whatNow'])]);
      });
      for (let i = 0; i < 5000; i++) await navel.call_no_return(self, 'there', 'test', 'record', [i]);
      const [, answer] = await self.receive(
        (term): term is unknown[] => Array.isArray(term) && term[0] === 'answer',
      );
      expect(answer).toBe('ok');
      expect(JSON.parse(String(await call(self, 'recorded')))).toHaveLength(5000);
      while (received.length < 5000) await self.receive(never, { after: 10 });
    });
  });

  test('from processes that do not wait for the tube', async () => {
    await withPeers(['there'], async (self) => {
      const numbers = Array.from({ length: 5000 }, (_, i) => i);
      const me = self.pid;
      await navel.call_no_return(self, 'there', 'test', 'flood', ['here', numbers.length, 100]);
      for (const i of numbers) {
        self.spawn(async (sender) => {
          await navel.call_no_return(sender, 'there', 'test', 'record', [i, Buffer.alloc(i)]);
          sender.send(me, 'sent');
        });
      }
      expect(await call(self, 'echo', ['meanwhile'])).toBe('meanwhile');
      for (const _ of numbers)
        expect(await self.receive((term): term is string => term === 'sent')).toBe('sent');
      expect(JSON.parse(String(await call(self, 'recorded')))).toEqual(numbers);
      while (received.length < numbers.length) await self.receive(never, { after: 10 });
      expect(received).toEqual(numbers);
    });
  });
});

describe('a node that is killed', () => {
  test('is badrpc nodedown to all who wait for it, and nodedown to subscribers', async () => {
    await withPeers(['there', 'elsewhere'], async (self, [there]) => {
      const me = self.pid;
      for (let i = 0; i < 10; i++) {
        self.spawn(async (caller) => {
          caller.send(me, ['answer', await navel.call(caller, 'there', 'test', 'sleep', [60_000])]);
        });
      }
      self.spawn(async (caller) => {
        let answer: unknown = 'ok';
        while (answer === 'ok') {
          answer = await navel.call_no_return(caller, 'there', 'test', 'record', [Buffer.alloc(100_000)]);
        }
        caller.send(me, ['answer', answer]);
      });
      await self.receive(never, { after: 100 });
      there?.kill('SIGKILL');
      const messages: unknown[] = [];
      for (let i = 0; i < 12; i++) messages.push(await self.receive());
      expect(messages).toContainEqual(['nodedown', 'there', 'normal']);
      expect(messages.filter((message) => Array.isArray(message) && message[0] === 'answer')).toEqual(
        Array.from({ length: 11 }, () => ['answer', ['badrpc', 'nodedown']]),
      );
      expect(await navel.nodes(self)).toEqual(list('elsewhere'));
      expect(await navel.call(self, 'elsewhere', 'test', 'echo', [1])).toBe(1);
    });
  });

  test('is so, too, when its postman here is killed', async () => {
    await withPeers(['there'], async (self) => {
      const me = self.pid;
      self.spawn(async (caller) => {
        caller.send(me, ['answer', await call(caller, 'sleep', [60_000])]);
      });
      await self.receive(never, { after: 50 });
      const [, postman] = self.port_info(self.ports()[0] as Port, 'connected') as [string, Pid];
      self.exit(postman, 'kill');
      const messages = [await self.receive(), await self.receive()];
      expect(messages).toContainEqual(['nodedown', 'there', 'killed']);
      expect(messages).toContainEqual(['answer', ['badrpc', 'nodedown']]);
    });
  });

  test('can come back under its name', async () => {
    await withPeers(['there'], async (self, [first]) => {
      first?.kill('SIGKILL');
      expect(await self.receive()).toEqual(['nodedown', 'there', 'normal']);
      startPeer('there');
      expect(await self.receive()).toEqual(['nodeup', 'there']);
      expect(await call(self, 'echo', [1])).toBe(1);
    });
  });
});

describe('a stranger', () => {
  /** What the navel of this domain does with a tube over which these packets come. */
  async function afterPackets(packets: Uint8Array[]): Promise<void> {
    const other = await boot({ name: 'stranger', rundir });
    try {
      await other.run(async (self) => {
        const port = ok(await tube.open(self, domain.domid));
        const ref = self.monitor('port', port);
        for (const packet of packets) self.port_command(port, packet);
        const isDown = (message: unknown): message is unknown[] =>
          Array.isArray(message) && message[1] === ref;
        expect(await self.receive(isDown, { after: 4000 })).toBeDefined();
      });
    } finally {
      await other.stop();
    }
  }

  const packet = (term: unknown) => packetAt(encodeMessage(term as never), 0);

  test.each([
    ['no packet of navel', [Buffer.from('hello')]],
    ['no term', [Buffer.from([255, 1, 2, 3])]],
    ['a message before its name', [packet(['$call', 'test', 'whoAreYou', list()])]],
    ['a name that takes more than a packet', [Buffer.of(0, 131)]],
    ['its name twice', [packet(['$iam', 'x']), packet(['$iam', 'x'])]],
    ['our own name', [packet(['$iam', 'here'])]],
    ['an answer nobody asked for', [packet(['$iam', 'x']), packet(['$returns', 1])]],
  ])('who sends %s is shown the door, and others are served on', async (_name, packets) => {
    await withPeers(['there'], async (self) => {
      await afterPackets(packets);
      expect(await call(self, 'echo', [1])).toBe(1);
    });
  });
});

describe('connecting', () => {
  test('to nobody, to nonsense and without a navel says why', async () => {
    await withPeers([], async (self) => {
      expect(await navel.connect(self, 4711)).toEqual(['error', 'not_found']);
      expect(await navel.connect(self, -1)).toEqual(['error', 'badarg']);
      expect(await navel.start(self, 'again')).toEqual(['error', ['already_started', self.whereis('navel')]]);
      for (const name of ['', 'x'.repeat(256)])
        expect(await navel.start(self, name)).toEqual(['error', 'badarg']);
      expect(await navel.stop(self)).toBe('ok');
      await expect(navel.nodes(self)).rejects.toThrow('noproc');
    });
  });

  test('under a name that is taken is refused', async () => {
    await withPeers(['there'], async (self) => {
      const other = await boot({ name: 'other', rundir });
      try {
        await other.run(async (process) => {
          ok(await navel.start(process, 'there'));
          const [tag] = await navel.connect(process, domain.domid);
          // It may have got our name before it was refused.
          if (tag === 'ok') {
            await navel.subscribe(process);
            while ((await navel.nodes(process)).length > 0) await process.receive(never, { after: 10 });
          }
        });
      } finally {
        await other.stop();
      }
      expect(await call(self, 'echo', ['the first'])).toBe('the first');
    });
  });

  test('to oneself is refused', async () => {
    await withPeers([], async (self) => {
      expect((await navel.connect(self, domain.domid))[0]).toBe('error');
      expect(await navel.nodes(self)).toEqual(list());
    });
  });
});

function never(_message: unknown): _message is never {
  return false;
}

test('without lingd it does not ask again and again for who comes', async () => {
  const asked = await domain.run(async (self) => {
    ok(await navel.start(self, 'here'));
    // No lingd can be started there any more.
    fs.chmodSync(rundir, 0o777);
    for (const pid of processesWith(rundir)) kill(pid, 'SIGKILL');
    await once(domain, 'disconnected');
    await sys.statistics(self, 'tube_server', true);
    await timer.sleep(self, 300);
    const [, statistics] = await sys.statistics(self, 'tube_server', 'get');
    return (statistics as unknown as [string, number][]).find(([name]) => name === 'messages_in');
  });
  expect(asked?.[1]).toBeLessThan(20);
  // What a lingd that was killed has left.
  await domain.stop();
  fs.rmSync(rundir, { recursive: true, force: true });
});
