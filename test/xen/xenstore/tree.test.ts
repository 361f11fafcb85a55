import fc from 'fast-check';
import { XenstoreServer } from '#xen/xenstore/server';
import { XS_CONTROL } from '#xen/xenstore/wire';
import { newDomain, Requester } from './requester';

/** What a tree is: paths with values, in order of creation. Slow, and plain to see that it is right. */
class ModelTree {
  readonly values = new Map<string, string>([['', '']]);

  copy(): ModelTree {
    const copy = new ModelTree();
    for (const [path, value] of this.values) copy.values.set(path, value);
    return copy;
  }

  read(path: string): string {
    return this.values.get(path) ?? 'ENOENT';
  }

  directory(path: string): string {
    if (!this.values.has(path)) return 'ENOENT';
    return this.#children(path)
      .map((child) => `${child.slice(path.length + 1)}\0`)
      .join('');
  }

  write(path: string, value: string): string {
    this.mkdir(path);
    this.values.set(path, value);
    return 'OK';
  }

  mkdir(path: string): string {
    const names = path.split('/').slice(1);
    for (let depth = 1; depth <= names.length; depth += 1) {
      const at = names
        .slice(0, depth)
        .map((name) => `/${name}`)
        .join('');
      if (!this.values.has(at)) this.values.set(at, '');
    }
    return 'OK';
  }

  rm(path: string): string {
    if (!this.values.has(path.slice(0, path.lastIndexOf('/')))) return 'ENOENT';
    for (const at of [...this.values.keys()]) {
      if (at === path || at.startsWith(`${path}/`)) this.values.delete(at);
    }
    return 'OK';
  }

  #children(path: string): string[] {
    const child = new RegExp(`^${path}/[^/]+$`);
    return [...this.values.keys()].filter((at) => child.test(at));
  }
}

type Operation = ['write', string, string] | ['mkdir' | 'rm' | 'read' | 'directory', string];

const names = fc.constantFrom('a', 'b', 'c');
const paths = fc
  .array(names, { minLength: 1, maxLength: 3 })
  .map((parts) => parts.map((name) => `/${name}`).join(''));
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.tuple(fc.constant<'write'>('write'), paths, fc.constantFrom('', '1', '2')),
  fc.tuple(fc.constantFrom<'mkdir' | 'rm' | 'read' | 'directory'>('mkdir', 'rm', 'read', 'directory'), paths),
);

const someOperations = fc.array(operation, { maxLength: 20, size: 'max' });

function perform(target: ModelTree, [name, path, value]: Operation): string;
function perform(target: Requester, [name, path, value]: Operation, tx?: number): string | undefined;
function perform(
  target: ModelTree | Requester,
  [name, path, value]: Operation,
  tx?: number,
): string | undefined {
  return name === 'write' ? target.write(path, value!, tx) : target[name](path, tx);
}

/** All there is below /a, /b and /c, as the model would have it; in no order. */
function contents(client: Requester): [string, string][] {
  const found: [string, string][] = [];
  const visit = (path: string) => {
    found.push([path, client.read(path)!]);
    for (const name of client.directory(path)!.split('\0').slice(0, -1)) visit(`${path}/${name}`);
  };
  for (const path of ['/a', '/b', '/c']) if (client.read(path) !== 'ENOENT') visit(path);
  return found.sort();
}

function contentsOf(model: ModelTree): [string, string][] {
  return [...model.values].filter(([path]) => path !== '').sort();
}

test('answers as a plain map of paths does', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 40, size: 'max' }), (operations) => {
      const client = new Requester(new XenstoreServer());
      const model = new ModelTree();
      for (const each of operations) expect(perform(client, each)).toEqual(perform(model, each));
      expect(contents(client)).toEqual(contentsOf(model));
    }),
    { numRuns: 200 },
  );
});

