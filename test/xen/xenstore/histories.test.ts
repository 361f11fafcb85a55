import fc from 'fast-check';
import { XenstoreServer } from '#xen/xenstore/server';
import { encodePacket, type Packet, PacketDecoder, XenstoreProtocolError } from '#xen/xenstore/wire';
import { Requester } from './requester';

/** All of them with XENSTORE_HISTORIES=10000; XENSTORE_SEED=<seed> plays those of a failure again. */
const RUNS = Number(process.env.XENSTORE_HISTORIES ?? 1000);
const SEED = Number(process.env.XENSTORE_SEED ?? Date.now() % 2 ** 31);
const OPTIONS = { numRuns: RUNS, seed: SEED };

const paths = fc
  .array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 })
  .map((names) => `/t/${names.join('/')}`);
const action = fc.record({
  who: fc.nat(3),
  what: fc.constantFrom('read', 'list', 'write', 'write', 'write', 'mkdir', 'rm', 'start', 'commit', 'abort'),
  path: paths,
  value: fc.constantFrom('', '1', '2'),
  inside: fc.boolean(),
});
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

/**
 * The tree as a sorted list of paths, to be compared with as a whole: so slow that it cannot hide how it works. Each
 * node has the number of its last change; a missing one has none.
 */
class Model {
  readonly nodes = new Map<string, { value: string; children: string[]; change: number }>();
  changes = 0;

  constructor() {
    this.nodes.set('/t', { value: '', children: [], change: 0 });
  }

  copy(): Model {
    const copy = new Model();
    for (const [path, node] of this.nodes) copy.nodes.set(path, { ...node, children: [...node.children] });
    copy.changes = this.changes;
    return copy;
  }
}

const parentOf = (path: string) => path.slice(0, path.lastIndexOf('/'));
const nameOf = (path: string) => path.slice(path.lastIndexOf('/') + 1);

/** What a history does: to a model, saying which nodes it has touched, from the leaf up. */
function perform({ what, path, value }: Action, model: Model, touch: (path: string) => void): string {
  const look = (at: string) => {
    touch(at);
    return model.nodes.get(at);
  };
  const lookAbove = (at: string): string => {
    const parent = parentOf(at);
    return look(parent) === undefined ? lookAbove(parent) : parent;
  };
  const change = (at: string) => {
    model.nodes.get(at)!.change = ++model.changes;
  };
  const node = look(path);
  if (node === undefined) {
    const existing = lookAbove(path);
    if (what === 'read' || what === 'list') return 'ENOENT';
    if (what === 'rm') return existing === parentOf(path) ? 'OK' : 'ENOENT';
    const names = path.slice(existing.length + 1).split('/');
    let at = existing;
    for (const name of names) {
      model.nodes.get(at)!.children.push(name);
      change(at);
      at = `${at}/${name}`;
      model.nodes.set(at, { value: '', children: [], change: ++model.changes });
    }
    model.nodes.get(path)!.value = what === 'write' ? value : '';
    return 'OK';
  }
  switch (what) {
    case 'read':
      return node.value;
    case 'list':
      return node.children.map((name) => `${name}\0`).join('');
    case 'mkdir':
      return 'OK';
    case 'write':
      node.value = value;
      change(path);
      return 'OK';
    default: {
      const parent = look(parentOf(path));
      for (const at of [...model.nodes.keys()].filter((each) => each.startsWith(`${path}/`))) {
        look(at);
        model.nodes.delete(at);
      }
      model.nodes.delete(path);
      if (parent) parent.children = parent.children.filter((name) => name !== nameOf(path));
      if (parent) change(parentOf(path));
      return 'OK';
    }
  }
}

/** A transaction: what it makes of the tree, and how each node was that it has touched. */
class Attempt {
  readonly seen = new Map<string, number | undefined>();
  readonly log: Action[] = [];

