import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Port } from '#actors/identifiers';
import { isTuple } from '#actors/term';
import * as gen_tcp from '#lib/gen-tcp';
import * as inet from '#lib/inet';
import { ok } from '#lib/result';
import { tcpInetDriver } from '#ports/drivers/tcp-inet';
import { PortRuntime } from '#ports/port-runtime';
import type { Self } from '#ports/self';
import { descriptorsOf, eventually } from '../support/residue';
import { run as runProgram } from '../support/run';
import { runProcess } from '../support/run-process';

let runtime: PortRuntime;
let directory: string;
beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'gen-tcp-'));
  const source = path.join(__dirname, '../fixtures/inet/echo_peer.erl');
  const { status, stdout, stderr } = await runProgram('erlc', ['-o', directory, source]);
  if (status !== 0) throw new Error(stdout + stderr);
});
afterAll(() => rmSync(directory, { recursive: true }));
beforeEach(() => {
  runtime = new PortRuntime({ onCrash: () => {} });
  runtime.addDriver(tcpInetDriver);
});
afterEach(() => runtime.stop());

const run = <T>(body: (self: Self) => T) => runProcess(runtime, body);
const PASSIVE = ['binary', ['active', false]] as const;

async function pair(self: Self, mine: readonly inet.SocketOption[] = []): Promise<[Port, Port]> {
  const listener = ok(await gen_tcp.listen(self, 0, PASSIVE));
  const port = ok(inet.port(self, listener));
  const socket = ok(await gen_tcp.connect(self, [127, 0, 0, 1], port, [...PASSIVE, ...mine]));
  const peer = ok(await gen_tcp.accept(self, listener, 5000));
  gen_tcp.close(self, listener);
  return [socket, peer];
}

describe('a peer that does not read', () => {
  test('makes send wait, with bounded memory, and everything arrives in order once it does', async () => {
    await run(async (self) => {
      const [socket, peer] = await pair(self);
      const count = 400;
      let sent = 0;
      self.spawn_link(async (sender) => {
        for (let i = 0; i < count; i++) {
          await gen_tcp.send(sender as Self, socket, Buffer.alloc(65_536, i));
          sent++;
        }
        gen_tcp.close(sender as Self, socket);
      });
      await eventually(async () => {
        const before = sent;
        await self.receive(() => false, { after: 100 });
        return sent > 0 && sent === before;
      }, true);
      expect(sent).toBeLessThan(count);
      for (let i = 0; i < count; i++) {
        const data = ok(await gen_tcp.recv(self, peer, 65_536, 10_000)) as Buffer;
        expect([data.length, data[0], data.at(-1)]).toEqual([65_536, i % 256, i % 256]);
      }
      expect(await gen_tcp.recv(self, peer, 0, 10_000)).toEqual(['error', 'closed']);
    });
  });

  test('makes send answer timeout after send_timeout', async () => {
    await run(async (self) => {
      const [socket] = await pair(self, [['send_timeout', 50]]);
      let answer: unknown;
      do answer = await gen_tcp.send(self, socket, Buffer.alloc(1_000_000));
      while (answer === 'ok');
      expect(answer).toEqual(['error', 'timeout']);
    });
  });
});

describe('options', () => {
  test.each<[bad: inet.SocketOption, shown: string]>([
    [['nodelayed', true], "[ 'nodelayed', true ]"],
    [['packet', 3], "[ 'packet', 3 ]"],
    ['raw', "'raw'"],
  ])('%j is refused by name', async (bad, shown) => {
    const message = `badarg: ${shown} is no option of this kind of socket`;
    const refused = { name: 'ErlangExit', reason: 'badarg', message };
    await run(async (self) => {
      const options: inet.SocketOption[] = ['binary', bad, ['nodelay', true]];
      await expect(gen_tcp.listen(self, 0, options)).rejects.toMatchObject(refused);
      await expect(gen_tcp.connect(self, 'localhost', 1, options)).rejects.toMatchObject(refused);
      expect(self.ports()).toHaveLength(0);
    });
  });

  test('are set all, or none', async () => {
    await run(async (self) => {
      const [socket] = await pair(self);
      const tooMany: inet.SocketOption[] = [
        ['nodelay', true],
        ['active', 32_767],
        ['active', 1],
      ];
      expect(inet.setopts(self, socket, tooMany)).toEqual(['error', 'einval']);
      expect(inet.getopts(self, socket, ['nodelay', 'active'])).toEqual([
        'ok',
        [
          ['nodelay', false],
          ['active', false],
        ],
      ]);
    });
  });
});

test('the module inet has what Erlang’s has, and nothing of ours', () => {
  const functions = ['close', 'getopts', 'ntoa', 'parse_address', 'peername', 'port', 'setopts', 'sockname'];
  expect(Object.keys(inet).sort()).toEqual(functions);
});

test('a server whose clients reset while it sends keeps neither their sockets nor their processes', async () => {
  await run(async (self) => {
    const listener = ok(await gen_tcp.listen(self, 0, [...PASSIVE, ['packet', 'line']]));
    const port = ok(inet.port(self, listener));
    const before = self.processes().length;
    self.spawn_link(async (acceptor) => {
      for (;;) {
        const socket = ok(await gen_tcp.accept(acceptor as Self, listener));
        const server = acceptor.spawn((one) => echo(one as Self, socket));
        gen_tcp.controlling_process(acceptor as Self, socket, server);
      }
    });
    for (let i = 0; i < 50; i++) {
      const client = net.connect(port, '127.0.0.1').on('error', () => {});
      await once(client, 'connect');
      client.write('hello\n'.repeat(20), () => client.resetAndDestroy());
      await once(client, 'close');
    }
    await eventually(async () => {
      await self.receive(() => false, { after: 20 });
      return [self.ports().length, self.processes().length];
    }, [1, before + 1]);
  });

  async function echo(self: Self, socket: Port): Promise<void> {
    for (;;) {
      inet.setopts(self, socket, [['active', 'once']]);
      const message = await self.receive(gen_tcp.isMessage(socket));
      if (message[0] !== 'tcp') return;
      await gen_tcp.send(self, socket, message[2] as Buffer);
    }
  }
});

