import { XenstoreClient } from '#xen/xenstore/client';
import { LastingChannel } from '#xen/xenstore/lasting-channel';
import { XenstoreServer } from '#xen/xenstore/server';
import {
  FIRST_HYPERCALL,
  joinStrings,
  XS_DIRECTORY,
  XS_DIRECTORY_PART,
  XS_ERROR,
  XS_READ,
  XS_WATCH,
  XS_WATCH_EVENT,
} from '#xen/xenstore/wire';
import { clientInMemory, connectInMemory, type Delivery, MemoryChannel } from './memory-channel';

const code = (code: string) => expect.objectContaining({ code });
const turn = () => new Promise((resolve) => setImmediate(resolve));
async function settle() {
  for (let i = 0; i < 5; i += 1) await turn();
}

describe.each<Delivery>(['now', 'later'])('a client whose answers come %s', (delivery) => {
  let server: XenstoreServer;
  let client: XenstoreClient;

  beforeEach(() => {
    server = new XenstoreServer();
    client = clientInMemory(server, 0, delivery);
  });

  test('writes, reads, lists and removes', async () => {
    await client.write('/a/b', 'grün');
    await client.write('/a/c', Buffer.from([0, 255]));
    await client.mkdir('/a/d');
    expect(await client.readString('/a/b')).toBe('grün');
    expect(await client.read('/a/c')).toEqual(Buffer.from([0, 255]));
    expect(await client.read('/a/d')).toEqual(Buffer.alloc(0));
    expect(await client.directory('/a')).toEqual(['b', 'c', 'd']);
    expect(await client.directory('/a/b')).toEqual([]);
    await client.rm('/a/b');
    await expect(client.read('/a/b')).rejects.toEqual(code('ENOENT'));
  });

  test('sets and gets permissions', async () => {
    server.introduce(5);
    await client.mkdir('/a');
    await client.setPerms('/a', ['n5', 'r0', 'b7']);
    expect(await client.getPerms('/a')).toEqual(['n5', 'r0', 'b7']);
    await expect(client.setPerms('/a', [])).rejects.toEqual(code('EINVAL'));
    await expect(client.setPerms('/a', ['n99'])).rejects.toEqual(code('ENOENT'));
  });

  test('asks about domains', async () => {
    server.introduce(5);
    expect(await client.getDomainPath(5)).toBe('/local/domain/5');
    expect(await client.isDomainIntroduced(5)).toBe(true);
    expect(await client.isDomainIntroduced(6)).toBe(false);
    const guest = clientInMemory(server, 5, delivery);
    await expect(guest.isDomainIntroduced(5)).rejects.toEqual(code('EACCES'));
  });

  test('has many requests under way at once', async () => {
    const paths = Array.from({ length: 300 }, (_, i) => `/many/${i}`);
    await Promise.all(paths.map((path) => client.write(path, path)));
    expect(await Promise.all(paths.map((path) => client.readString(path)))).toEqual(paths);
  });

  test('gets the first event of a watch, then each change, with paths as the watch put them', async () => {
    const absolute: string[] = [];
    const relative: string[] = [];
    await client.watch('/local/domain/0/dev', (path) => absolute.push(path));
    const watch = await client.watch('dev', (path) => relative.push(path));
    await client.write('dev/a', 'x');
    await client.write('dev/a', 'x');
    await client.rm('dev');
    await settle();
    expect(relative).toEqual(['dev', 'dev/a', 'dev/a', 'dev']);
    expect(absolute).toEqual(relative.map((path) => `/local/domain/0/${path}`));
    await watch.unwatch();
    await client.write('dev', 'y');
    await settle();
    expect(relative).toHaveLength(4);
    expect(absolute).toHaveLength(5);
  });

  test('does not call back once unwatch has been called', async () => {
    const seen: string[] = [];
    const watch = await client.watch('/w', (path) => seen.push(path));
    await settle();
    const written = client.write('/w', 'x');
    const unwatched = watch.unwatch();
    await Promise.all([written, unwatched]);
    await settle();
    // With answers at once the event was there before unwatch was called.
    expect(seen).toEqual(delivery === 'now' ? ['/w', '/w'] : ['/w']);
  });

  test('a watch of a bad path is refused and never called back', async () => {
    const callback = jest.fn();
    await expect(client.watch('/a//b', callback)).rejects.toEqual(code('EINVAL'));
    expect(callback).not.toHaveBeenCalled();
  });

  test('hears of domains that come and go', async () => {
    const seen: string[] = [];
    await client.watch('@introduceDomain', (path) => seen.push(path));
    await client.watch('@releaseDomain', (path) => seen.push(path));
    await settle();
    seen.length = 0;
    server.introduce(5);
    server.release(5);
    await settle();
    expect(seen).toEqual(['@introduceDomain', '@releaseDomain']);
  });

  test('a transaction shows its changes at its end, or drops them', async () => {
    const kept = await client.transactionStart();
    await client.write('/t/kept', 'x', kept);
    await expect(client.read('/t/kept')).rejects.toEqual(code('ENOENT'));
    expect(await client.readString('/t/kept', kept)).toBe('x');
    expect(await client.directory('/t', kept)).toEqual(['kept']);
    await client.transactionEnd(kept, true);
    expect(await client.readString('/t/kept')).toBe('x');
    const dropped = await client.transactionStart();
    await client.rm('/t/kept', dropped);
    await client.mkdir('/t/new', dropped);
    await client.transactionEnd(dropped, false);
    expect(await client.directory('/t')).toEqual(['kept']);
    await expect(client.read('/t', dropped)).rejects.toEqual(code('ENOENT'));
  });

  test('transaction() begins again after a conflict', async () => {
    await client.write('/count', '1');
    let runs = 0;
    const result = await client.transaction(async (tx) => {
      runs += 1;
      const count = Number(await client.readString('/count', tx));
      if (runs <= 3) server.write('/count', String(count + 10));
      await client.write('/count', String(count + 1), tx);
      return count;
    });
    expect({ runs, result }).toEqual({ runs: 4, result: 31 });
    expect(await client.readString('/count')).toBe('32');
  });

  test('transaction() gives up after as many attempts as it was given', async () => {
    let runs = 0;
    const hopeless = client.transaction(async (tx) => {
      runs += 1;
      await client.write('/x', 'mine', tx);
      server.write('/x', 'theirs');
    }, 3);
    await expect(hopeless).rejects.toEqual(code('EAGAIN'));
    expect(runs).toBe(3);
    expect(await client.readString('/x')).toBe('theirs');
  });

  test('transaction() drops what was done when its body throws, and throws that on', async () => {
    const fault = new Error('of the body');
    const failed = client.transaction(async (tx) => {
      await client.write('/x', 'mine', tx);
      throw fault;
    });
    await expect(failed).rejects.toBe(fault);
    await expect(client.read('/x')).rejects.toEqual(code('ENOENT'));
    // Nothing is left open: the id can no longer be ended.
    await expect(client.transactionEnd(1, false)).rejects.toEqual(code('ENOENT'));
  });

  test('many clients count up one number in transactions, and none is lost', async () => {
    server.write('/count', '0');
    const clients = Array.from({ length: 4 }, () => clientInMemory(server, 0, delivery));
    const increments = clients.map(async (each) => {
      for (let i = 0; i < 5; i += 1) {
        await each.transaction(async (tx) => {
          await each.write('/count', String(Number(await each.readString('/count', tx)) + 1), tx);
        });
      }
    });
    await Promise.all(increments);
    expect(await client.readString('/count')).toBe('20');
  });

  test.each([1, 31, 32, 33, 200])(
    'lists %i names of 127 characters, in parts when they pass 4096 bytes',
    async (count) => {
      const names = Array.from({ length: count }, (_, i) => String(i).padStart(127, 'n'));
      for (const name of names) server.mkdir(`/big/${name}`);
      expect(await client.directory('/big')).toEqual(names);
    },
  );

  test('lists a big directory inside a transaction', async () => {
    const names = Array.from({ length: 100 }, (_, i) => String(i).padStart(127, 'n'));
    await client.transaction(async (tx) => {
      await Promise.all(names.map((name) => client.mkdir(`/big/${name}`, tx)));
      expect(await client.directory('/big', tx)).toEqual(names);
    });
  });

  test('what a callback throws is reported, and packets go on', async () => {
    const errors: unknown[] = [];
    const careful = new XenstoreClient(connectInMemory(server, 0, delivery), {
      onError: (error) => errors.push(error),
    });
    const fault = new Error('of the callback');
    await careful.watch('/w', () => {
      throw fault;
    });
    await careful.write('/w', 'x');
    expect(await careful.readString('/w')).toBe('x');
    expect(errors).toEqual([fault, fault]);
  });

  test('strings with a NUL inside are refused before they are sent', async () => {
    await expect(client.read('/a\0b')).rejects.toEqual(code('EINVAL'));
    await expect(client.setPerms('/a', ['n0\0r1'])).rejects.toEqual(code('EINVAL'));
  });

  test.each(['/š', '/☃', 'é'])('the path %s is not taken for another one', async (path) => {
    await expect(client.write(path, 'x')).rejects.toEqual(code('EINVAL'));
    expect(await client.directory('/')).toEqual(['tool']);
  });

  test('a value is refused when it does not fit a packet, and fits up to that', async () => {
    await client.write('/v', Buffer.alloc(4096 - 3, 'v'));
    expect(await client.read('/v')).toHaveLength(4093);
    await expect(client.write('/v', Buffer.alloc(4096 - 2))).rejects.toEqual(code('E2BIG'));
  });

  test('the release of its domain ends it', async () => {
    server.introduce(5);
    const guest = clientInMemory(server, 5, delivery);
    server.release(5);
    expect(await guest.closed).toBeUndefined();
    await expect(guest.getDomainPath(0)).rejects.toEqual(code('ENOTCONN'));
  });
});