  perform(each: Action, model: Model): string | undefined {
    this.log.push(each);
    // As long as nobody has changed what it saw, it sees the tree with its own changes; after that it only has to fail.
    if (this.#isOutdated(model)) return undefined;
    const own = model.copy();
    for (const earlier of this.log.slice(0, -1)) perform(earlier, own, () => {});
    return perform(each, own, (path) => {
      if (!this.seen.has(path)) this.seen.set(path, model.nodes.get(path)?.change);
    });
  }

  commit(model: Model): string {
    if (this.#isOutdated(model)) return 'EAGAIN';
    for (const each of this.log) perform(each, model, () => {});
    return 'OK';
  }

  #isOutdated(model: Model): boolean {
    return [...this.seen].some(([path, change]) => model.nodes.get(path)?.change !== change);
  }
}

test(`${RUNS} histories of four connections with transactions are as the model says (seed ${SEED})`, () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
      const server = new XenstoreServer();
      server.mkdir('/t');
      const model = new Model();
      const clients = Array.from({ length: 4 }, () => new Requester(server));
      const open = new Map<Requester, { id: number; attempt: Attempt }>();
      for (const each of actions) {
        const client = clients[each.who]!;
        const transaction = open.get(client);
        if (each.what === 'start') {
          if (transaction === undefined) open.set(client, { id: client.start(), attempt: new Attempt() });
        } else if (each.what === 'commit' || each.what === 'abort') {
          if (transaction === undefined) continue;
          open.delete(client);
          const commit = each.what === 'commit';
          const expected = commit ? transaction.attempt.commit(model) : 'OK';
          expect(client.end(transaction.id, commit ? 'T' : 'F')).toBe(expected);
        } else {
          const inside = each.inside ? transaction : undefined;
          const answer = ask(client, each, inside?.id);
          const expected = inside ? inside.attempt.perform(each, model) : perform(each, model, () => {});
          if (expected !== undefined) expect([each, answer]).toEqual([each, expected]);
        }
        expectSame(server, model);
      }
    }),
    OPTIONS,
  );
});

function ask(client: Requester, { what, path, value }: Action, tx: number | undefined): string | undefined {
  if (what === 'read') return client.read(path, tx);
  if (what === 'list') return client.directory(path, tx);
  if (what === 'write') return client.write(path, value, tx);
  return what === 'mkdir' ? client.mkdir(path, tx) : client.rm(path, tx);
}

function expectSame(server: XenstoreServer, model: Model): void {
  const walk = (path: string): [string, string][] => [
    [path, server.read(path)!.toString()],
    ...server.directory(path).flatMap((name) => walk(`${path}/${name}`)),
  ];
  const modelled = (path: string): [string, string][] => {
    const { value, children } = model.nodes.get(path)!;
    return [[path, value], ...children.flatMap((name) => modelled(`${path}/${name}`))];
  };
  expect(walk('/t')).toEqual(modelled('/t'));
}

const packet: fc.Arbitrary<Packet> = fc.record({
  type: fc.oneof(fc.nat(27), fc.nat()),
  reqId: fc.nat(),
  txId: fc.oneof(fc.constant(0), fc.nat(3)),
  payload: fc
    .oneof(
      fc.constantFrom(
        '/\0',
        '/a\0v',
        '/a\0t\0',
        '@releaseDomain\0t\0',
        '0\0',
        '5\x001\x001\0',
        'T\0',
        '/a\0n5\0',
        'quota\0',
      ),
      fc.string({ unit: 'binary', maxLength: 60 }),
    )
    .map((text) => Buffer.from(text)),
});

test(`requests are answered the same however their bytes are cut (seed ${SEED})`, () => {
  fc.assert(
    fc.property(
      fc.array(packet, { maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 40 })),
      (packets, cuts) => {
        const bytes = Buffer.concat(packets.map(encodePacket));
        const whole = answersTo([bytes]);
        expect(answersTo([...bytes].map((byte) => Buffer.of(byte)))).toEqual(whole);
        expect(answersTo(cut(bytes, cuts))).toEqual(whole);
        expect(whole.filter(({ type }) => type !== 15)).toHaveLength(packets.length);
      },
    ),
    OPTIONS,
  );
});

test(`garbage is answered or ends the connection, and harms nothing (seed ${SEED})`, () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 200 }), { maxLength: 20 }), (chunks) => {
      const server = new XenstoreServer();
      expect(() => answersTo(chunks, server)).not.toThrow();
      expect(new Requester(server).read('/')).toBe('');
    }),
    OPTIONS,
  );
});

function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let start = 0;
  for (const size of sizes) {
    chunks.push(bytes.subarray(start, start + size));
    start += size;
  }
  return [...chunks, bytes.subarray(start)];
}

/** Of a domain without privileges, so that it cannot send itself away. */
function answersTo(chunks: readonly Uint8Array[], server = new XenstoreServer()): Packet[] {
  server.introduce(5);
  const answers: Packet[] = [];
  const connection = server.connect({ domid: 5, privileged: false, send: (each) => answers.push(each) });
  const decoder = new PacketDecoder();
  try {
    for (const chunk of chunks) for (const each of decoder.push(chunk)) connection.handle(each);
  } catch (error) {
    if (!(error instanceof XenstoreProtocolError)) throw error;
    for (const each of error.packets) connection.handle(each);
  }
  connection.close();
  return answers;
}
