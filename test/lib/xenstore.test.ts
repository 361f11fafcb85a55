import { type Domain, ok, type Self, xenstore } from 'ling-tubes';
import { XS_TRANSACTION_END, XS_TRANSACTION_START, XS_UNWATCH, XS_WATCH } from '#xen/xenstore/wire';
import { Box } from '../support/box';
import { eventually } from '../support/residue';

let box: Box;
let domain: Domain;
let other: Domain;

beforeAll(async () => {
  box = new Box();
  domain = await box.boot();
  other = await box.boot();
});
afterAll(() => box.close());

const run = <T>(body: (self: Self) => Promise<T> | T): Promise<T> => domain.run(body);

test('what is written can be read, as text and as integers; lists and deletes', () =>
  run(async (self) => {
    expect(await xenstore.domid(self)).toEqual(['ok', domain.domid]);
    expect(await xenstore.write(self, 'data/a/b', 'täxt')).toBe('ok');
    expect(await xenstore.read(self, 'data/a/b')).toEqual(['ok', 'täxt']);
    expect(await xenstore.read(self, `/local/domain/${domain.domid}/data/a/b`)).toEqual(['ok', 'täxt']);
    for (const [written, read] of [
      [42, 42],
      ['-7', -7],
      ['007', 7],
      ['+1', 1],
    ] as const) {
      expect(await xenstore.write(self, 'data/n', written)).toBe('ok');
      expect(await xenstore.read_integer(self, 'data/n')).toEqual(['ok', read]);
    }
    for (const text of ['', 'x', '1x', ' 1', '1.5']) {
      await xenstore.write(self, 'data/n', text);
      expect(await xenstore.read_integer(self, 'data/n')).toEqual(['error', 'not_integer']);
    }
    expect(await xenstore.mkdir(self, 'data/a/c')).toBe('ok');
    expect(await xenstore.mkdir(self, 'data/a/c')).toBe('ok');
    expect([...ok(await xenstore.list(self, 'data/a'))]).toEqual(['b', 'c']);
    expect(await xenstore.delete(self, 'data/a')).toBe('ok');
    expect(await xenstore.read(self, 'data/a/b')).toEqual(['error', 'enoent']);
    expect(await xenstore.list(self, 'data/a')).toEqual(['error', 'enoent']);
  }));

test('errors are those of Xenstore in lower case, or badarg', () =>
  run(async (self) => {
    expect(await xenstore.write(self, `/local/domain/${other.domid}/data/x`, '')).toEqual([
      'error',
      'eacces',
    ]);
    expect(await xenstore.read(self, 'bad//path')).toEqual(['error', 'einval']);
    expect(await xenstore.read(self, 'nul\0')).toEqual(['error', 'einval']);
    expect(await xenstore.set_perms(self, 'data', ['z1'])).toEqual(['error', 'einval']);
    expect(await xenstore.write(self, 'data/x', 'x'.repeat(5000))).toEqual(['error', 'e2big']);
    expect(await xenstore.commit(self, 99)).toEqual(['error', 'enoent']);
    expect(await xenstore.read(self, 'data', 99)).toEqual(['error', 'enoent']);
    expect(await xenstore.unwatch(self, 'data')).toEqual(['error', 'enoent']);
    const badarg = ['error', 'badarg'];
    for (const path of ['', 5, null, undefined, ['data']] as string[]) {
      expect(await xenstore.read(self, path)).toEqual(badarg);
      expect(await xenstore.read_integer(self, path)).toEqual(badarg);
      expect(await xenstore.write(self, path, '')).toEqual(badarg);
      expect(await xenstore.list(self, path)).toEqual(badarg);
      expect(await xenstore.mkdir(self, path)).toEqual(badarg);
      expect(await xenstore.delete(self, path)).toEqual(badarg);
      expect(await xenstore.get_perms(self, path)).toEqual(badarg);
      expect(await xenstore.set_perms(self, path, [])).toEqual(badarg);
      expect(await xenstore.watch(self, path)).toEqual(badarg);
      expect(await xenstore.unwatch(self, path)).toEqual(badarg);
    }
    for (const value of [1.5, null, {}, ['x']] as string[]) {
      expect(await xenstore.write(self, 'data/x', value)).toEqual(badarg);
    }
    expect(await xenstore.set_perms(self, 'data', 'r1' as never)).toEqual(badarg);
  }));

test('permissions open a node to another domain', async () => {
  const path = `/local/domain/${domain.domid}/data/shared`;
  const read = () => other.run((self) => xenstore.read(self, path));
  await run((self) => xenstore.write(self, path, 'x'));
  expect(await read()).toEqual(['error', 'eacces']);
  expect(await run((self) => xenstore.set_perms(self, path, [`n${domain.domid}`, `r${other.domid}`]))).toBe(
    'ok',
  );
  expect(await run(async (self) => [...ok(await xenstore.get_perms(self, path))])).toEqual(['n1', 'r2']);
  expect(await read()).toEqual(['ok', 'x']);
});