describe('a client with a scripted server', () => {
  test('takes the first event of a watch also before the answer', async () => {
    const channel = new MemoryChannel();
    const client = new XenstoreClient(channel);
    const seen: string[] = [];
    const watching = client.watch('/w', (path) => seen.push(path));
    const [request] = channel.sent;
    const token = request!.payload.toString().split('\0')[1]!;
    channel.deliver([{ type: XS_WATCH_EVENT, reqId: 0, txId: 0, payload: joinStrings(['/w', token]) }]);
    expect(seen).toEqual(['/w']);
    channel.deliver([{ type: XS_WATCH, reqId: request!.reqId, txId: 0, payload: joinStrings(['OK']) }]);
    expect(await watching).toMatchObject({ path: '/w' });
  });

  test('takes answers in any order', async () => {
    const channel = new MemoryChannel();
    const client = new XenstoreClient(channel);
    const reads = ['/a', '/b', '/c'].map((path) => client.readString(path));
    for (const { reqId, payload } of [...channel.sent].reverse()) {
      channel.deliver([{ type: XS_READ, reqId, txId: 0, payload: payload.subarray(0, 2) }]);
    }
    expect(await Promise.all(reads)).toEqual(['/a', '/b', '/c']);
  });

  test.each(['ENOENT', 'EQUOTA', 'ESOMETHINGNEW'])(
    'an error answer %s is an error of that code',
    async (name) => {
      const channel = new MemoryChannel();
      const read = new XenstoreClient(channel).read('/a');
      channel.deliver([
        { type: XS_ERROR, reqId: channel.sent[0]!.reqId, txId: 0, payload: joinStrings([name]) },
      ]);
      await expect(read).rejects.toMatchObject({ name: 'XenstoreError', code: name });
    },
  );

  test.each(['', '\0', 'ENOENT'])('an error answer %j, which names none, is EIO', async (payload) => {
    const channel = new MemoryChannel();
    const read = new XenstoreClient(channel).read('/a');
    channel.deliver([{ ...channel.sent[0]!, type: XS_ERROR, payload: Buffer.from(payload) }]);
    await expect(read).rejects.toEqual(code('EIO'));
  });

  test('an answer of another type is a protocol error; one to no request is let pass', async () => {
    const channel = new MemoryChannel();
    const read = new XenstoreClient(channel).read('/a');
    const { reqId } = channel.sent[0]!;
    channel.deliver([{ type: XS_READ, reqId: reqId + 1, txId: 0, payload: Buffer.alloc(0) }]);
    channel.deliver([{ type: XS_DIRECTORY, reqId, txId: 0, payload: Buffer.alloc(0) }]);
    await expect(read).rejects.toEqual(code('EPROTO'));
  });

  test.each([...['', 'OK', '0', '-1', '1.5', '1e3', ' 1', '4294967296'], '1\0\0'])(
    'a transaction that is answered with %j has not begun, over a lasting channel neither',
    async (id) => {
      for (const isLasting of [false, true]) {
        const channel = new MemoryChannel();
        const renew = () => Promise.reject(new Error('none'));
        const client = new XenstoreClient(isLasting ? new LastingChannel(channel, { renew }) : channel);
        const done = client.transaction((tx) => client.write('/a', '1', tx));
        channel.deliver([{ ...channel.sent[0]!, payload: Buffer.from(id && `${id}\0`) }]);
        await expect(done).rejects.toEqual(code('EPROTO'));
        expect(channel.sent).toHaveLength(1);
      }
    },
  );

  test('a listing in parts that are none ends', async () => {
    const channel = new MemoryChannel(({ type, reqId }) => {
      const error = { type: XS_ERROR, reqId, txId: 0, payload: joinStrings(['E2BIG']) };
      const part = { type, reqId, txId: 0, payload: Buffer.from('x') };
      setImmediate(() => channel.deliver([type === XS_DIRECTORY ? error : part]));
    });
    await expect(new XenstoreClient(channel).directory('/a')).rejects.toEqual(code('EPROTO'));
  });

  test('never sends an empty payload, except in hypercalls', () => {
    const channel = new MemoryChannel();
    const client = new XenstoreClient(channel);
    for (const type of [0, 6, 21, FIRST_HYPERCALL - 1, FIRST_HYPERCALL]) {
      client.request(type, Buffer.alloc(0)).catch(() => undefined);
    }
    expect(channel.sent.map(({ payload }) => payload.length)).toEqual([1, 1, 1, 1, 0]);
    channel.cut(undefined);
  });

  test('carries descriptors there and back, and gives away those nobody waits for', async () => {
    const channel = new MemoryChannel();
    const stray: number[] = [];
    const client = new XenstoreClient(channel, { onStrayFds: (fds) => stray.push(...fds) });
    const call = client.request(FIRST_HYPERCALL + 1, Buffer.from('x'), { fds: [7, 8], txId: 3 });
    expect(channel.sent).toMatchObject([{ type: FIRST_HYPERCALL + 1, txId: 3 }]);
    expect(channel.sentFds).toEqual([[7, 8]]);
    const answer = { ...channel.sent[0]!, payload: Buffer.from('y') };
    channel.deliver([answer], [9]);
    channel.deliver([answer], [10]);
    channel.deliver([{ type: XS_WATCH_EVENT, reqId: 0, txId: 0, payload: joinStrings(['/', 't']) }], [11]);
    expect(await call).toEqual({ payload: Buffer.from('y'), fds: [9] });
    expect(stray).toEqual([10, 11]);
  });

  test('a listing in parts begins again when the directory has changed', async () => {
    const answers = ['1\0a\0b\0', '2\0c\0\0', '2\0x\0y\0', '2\0z\0\0'];
    const channel: MemoryChannel = new MemoryChannel(({ type, reqId, txId }) => {
      const packet =
        type === XS_DIRECTORY
          ? { type: XS_ERROR, payload: joinStrings(['E2BIG']) }
          : { type, payload: Buffer.from(answers.shift()!) };
      setImmediate(() => channel.deliver([{ ...packet, reqId, txId }]));
    });
    expect(await new XenstoreClient(channel).directory('/d')).toEqual(['x', 'y', 'z']);
    const asked = channel.sent.filter(({ type }) => type === XS_DIRECTORY_PART);
    expect(asked.map(({ payload }) => payload.toString())).toEqual(
      ['0', '4', '0', '4'].map((at) => `/d\0${at}\0`),
    );
  });

  test.each([undefined, new Error('cable cut')])(
    'its end (%s) rejects what is under way and all that follows',
    async (error) => {
      const channel = new MemoryChannel();
      const client = new XenstoreClient(channel);
      const watched = jest.fn();
      const under = [client.read('/a'), client.watch('/b', watched), client.transactionStart()];
      channel.cut(error);
      for (const each of under)
        await expect(each).rejects.toMatchObject({ code: 'ECONNRESET', cause: error });
      await expect(client.read('/a')).rejects.toEqual(code('ENOTCONN'));
      await expect(client.transaction(() => 1)).rejects.toEqual(code('ENOTCONN'));
      expect(await client.closed).toBe(error);
      expect(channel.sent).toHaveLength(3);
    },
  );

  test('close() ends the channel, once', async () => {
    const hangUp = jest.fn();
    const client = new XenstoreClient(new MemoryChannel(undefined, hangUp));
    const read = client.read('/a');
    client.close();
    client.close();
    await expect(read).rejects.toEqual(code('ECONNRESET'));
    expect(hangUp).toHaveBeenCalledTimes(1);
    expect(await client.closed).toBeUndefined();
  });

  test('a send that fails rejects that request only', async () => {
    let broken = true;
    const channel = new MemoryChannel(() => {
      if (broken) throw new Error('no buffer space');
    });
    const client = new XenstoreClient(channel);
    await expect(client.read('/a')).rejects.toThrow('no buffer space');
    broken = false;
    const read = client.read('/a');
    channel.deliver([{ type: XS_READ, reqId: channel.sent[1]!.reqId, txId: 0, payload: Buffer.from('v') }]);
    expect(await read).toEqual(Buffer.from('v'));
  });
});