describe('with a real Erlang', () => {
  const MESSAGES = ['hello\n', `${'x'.repeat(1000)}\n`, '\n', 'bye\n'];

  async function converse(self: Self, socket: Port): Promise<void> {
    for (const text of MESSAGES) await gen_tcp.send(self, socket, text);
    for (const text of MESSAGES) {
      inet.setopts(self, socket, [['active', 'once']]);
      const message = (await self.receive((m) => isTuple(m) && m[1] === socket, {
        after: 10_000,
      })) as unknown[];
      expect([message[0], String(message[2])]).toEqual(['tcp', text]);
    }
    gen_tcp.close(self, socket);
  }

  const start = (...args: string[]): ChildProcess =>
    spawn('erl', ['-noshell', '-pa', directory, '-s', 'echo_peer', ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });

  describe.each([1, 2, 4, 'line'])('packet %s', (packet) => {
    const messages = [...PASSIVE, ['packet', packet], ['buffer', 4096]] as inet.SocketOption[];
    // 1000 bytes are too many for a header of one.
    const fits = packet !== 1;

    test('that listens', async () => {
      const erl = start('listen', String(packet));
      const ended = once(erl, 'exit');
      const [port] = await once(erl.stdout as NodeJS.ReadableStream, 'data');
      await run(async (self) => {
        const socket = ok(await gen_tcp.connect(self, 'localhost', Number(port), messages));
        if (!fits) expect(await gen_tcp.send(self, socket, 'x'.repeat(1000))).toEqual(['error', 'einval']);
        await (fits ? converse(self, socket) : gen_tcp.close(self, socket));
      });
      expect(await ended).toEqual([0, null]);
    });

    test('that connects', async () => {
      await run(async (self) => {
        const listener = ok(await gen_tcp.listen(self, 0, messages));
        const erl = start('connect', String(ok(inet.port(self, listener))), String(packet));
        const ended = once(erl, 'exit');
        const socket = ok(await gen_tcp.accept(self, listener, 20_000));
        await (fits ? converse(self, socket) : gen_tcp.close(self, socket));
        expect(await ended).toEqual([0, null]);
      });
    });
  });
});

test('a socket is given away with all its messages, and closed, by a process whose turn is over', async () => {
  await run(async (self) => {
    const [socket, peer] = await pair(self, [
      ['packet', 1],
      ['active', true],
    ]);
    await gen_tcp.send(self, peer, [1, 'a', 1, 'b', 1, 'c']);
    await self.receive(() => false, { after: 50 });
    const owner = self.spawn(async (other) => {
      const told: unknown[] = [];
      while (told.length < 3) told.push(await other.receive());
      other.send(self.pid, ['told', ...told]);
    });
    const nobody = self.spawn(() => {});
    for (let i = 0; i < 10_000; i++) self.send(nobody, i);
    expect(gen_tcp.controlling_process(self, socket, owner)).toBe('ok');
    expect(gen_tcp.close(self, peer)).toBe('ok');
    const message = await self.receive((m) => isTuple(m) && m[0] === 'told', { after: 5000 });
    expect(message).toEqual(['told', ...['a', 'b', 'c'].map((text) => ['tcp', socket, Buffer.from(text)])]);
  });
});

test('sockets at a path in the file system', async () => {
  await run(async (self) => {
    const at = ['local', path.join(directory, 'socket')] as const;
    const listener = ok(await gen_tcp.listen(self, 0, [...PASSIVE, ['ifaddr', at]]));
    expect(inet.sockname(self, listener)).toEqual(['ok', ['local', Buffer.from(at[1])]]);
    const socket = ok(await gen_tcp.connect(self, at, 0, PASSIVE));
    const peer = ok(await gen_tcp.accept(self, listener, 5000));
    await gen_tcp.send(self, socket, 'hello');
    expect(await gen_tcp.recv(self, peer, 5, 5000)).toEqual(['ok', Buffer.from('hello')]);
    expect(await gen_tcp.connect(self, ['local', `${at[1]}-not`], 0, PASSIVE)).toEqual(['error', 'enoent']);
  });
});

test('names that nobody has are nxdomain', async () => {
  await run(async (self) => {
    const [kind, reason] = await gen_tcp.connect(self, 'no.such.name.invalid', 1, PASSIVE);
    expect(kind).toBe('error');
    // A machine without a name server cannot know.
    expect(['nxdomain', 'try_again']).toContain(reason);
  });
});

test('a runtime that stops leaves no descriptors, whatever its sockets do', async () => {
  const sockets = () => descriptorsOf('self').filter((target) => target === 'socket').length;
  const before = sockets();
  await run(async (self) => {
    const [socket] = await pair(self);
    const listener = ok(await gen_tcp.listen(self, 0, PASSIVE));
    const port = ok(inet.port(self, listener));
    // One that nobody accepts.
    ok(await gen_tcp.connect(self, [127, 0, 0, 1], port, PASSIVE));
    self.spawn((other) => gen_tcp.recv(other as Self, socket, 0));
    self.spawn(async (other) => {
      for (;;) await gen_tcp.send(other as Self, socket, Buffer.alloc(1_000_000));
    });
    await self.receive(() => false, { after: 50 });
    expect(sockets()).toBeGreaterThan(before);
  });
  runtime.stop();
  await eventually(sockets, before);
});