describe('transactions', () => {
  /** Three transactions, of which each step may take one further; number 3 is "in none". */
  const end = fc.constant<'end'>('end');
  const steps = fc.array(
    fc.tuple(
      fc.integer({ min: 0, max: 3 }),
      fc.oneof({ weight: 4, arbitrary: operation }, { weight: 1, arbitrary: end }),
    ),
    { minLength: 20, maxLength: 40 },
  );

  test('what is committed is as if it had been done at once, all of it, when it was committed', () => {
    let committed = 0;
    let refused = 0;
    fc.assert(
      fc.property(steps, (script) => {
        const client = new Requester(new XenstoreServer());
        const model = new ModelTree();
        const open = new Map<number, { tx: number; done: [Operation, string | undefined][] }>();
        for (const [slot, step] of script) {
          if (slot === 3) {
            if (step !== 'end') expect(perform(client, step)).toEqual(perform(model, step));
            continue;
          }
          const { tx, done } = open.get(slot) ?? { tx: client.start(), done: [] };
          open.set(slot, { tx, done });
          if (step !== 'end') {
            done.push([step, perform(client, step, tx)]);
            continue;
          }
          open.delete(slot);
          const verdict = client.end(tx);
          if (verdict === 'OK') {
            committed += 1;
            for (const [each, answer] of done) expect(perform(model, each)).toEqual(answer);
          } else {
            refused += 1;
            expect(verdict).toBe('EAGAIN');
          }
          expect(contents(client)).toEqual(contentsOf(model));
        }
      }),
      { numRuns: 300 },
    );
    // Or the property would say nothing.

    expect(committed).toBeGreaterThan(100);
    expect(refused).toBeGreaterThan(100);
  });

  test('one that nobody interferes with is always committed, and says inside what it says after', () => {
    fc.assert(
      fc.property(someOperations, someOperations, (before, inside) => {
        const client = new Requester(new XenstoreServer());
        const model = new ModelTree();
        for (const each of before) expect(perform(client, each)).toEqual(perform(model, each));
        const tx = client.start();
        for (const each of inside) expect(perform(client, each, tx)).toEqual(perform(model, each));
        expect(client.end(tx)).toBe('OK');
        expect(contents(client)).toEqual(contentsOf(model));
      }),
      { numRuns: 100 },
    );
  });

  test('one that is dropped leaves nothing', () => {
    fc.assert(
      fc.property(someOperations, someOperations, (before, inside) => {
        const client = new Requester(new XenstoreServer());
        for (const each of before) perform(client, each);
        const was = contents(client);
        const tx = client.start();
        for (const each of inside) perform(client, each, tx);
        expect(contents(client)).toEqual(was);
        expect(client.end(tx, 'F')).toBe('OK');
        expect(contents(client)).toEqual(was);
      }),
      { numRuns: 100 },
    );
  });

  test('a node once read stays as it was read, whatever others do to it', () => {
    const server = new XenstoreServer();
    const client = new Requester(server);
    server.write('/n/a', '1');
    server.write('/m', '1');
    const tx = client.start();
    expect(client.read('/n', tx)).toBe('');
    expect(client.read('/n/a', tx)).toBe('1');
    server.write('/n/a', '2');
    server.write('/n/b', '2');
    server.rm('/n/a');
    server.write('/m', '2');
    expect(client.read('/n/a', tx)).toBe('1');
    expect(client.directory('/n', tx)).toBe('a\0');
    expect(client.directory('/n')).toBe('b\0');
    // Not a snapshot of the beginning: what was not touched yet is as it is now.
    expect(client.read('/m', tx)).toBe('2');
    expect(client.end(tx)).toBe('EAGAIN');
  });

  test('a node whose parent others removed can still be read, not removed, and that is a conflict', () => {
    const server = new XenstoreServer();
    const client = new Requester(server);
    server.write('/p/n', '1');
    const tx = client.start();
    expect(client.read('/p/n', tx)).toBe('1');
    server.rm('/p');
    expect(client.read('/p/n', tx)).toBe('1');
    expect(client.rm('/p/n', tx)).toBe('EINVAL');
    expect(client.end(tx)).toBe('EAGAIN');
  });

  test('a node that was missed and made meanwhile is a conflict', () => {
    const server = new XenstoreServer();
    const client = new Requester(server);
    const tx = client.start();
    expect(client.read('/x', tx)).toBe('ENOENT');
    server.write('/x', '1');
    expect(client.end(tx)).toBe('EAGAIN');
  });
});

