/** A server that is made from what another one has told is the same, for everybody. */
import fc from 'fast-check';
import type { StoreRecord } from '#xen/xenstore/record';
import { XenstoreServer } from '#xen/xenstore/server';
import { XS_CONTROL, XS_RELEASE, XS_SET_TARGET } from '#xen/xenstore/wire';
import { newDomain, Requester } from './requester';

const DOMIDS = [5, 6, 7];

class Recorded {
  readonly log: StoreRecord[] = [];
  readonly server = new XenstoreServer({ onRecord: (record) => this.log.push(record) });
  readonly admin = new Requester(this.server);
}

function restored(records: Iterable<StoreRecord>): XenstoreServer {
  const server = new XenstoreServer();
  // As a file would give them back.
  for (const record of records) server.restore(JSON.parse(JSON.stringify(record)));
  return server;
}

/** All that it has, and what it counts for each domain. */
function contents(server: XenstoreServer): { records: StoreRecord[]; usage: unknown[] } {
  const admin = new Requester(server);
  const usage = DOMIDS.map((domid) => {
    const report = admin.ask(XS_CONTROL, `quota\0${domid}\0`);
    return report?.split('\n').filter((line) => /^(nodes|memory) /.test(line));
  });
  return { records: [...server.records()], usage };
}

function sorted({ records, usage }: ReturnType<typeof contents>): unknown {
  return { records: records.map((record) => JSON.stringify(record)).sort(), usage };
}

const bytes = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i));
const paths = fc.constantFrom(
  ...DOMIDS.flatMap((domid) =>
    ['', '/a', '/a/b', '/a/b/c', '/d'].map((below) => `/local/domain/${domid}${below}`),
  ),
  '/x',
  '/x/y',
  // What a server begins with.
  '/tool',
  '/tool/xenstored',
);
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(fc.constant('write' as const), paths, fc.constantFrom('', '1', 'zwei\n', bytes)),
  },
  { weight: 3, arbitrary: fc.tuple(fc.constant('mkdir' as const), paths) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('rm' as const), paths) },
  {
    weight: 4,
    arbitrary: fc.tuple(
      fc.constant('setPerms' as const),
      paths,
      fc.constantFrom('n5', 'n6 r5', 'b7 r5 w6', 'n0 r9', 'r5'),
    ),
  },
  fc.tuple(fc.constant('end' as const)),
  fc.tuple(fc.constant('release' as const)),
  fc.tuple(fc.constant('introduce' as const)),
  fc.tuple(fc.constant('special' as const)),
  fc.tuple(fc.constant('target' as const), fc.constantFrom(...DOMIDS)),
);
const script = fc.array(fc.tuple(fc.constantFrom(0, ...DOMIDS), fc.boolean(), step), {
  maxLength: 60,
  size: 'max',
});

function play(steps: typeof script extends fc.Arbitrary<infer T> ? T : never): Recorded {
  const recorded = new Recorded();
  const { server, admin } = recorded;
  const clients = new Map([[0, admin], ...DOMIDS.map((domid) => [domid, newDomain(server, domid)] as const)]);
  const transactions = new Map<number, number>();
  for (const [domid, inTransaction, [kind, path, value]] of steps) {
    const client = clients.get(domid)!;
    if (inTransaction && !transactions.has(domid)) transactions.set(domid, client.start());
    const tx = inTransaction ? transactions.get(domid)! : 0;
    if (kind === 'write') client.write(path, value, tx);
    else if (kind === 'mkdir') client.mkdir(path, tx);
    else if (kind === 'rm') client.rm(path, tx);
    else if (kind === 'setPerms') client.setPerms(path, value, tx);
    else if (kind === 'end') {
      client.end(transactions.get(domid) ?? 0);
      transactions.delete(domid);
    } else if (kind === 'special') admin.setPerms('@releaseDomain', `n0 r${domid}`);
    else if (kind === 'target') admin.ask(XS_SET_TARGET, `${domid}\0${path}\0`);
    else if (kind === 'introduce' && domid !== 0 && !server.isIntroduced(domid)) {
      clients.set(domid, newDomain(server, domid));
    } else if (kind === 'release') {
      admin.ask(XS_RELEASE, `${domid}\0`);
      transactions.delete(domid);
    }
  }
  return recorded;
}

test('from its records: nodes in their order, values, permissions, also of the dead, domains and what they use', () => {
  fc.assert(
    fc.property(script, (steps) => {
      const { server } = play(steps);
      expect(contents(restored(server.records()))).toEqual(contents(server));
    }),
    { numRuns: 300 },
  );
});

test('from all that has ever happened to it', () => {
  fc.assert(
    fc.property(script, (steps) => {
      const { server, log } = play(steps);
      expect(sorted(contents(restored(log)))).toEqual(sorted(contents(server)));
    }),
    { numRuns: 300 },
  );
});

test('from its records and what happened after these', () => {
  const { server, log, admin } = new Recorded();
  const guest = newDomain(server, 5);
  guest.write('data/a', '1');
  const earlier = [...server.records()];
  log.length = 0;
  guest.write('data/b', '2');
  guest.rm('data/a');
  admin.setPerms('/local/domain/5/data/b', 'n5 r6');
  expect(contents(restored([...earlier, ...log]))).toEqual(contents(server));
});

test('what is read, or refused, or taken back, is no change', () => {
  const { server, log } = new Recorded();
  const guest = newDomain(server, 5);
  guest.mkdir('data');
  log.length = 0;
  guest.read('data');
  guest.mkdir('data');
  guest.write('/x', '1');
  const tx = guest.start();
  guest.write('data/a', '1', tx);
  guest.end(tx, 'F');
  const other = guest.start();
  guest.write('data/b', '1', other);
  guest.rm('data/b', other);
  expect(guest.end(other)).toBe('OK');
  expect(log).toEqual([]);
});

test('a permission that was for a domain that has ended is not for the next of its number', () => {
  const { server } = new Recorded();
  newDomain(server, 5).write('secret', 'x');
  newDomain(server, 6);
  server.setPerms('/local/domain/5/secret', ['n5', 'r6']);
  server.release(6);
  const copy = restored(server.records());
  const other = newDomain(copy, 6);
  expect(other.read('/local/domain/5/secret')).toBe('EACCES');
  expect(new Requester(copy).getPerms('/local/domain/5/secret')).toBe('n5\0r6\0');
});

test('a directory that is being listed in parts is not taken for the one before', () => {
  const { server } = new Recorded();
  server.mkdir('/a');
  const part = (from: XenstoreServer) => new Requester(from).ask(22, '/a\x000\0');
  expect(part(restored(server.records()))).not.toBe(part(server));
});

test.each<[string, StoreRecord]>([
  ['a node without a parent', ['node', '/a/b', '', ['n0']]],
  ['a path that is none', ['node', 'a', '', ['n0']]],
  ['a node of nobody', ['node', '/a', '', []]],
  ['permissions that are none', ['node', '/a', '', ['x0']]],
  ['the end of a domain that was not there', ['released', 5]],
  ['a target that was not there', ['target', 5, 6]],
  ['an event that is none', ['special', '@x', ['n0']]],
])('%s is refused', (_what, record) => {
  expect(() => new XenstoreServer().restore(record)).toThrow();
});
