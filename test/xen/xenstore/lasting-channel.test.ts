import { XenstoreClient } from '#xen/xenstore/client';
import { LastingChannel, type Renewal } from '#xen/xenstore/lasting-channel';
import { XenstoreServer } from '#xen/xenstore/server';
import {
  FIRST_HYPERCALL,
  joinStrings,
  type Packet,
  splitStrings,
  XS_CONTROL,
  XS_READ,
} from '#xen/xenstore/wire';
import { connectInMemory, MemoryChannel } from './memory-channel';
import { Requester } from './requester';

const code = (code: string) => expect.objectContaining({ code });
async function settle() {
  for (let i = 0; i < 10; i += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** A server, its successors, and a domain's channel to whichever there is. */
class World {
  server = newServer();
  lost = 0;
  renewed = 0;
  strays: number[] = [];
  readonly client: XenstoreClient;
  #connection: MemoryChannel;
  #renew: ((renewal: Renewal) => void) | undefined;
  #refuse: ((error: Error) => void) | undefined;
  signal: AbortSignal | undefined;

  constructor() {
    this.#connection = connectInMemory(this.server, 5);
    const onStrayFds = (fds: readonly number[]) => void this.strays.push(...fds);
    const channel = new LastingChannel(this.#connection, {
      renew: (signal) => {
        this.signal = signal;
        return new Promise((resolve, reject) => {
          this.#renew = resolve;
          this.#refuse = reject;
        });
      },
      onLost: () => this.lost++,
      onRenewed: () => this.renewed++,
      onStrayFds,
    });
    this.client = new XenstoreClient(channel, { onStrayFds });
  }

  /** What is asked for from now on, the server never sees; with it goes what is under way. */
  crash(): void {
    this.#connection.cut(undefined);
  }

  /** The next server, which has the nodes of the last one, and knows what that one has done. */
  recover(done: number[] = []): void {
    const server = newServer();
    for (const record of this.server.records()) if (record[1] !== 5) server.restore(record);
    this.server = server;
    this.#connection = connectInMemory(server, 5);
    this.#renew?.({ connection: this.#connection, done: new Set(done) });
  }

  /** How many watches the domain has, as the server counts them. */
  watches(): number {
    const report = new Requester(this.server).ask(XS_CONTROL, 'quota\x005\0');
    return Number(/^watches *: *(\d+)$/m.exec(report ?? '')?.[1]);
  }

  giveUp(error: Error): void {
    this.#refuse?.(error);
  }
}

function newServer(): XenstoreServer {
  const server = new XenstoreServer();
  server.introduce(5);
  server.mkdir('/local/domain/5');
  server.setPerms('/local/domain/5', ['n5']);
  return server;
}

describe('requests', () => {
  test('that were answered are not made again, and nodes are there', async () => {
    const world = new World();
    await world.client.write('a', '1');
    world.server.write('/local/domain/5/a', '2');
    world.crash();
    world.recover();
    expect(await world.client.readString('a')).toBe('2');
    expect([world.lost, world.renewed]).toEqual([1, 1]);
  });

  test('without an answer are made again, in their order, and new ones wait and come after them', async () => {
    const world = new World();
    const early = [world.client.write('a', '1'), world.client.write('a', '2'), world.client.mkdir('b')];
    const read = world.client.readString('a');
    world.crash();
    const late = [world.client.write('a', '3'), world.client.readString('a')];
    await settle();
    expect(world.server.read('/local/domain/5/a')).toBeUndefined();
    world.recover();
    await Promise.all(early);
    expect(await read).toBe('2');
    expect(await Promise.all(late)).toEqual([undefined, '3']);
    expect(await world.client.directory('/local/domain/5')).toEqual(['a', 'b']);
  });

  test('that were done, but not answered, are answered, and not done twice', async () => {
    const world = new World();
    await world.client.write('a', '1');
    const rm = world.client.rm('a');
    world.crash();
    // Seen by the server before, and the node is another one by now.
    world.server.write('/local/domain/5/a', 'new');
    world.recover([1, 2]);
    await rm;
    expect(await world.client.readString('a')).toBe('new');
  });

  test('are done once in however many crashes', async () => {
    const world = new World();
    const writes = Array.from({ length: 10 }, (_, i) => world.client.write(`n${i}`, String(i)));
    for (let i = 0; i < 5; i++) {
      world.crash();
      world.recover();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(writes);
    expect(await world.client.directory('/local/domain/5')).toEqual(
      Array.from({ length: 10 }, (_, i) => `n${i}`),
    );
  });

  test('that are not of the Xenstore are answered ECONNRESET when they were sent, and wait otherwise', async () => {
    const world = new World();
    const asked = world.client.request(FIRST_HYPERCALL, Buffer.from('x'), { fds: [7] });
    world.crash();
    await expect(asked).rejects.toEqual(code('ECONNRESET'));
    const waiting = world.client.request(FIRST_HYPERCALL, Buffer.from('x'), { fds: [8] });
    world.recover();
    // The server of these tests knows none.
    await expect(waiting).rejects.toEqual(code('ENOSYS'));
    expect(world.strays).toEqual([]);
  });
});

describe('watches', () => {
  test('are set again, call back once more, and go on', async () => {
    const world = new World();
    const seen: string[] = [];
    await world.client.watch('a', (path) => seen.push(path));
    const other = await world.client.watch('b', (path) => seen.push(path));
    await settle();
    await other.unwatch();
    expect(seen.splice(0)).toEqual(['a', 'b']);
    world.crash();
    await settle();
    expect(seen).toEqual([]);
    world.recover();
    await settle();
    expect(seen.splice(0)).toEqual(['a']);
    world.server.write('/local/domain/5/a/x', '1');
    world.server.write('/local/domain/5/b', '1');
    await settle();
    expect(seen).toEqual(['a/x']);
  });

  test('that were being set or ended are set or ended', async () => {
    const world = new World();
    const seen: string[] = [];
    const ended = await world.client.watch('b', (path) => seen.push(path));
    await settle();
    seen.length = 0;
    const being = world.client.watch('a', (path) => seen.push(path));
    const ending = ended.unwatch();
    world.crash();
    world.recover();
    await Promise.all([being, ending]);
    world.server.write('/local/domain/5/b', '1');
    await settle();
    expect(seen).toEqual(['a']);
    expect(world.watches()).toBe(1);
  });

  test('that the server has refused are not set again', async () => {
    const world = new World();
    await expect(world.client.watch('//', () => undefined)).rejects.toEqual(code('EINVAL'));
    world.crash();
    world.recover();
    await settle();
    expect(world.watches()).toBe(0);
  });
});

describe('a transaction', () => {
  test('that is open is lost: EAGAIN for all of it, and it can be rolled back', async () => {
    const world = new World();
    const tx = await world.client.transactionStart();
    await world.client.write('a', '1', tx);
    const pending = world.client.read('a', tx);
    world.crash();
    await expect(pending).rejects.toEqual(code('EAGAIN'));
    await expect(world.client.write('a', '2', tx)).rejects.toEqual(code('EAGAIN'));
    world.recover();
    await expect(world.client.write('a', '3', tx)).rejects.toEqual(code('EAGAIN'));
    await world.client.transactionEnd(tx, false);
    await expect(world.client.transactionEnd(tx, false)).rejects.toEqual(code('ENOENT'));
    await expect(world.client.read('a')).rejects.toEqual(code('ENOENT'));
  });

  test('that is open cannot be taken for one of the next server', async () => {
    const world = new World();
    const lost = await world.client.transactionStart();
    world.crash();
    world.recover();
    const next = await world.client.transactionStart();
    expect(next).not.toBe(lost);
    await world.client.write('a', '1', next);
    await expect(world.client.transactionEnd(lost, true)).rejects.toEqual(code('EAGAIN'));
    await world.client.transactionEnd(next, true);
    expect(await world.client.readString('a')).toBe('1');
  });

  test('that was being begun is begun; one that was being dropped is dropped', async () => {
    const world = new World();
    const tx = await world.client.transactionStart();
    const dropped = world.client.transactionEnd(tx, false);
    const begun = world.client.transactionStart();
    world.crash();
    await dropped;
    world.recover();
    await world.client.transactionEnd(await begun, true);
  });

  test.each([true, false])('that was just being committed has been or not: %s', async (isDone) => {
    const world = new World();
    const tx = await world.client.transactionStart();
    await world.client.write('a', '1', tx);
    const committed = world.client.transactionEnd(tx, true);
    world.crash();
    // The third request.
    world.recover(isDone ? [3] : []);
    if (isDone) await committed;
    else await expect(committed).rejects.toEqual(code('EAGAIN'));
  });

  test('is run again by transaction(), through as many crashes as there are', async () => {
    const world = new World();
    let runs = 0;
    const done = world.client.transaction(async (tx) => {
      runs++;
      await world.client.write('a', '1', tx);
      if (runs <= 3) world.crash();
      if (runs <= 3) setImmediate(() => world.recover());
      await world.client.write('b', '2', tx);
      return runs;
    });
    expect(await done).toBe(4);
    expect(await world.client.directory('/local/domain/5')).toEqual(['a', 'b']);
  });
});

describe('the end', () => {
  test('when there is no other server: all that waits is told so, once', async () => {
    const world = new World();
    const early = world.client.read('a');
    world.crash();
    const late = world.client.request(FIRST_HYPERCALL, Buffer.alloc(0), { fds: [9] });
    const error = new Error('none');
    world.giveUp(error);
    for (const each of [early, late])
      await expect(each).rejects.toMatchObject({ code: 'ECONNRESET', cause: error });
    expect(await world.client.closed).toBe(error);
    expect(world.strays).toEqual([9]);
    await expect(world.client.read('a')).rejects.toEqual(code('ENOTCONN'));
    expect([world.lost, world.renewed]).toEqual([1, 0]);
  });

  test('asked for without a server: at once, and a connection that comes too late is closed', async () => {
    const world = new World();
    world.crash();
    const waiting = world.client.request(FIRST_HYPERCALL, Buffer.alloc(0), { fds: [9] });
    world.client.close();
    await expect(waiting).rejects.toEqual(code('ECONNRESET'));
    expect(world.signal?.aborted).toBe(true);
    expect(world.strays).toEqual([9]);
    world.recover();
    await settle();
    expect(world.renewed).toBe(0);
    expect(world.server.read('/local/domain/5')).toBeDefined();
  });
});

test('numbers of requests are never those of another that is under way', () => {
  const sent: Packet[] = [];
  const connection = new MemoryChannel((packet) => sent.push(packet));
  const channel = new LastingChannel(connection, { renew: () => new Promise(() => {}) });
  const heard: Packet[] = [];
  channel.onPacket = (packet) => heard.push(packet);
  // As the user numbers them, all the same.
  for (const path of ['a', 'b'])
    channel.send({ type: XS_READ, reqId: 7, txId: 0, payload: joinStrings([path]) });
  expect(new Set(sent.map(({ reqId }) => reqId)).size).toBe(2);
  for (const packet of sent.reverse())
    connection.deliver([{ ...packet, payload: Buffer.from(splitStrings(packet.payload)[0] as string) }]);
  expect(heard.map(({ reqId, payload }) => [reqId, String(payload)])).toEqual([
    [7, 'b'],
    [7, 'a'],
  ]);
});