describe('events', () => {
  const watchable = fc.constantFrom('/', '/a', '/a/b', '/a/b/c', '/b', '/c/c');

  test('each effective change is told to the watches at it and above, and removal also to those below', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 30, size: 'max' }), watchable, (operations, watched) => {
        const server = new XenstoreServer();
        const watcher = new Requester(server);
        const client = new Requester(server);
        const model = new ModelTree();
        watcher.watch(watched);
        expect(watcher.takeEvents()).toEqual([`${watched} t`]);
        for (const each of operations) {
          const before = model.copy();
          perform(client, each);
          perform(model, each);
          expect(watcher.takeEvents()).toEqual(
            expectedEvents(each, before, watched).map((path) => `${path} t`),
          );
        }
      }),
      { numRuns: 200 },
    );
  });

  function expectedEvents([name, path]: Operation, before: ModelTree, watched: string): string[] {
    const existed = before.values.has(path);
    const changes = { write: true, mkdir: !existed, rm: existed, read: false, directory: false }[name];
    if (!changes) return [];
    if (watched === '/' || path === watched || path.startsWith(`${watched}/`)) return [path];
    return name === 'rm' && watched.startsWith(`${path}/`) && before.values.has(watched) ? [watched] : [];
  }
});

describe('accounting', () => {
  /** What domain 5 has according to the tree, counted anew. */
  function counted(admin: Requester): { nodes: number; memory: number } {
    const total = { nodes: 0, memory: 0 };
    const visit = (path: string) => {
      const children = admin.directory(path)!.split('\0').slice(0, -1);
      const perms = admin.getPerms(path)!.split('\0').slice(0, -1);
      if (/^.5$/.test(perms[0]!)) {
        const childBytes = children.reduce((sum, name) => sum + name.length + 1, 0);
        total.nodes += 1;
        total.memory += path.length + 24 + 8 * perms.length + admin.read(path)!.length + childBytes;
      }
      for (const name of children) visit(path === '/' ? `/${name}` : `${path}/${name}`);
    };
    visit('/');
    return total;
  }

  function reported(admin: Requester): { nodes: number; memory: number } {
    const report = admin.ask(XS_CONTROL, 'quota\x005\0')!;
    const number = (name: string) => Number(new RegExp(`^${name} *: *(\\d+)$`, 'm').exec(report)![1]);
    return { nodes: number('nodes'), memory: number('memory') };
  }

  const inHome = operation.map(([name, path, value]) => [name, `/local/domain/5${path}`, value] as Operation);
  const permissions = fc.tuple(
    fc.constant('setPerms' as const),
    paths.map((path) => `/local/domain/5${path}`),
    fc.constantFrom('n5', 'n0 b5', 'b6 r5', 'n5 r0 r1 r2'),
  );
  /** By whom: domain 5, domain 0, domain 5 in a transaction; or that one's end. */
  const script = fc.array(
    fc.tuple(
      fc.constantFrom('guest', 'admin', 'tx', 'end'),
      fc.oneof({ weight: 4, arbitrary: inHome }, permissions),
    ),
    { maxLength: 50, size: 'max' },
  );

  test('is exact, whoever makes, gives away and removes nodes, inside of transactions and outside', () => {
    fc.assert(
      fc.property(script, (steps) => {
        const server = new XenstoreServer();
        const admin = new Requester(server);
        const guest = newDomain(server, 5);
        newDomain(server, 6);
        let tx = guest.start();
        for (const [who, step] of steps) {
          if (who === 'end') {
            guest.end(tx);
            tx = guest.start();
            continue;
          }
          const client = who === 'admin' ? admin : guest;
          const inTransaction = who === 'tx' ? tx : 0;
          if (step[0] === 'setPerms') client.setPerms(step[1], step[2], inTransaction);
          else perform(client, step, inTransaction);
          expect(reported(admin)).toEqual(counted(admin));
        }
        guest.end(tx);
        expect(reported(admin)).toEqual(counted(admin));
        server.release(5);
        expect(counted(admin)).toEqual({ nodes: 0, memory: 0 });
      }),
      { numRuns: 100 },
    );
  });
});
