import type { Port } from '#actors/identifiers';
import { isTuple } from '#actors/term';
import * as gen_udp from '#lib/gen-udp';
import * as inet from '#lib/inet';
import { ok } from '#lib/result';
import { udpInetDriver } from '#ports/drivers/udp-inet';
import { PortRuntime } from '#ports/port-runtime';
import type { Self } from '#ports/self';
import { runProcess } from '../support/run-process';

let runtime: PortRuntime;
beforeEach(() => {
  runtime = new PortRuntime({ onCrash: () => {} });
  runtime.addDriver(udpInetDriver);
});
afterEach(() => runtime.stop());

const run = <T>(body: (self: Self) => T) => runProcess(runtime, body);
const HERE = [127, 0, 0, 1] as const;
const open = async (self: Self, ...more: inet.SocketOption[]): Promise<[Port, number]> => {
  const socket = ok(await gen_udp.open(self, 0, ['binary', ['ip', HERE], ['active', false], ...more]));
  return [socket, ok(inet.port(self, socket))];
};

test('what nobody takes is kept up to recbuf bytes, the first of it', async () => {
  await run(async (self) => {
    const [socket, port] = await open(self);
    const [peer] = await open(self);
    inet.setopts(self, socket, [['recbuf', 4000]]);
    for (let i = 0; i < 10; i++) {
      await gen_udp.send(self, peer, HERE, port, Buffer.alloc(1000, i));
      // The system's own buffer is as small, and what counts in it is more than the data.
      await self.receive(() => false, { after: 20 });
    }
    for (let i = 0; i < 4; i++) {
      const [, , data] = ok(await gen_udp.recv(self, socket, 0, 1000));
      expect((data as Buffer)[0]).toBe(i);
    }
    expect(await gen_udp.recv(self, socket, 0, 50)).toEqual(['error', 'timeout']);
  });
});

test('each way to send, to each kind of address', async () => {
  await run(async (self) => {
    const [socket, port] = await open(self);
    const [peer] = await open(self);
    const sends = [
      () => gen_udp.send(self, peer, HERE, port, 'a'),
      () => gen_udp.send(self, peer, 'localhost', port, 'a'),
      () => gen_udp.send(self, peer, '127.0.0.1', port, ['a']),
      () => gen_udp.send(self, peer, [HERE, port], Buffer.from('a')),
      async () => (await gen_udp.connect(self, peer, HERE, port)) === 'ok' && gen_udp.send(self, peer, [97]),
      () => gen_udp.send(self, peer, HERE, port, 'a'),
    ];
    for (const send of sends) {
      expect(await send()).toBe('ok');
      const [address, , data] = ok(await gen_udp.recv(self, socket, 0, 5000));
      expect([address, String(data)]).toEqual([HERE, 'a']);
    }
  });
});

test('IPv6', async () => {
  await run(async (self) => {
    const options = ['inet6', 'binary', ['ip', 'loopback']] as const;
    const socket = ok(await gen_udp.open(self, 0, options));
    const peer = ok(await gen_udp.open(self, 0, options));
    const there = [0, 0, 0, 0, 0, 0, 0, 1] as const;
    expect(await gen_udp.send(self, peer, there, ok(inet.port(self, socket)), 'a')).toBe('ok');
    const message = await self.receive((m) => isTuple(m) && m[0] === 'udp', { after: 5000 });
    expect(message).toEqual(['udp', socket, there, ok(inet.port(self, peer)), Buffer.from('a')]);
  });
});