test('transactions are all or nothing', () =>
  run(async (self) => {
    const tx = ok(await xenstore.transaction(self));
    await xenstore.write(self, 'data/t', 1, tx);
    expect(await xenstore.read(self, 'data/t')).toEqual(['error', 'enoent']);
    expect(await xenstore.read(self, 'data/t', tx)).toEqual(['ok', '1']);
    expect(await xenstore.commit(self, tx)).toBe('ok');
    const second = ok(await xenstore.transaction(self));
    await xenstore.delete(self, 'data/t', second);
    expect(await xenstore.rollback(self, second)).toBe('ok');
    expect(await xenstore.read_integer(self, 'data/t')).toEqual(['ok', 1]);
    const third = ok(await xenstore.transaction(self));
    await xenstore.read(self, 'data/t', third);
    await xenstore.write(self, 'data/t', 2);
    await xenstore.write(self, 'data/t', 3, third);
    expect(await xenstore.commit(self, third)).toEqual(['error', 'eagain']);
  }));

test.each([
  ['data/w', 'data/w'],
  ['absolute', '/local/domain/1/data/w'],
])('a watch on %s says its paths as they were asked for, until unwatch', (_, path) =>
  run(async (self) => {
    expect(await xenstore.watch(self, path)).toBe('ok');
    expect(await xenstore.watch(self, path)).toEqual(['error', 'eexist']);
    expect(await self.receive()).toEqual(['watch', path]);
    await xenstore.write(self, 'data/w/x', '1');
    await xenstore.delete(self, 'data/w');
    expect(await self.receive()).toEqual(['watch', `${path}/x`]);
    expect(await self.receive()).toEqual(['watch', path]);
    expect(await xenstore.unwatch(self, path)).toBe('ok');
    await xenstore.write(self, 'data/w', '1');
    await xenstore.delete(self, 'data/w');
    expect(await self.receive(undefined, { after: 30 })).toBeUndefined();
  }),
);

test('processes watch the same path independently, and what the dead watched is taken back', async () => {
  const requests = jest.spyOn(domain.runtime.hypervisor.xenstore, 'request');
  const sent = (wanted: number) => requests.mock.calls.filter(([type]) => type === wanted).length;
  const pids = await Promise.all(
    Array.from({ length: 5 }, () =>
      run(async (self) => {
        let up = (): void => {};
        const watching = new Promise<void>((resolve) => {
          up = resolve;
        });
        const pid = self.spawn(async (watcher) => {
          for (let i = 0; i < 10; i++) ok(await xenstore.watch(watcher, `data/dead/${i}`));
          up();
          await watcher.receive((m): m is never => m === undefined);
        });
        await watching;
        return pid;
      }),
    ),
  );
  expect([sent(XS_WATCH), sent(XS_UNWATCH)]).toEqual([50, 0]);
  await run((self) => pids.forEach((pid) => void self.exit(pid, 'kill')));
  await eventually(() => sent(XS_UNWATCH), 50);
  requests.mockRestore();
});

test('a process that is killed while lingd works on its request is simply gone', async () => {
  const pid = domain.spawn(async (self) => {
    for (;;) await xenstore.write(self, 'data/busy', 'x');
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  await run((self) => self.exit(pid, 'kill'));
  expect(domain.runtime.processes()).not.toContain(pid);
});

test.each<[string, (self: Self) => unknown]>([
  ['returns', () => undefined],
  ['is killed', (self) => self.receive()],
])('transactions of a process that %s are rolled back, once', async (_how, end) => {
  const requests = jest.spyOn(domain.runtime.hypervisor.xenstore, 'request');
  const sent = (type: number): number => requests.mock.calls.filter(([sent]) => sent === type).length;
  for (let i = 0; i < 30; i++) {
    const pid = domain.spawn(async (self) => {
      const tx = ok(await xenstore.transaction(self));
      ok(await xenstore.write(self, 'data/rolled/back', 'x', tx));
      await end(self);
    });
    // At a moment of its own.
    await new Promise((resolve) => setTimeout(resolve, i % 6));
    if (end.length > 0) await run((self) => self.exit(pid, 'kill'));
    await eventually(() => pid.receiver, undefined);
  }
  await run(async (self) => {
    const tx = ok(await xenstore.transaction(self));
    expect(await xenstore.commit(self, tx)).toBe('ok');
    expect(await xenstore.read(self, 'data/rolled/back')).toEqual(['error', 'enoent']);
  });
  const begun = sent(XS_TRANSACTION_START);
  expect(begun).toBeGreaterThan(20);
  await eventually(() => sent(XS_TRANSACTION_END), begun);
  requests.mockRestore();
});
