import { XenstoreServer } from '#xen/xenstore/server';
import {
  FIRST_HYPERCALL,
  type Packet,
  XS_CONTROL,
  XS_INTRODUCE,
  XS_RELEASE,
  XS_RESET_WATCHES,
} from '#xen/xenstore/wire';
import { newDomain, Requester } from './requester';

const ENOENT = expect.objectContaining({ code: 'ENOENT' });
const EINVAL = expect.objectContaining({ code: 'EINVAL' });

let server: XenstoreServer;
let admin: Requester;

beforeEach(() => {
  server = new XenstoreServer();
  admin = new Requester(server);
});

describe('its own methods', () => {
  test('read and change the tree as domain 0', () => {
    server.introduce(5);
    server.write('/a/b', 'text');
    server.write('/a/c', Uint8Array.of(0, 255));
    server.mkdir('/a/d');
    server.mkdir('/a/b');
    server.setPerms('/a/b', ['n5', 'r0']);
    expect(server.read('/a/b')).toEqual(Buffer.from('text'));
    expect(server.read('/a/c')).toEqual(Buffer.from([0, 255]));
    expect(server.read('/a/none')).toBeUndefined();
    expect(server.directory('/a')).toEqual(['b', 'c', 'd']);
    expect(admin.getPerms('/a/b')).toBe('n5\0r0\0');
    server.rm('/a/b');
    server.rm('/a/b');
    expect(server.directory('/a')).toEqual(['c', 'd']);
  });

  test('refuse what a request would be refused', () => {
    expect(() => server.write('/a//b', '')).toThrow(EINVAL);
    expect(() => server.rm('/')).toThrow(EINVAL);
    expect(() => server.rm('/none/x')).toThrow(ENOENT);
    expect(() => server.directory('/none')).toThrow(ENOENT);
    expect(() => server.setPerms('/none', ['n0'])).toThrow(ENOENT);
    expect(() => server.setPerms('/tool', ['n9'])).toThrow(ENOENT);
    expect(() => server.setPerms('/tool', ['x'])).toThrow(EINVAL);
  });

  test('tell watches', () => {
    admin.watch('/w');
    admin.takeEvents();
    server.write('/w/a', '1');
    server.mkdir('/w/b');
    server.mkdir('/w/b');
    server.setPerms('/w', ['r0']);
    server.rm('/w/a');
    expect(admin.takeEvents()).toEqual(['/w/a t', '/w/b t', '/w t', '/w/a t']);
  });

  test('keep a copy of a value', () => {
    const value = Buffer.from('abc');
    server.write('/v', value);
    value.fill(0);
    expect(server.read('/v')?.toString()).toBe('abc');
  });
});

describe('the life of a domain', () => {
  test('is announced, at its beginning and its end', () => {
    admin.watch('@introduceDomain', 'i');
    admin.watch('@releaseDomain', 'r');
    admin.takeEvents();
    server.introduce(5);
    expect(admin.takeEvents()).toEqual(['@introduceDomain i']);
    expect(server.isIntroduced(5)).toBe(true);
    server.introduce(5);
    expect(admin.takeEvents()).toEqual([]);
    server.release(5);
    expect(admin.takeEvents()).toEqual(['@releaseDomain r']);
    expect(server.isIntroduced(5)).toBe(false);
    expect(() => server.release(5)).toThrow(ENOENT);
  });

  test('a shutdown is announced once until the domain is resumed', () => {
    server.introduce(5);
    admin.watch('@releaseDomain');
    admin.takeEvents();
    for (const events of [1, 0]) {
      server.shutDown(5);
      expect(admin.takeEvents()).toHaveLength(events);
    }
    server.resume(5);
    server.shutDown(5);
    expect(admin.takeEvents()).toHaveLength(1);
    expect(() => server.shutDown(6)).toThrow(ENOENT);
    expect(() => server.resume(6)).toThrow(ENOENT);
  });

  test('at its end every node it owns goes, with what is below, told before the end itself', () => {
    const guest = newDomain(server, 5);
    newDomain(server, 6);
    server.mkdir('/shared');
    server.setPerms('/shared', ['n0', 'b5', 'r6']);
    guest.write('/shared/of-5/deep', 'x');
    server.write('/shared/of-0', 'x');
    server.write('/shared/of-5/of-6', 'x');
    server.setPerms('/shared/of-5/of-6', ['n6']);
    guest.write('data', 'x');
    for (const path of ['/', '/shared/of-5/of-6', '/shared/of-5/none', '@releaseDomain'])
      admin.watch(path, 't');
    admin.takeEvents();
    server.release(5);
    expect(admin.takeEvents()).toEqual([
      '/local/domain/5 t',
      '/shared/of-5/of-6 t',
      '/shared/of-5 t',
      '@releaseDomain t',
    ]);
    expect(server.directory('/shared')).toEqual(['of-0']);
    expect(server.directory('/local/domain')).toEqual(['6']);
    expect(admin.getPerms('/shared')).toBe('n0\0b5\0r6\0');
  });

  test('at its end its connections are, and their owner is told', () => {
    server.introduce(5);
    const onReleased = jest.fn();
    const answers: Packet[] = [];
    const send = (packet: Packet) => answers.push(packet);
    const connection = server.connect({ domid: 5, privileged: false, send, onReleased });
    server.release(5);
    expect(onReleased).toHaveBeenCalledTimes(1);
    expect(connection.closed).toBe(true);
    connection.handle({ type: 10, reqId: 1, txId: 0, payload: Buffer.from('0\0') });
    expect(answers).toEqual([]);
  });

  test('a later domain of the same number has nothing of its forerunner', () => {
    const first = newDomain(server, 5);
    server.mkdir('/shared');
    server.setPerms('/shared', ['n0', 'b5']);
    expect(first.write('/shared/x', '1')).toBe('OK');
    server.release(5);
    const second = newDomain(server, 5);
    expect(second.write('/shared/x', '1')).toBe('EACCES');
    expect(second.read('/shared')).toBe('EACCES');
    server.setPerms('/shared', ['n0', 'b5']);
    expect(second.write('/shared/x', '1')).toBe('OK');
  });

  test('a transaction cannot leave it a node after its end', () => {
    newDomain(server, 5);
    const tx = admin.start();
    admin.write('/a', '', tx);
    expect(admin.setPerms('/a', 'n5', tx)).toBe('OK');
    server.release(5);
    expect(admin.end(tx)).toBe('EAGAIN');
    expect(admin.read('/a')).toBe('ENOENT');
  });

  test('the root stays at its end, even when the domain owned it', () => {
    server.introduce(5);
    server.setPerms('/', ['n5']);
    server.release(5);
    expect(server.directory('/')).toEqual(['tool']);
    expect(new Requester(server, 5).read('/')).toBe('EACCES');
  });

  test('INTRODUCE is for domains the hypervisor has', () => {
    expect(admin.ask(XS_INTRODUCE, '5\x001\x007\0')).toBe('EINVAL');
    const other = new XenstoreServer({ domainExists: (domid) => domid === 5 });
    const tool = new Requester(other);
    tool.write('/a', '');
    // A toolstack prepares the nodes of a domain before it introduces it.
    expect(tool.setPerms('/a', 'n5')).toBe('OK');
    expect(tool.ask(XS_INTRODUCE, '5\x001\x007\0')).toBe('OK\0');
    expect(new Requester(other, 5).write('/a', 'x')).toBe('OK');
  });

  test('INTRODUCE of domain 0 takes no watches from its many clients', () => {
    admin.watch('/w');
    expect(admin.ask(XS_INTRODUCE, '0\x001\x007\0')).toBe('OK\0');
    admin.takeEvents();
    server.write('/w', '');
    expect(admin.takeEvents()).toEqual(['/w t']);
  });
});

describe('the end of a connection', () => {
  test('takes its watches and transactions, and those of no other', () => {
    const guest = newDomain(server, 5);
    const other = new Requester(server, 5);
    for (const each of [guest, other]) each.watch('w');
    guest.start();
    const kept = other.start();
    guest.connection.close();
    guest.connection.close();
    for (const each of [guest, other]) each.takeEvents();
    server.write('/local/domain/5/w', 'x');
    expect(guest.takeEvents()).toEqual([]);
    expect(other.takeEvents()).toEqual(['w t']);
    expect(admin.ask(XS_CONTROL, 'quota\x005\0')).toMatch(/watches +: +1\ntransactions +: +1\n/);
    expect(other.end(kept)).toBe('OK');
    expect(guest.ask(2, 'w\0')).toBeUndefined();
  });

  test('may come from within the sending of an event', () => {
    const seen: string[] = [];
    let closing = false;
    const connection = server.connect({
      domid: 0,
      privileged: true,
      send: ({ payload }) => {
        seen.push(payload.toString());
        if (closing) connection.close();
      },
    });
    for (const token of ['1', '2']) {
      connection.handle({ type: 4, reqId: 1, txId: 0, payload: Buffer.from(`/w\0${token}\0`) });
    }
    admin.watch('/w');
    admin.takeEvents();
    seen.length = 0;
    closing = true;
    server.write('/w', 'x');
    expect(seen).toEqual(['/w\x001\0']);
    expect(admin.takeEvents()).toEqual(['/w t']);
  });

  test('RESET_WATCHES does as much to one that goes on', () => {
    const guest = newDomain(server, 5);
    guest.watch('w');
    const tx = guest.start();
    expect(guest.ask(XS_RESET_WATCHES, '\0')).toBe('OK\0');
    guest.takeEvents();
    guest.write('w', 'x');
    expect(guest.takeEvents()).toEqual([]);
    expect(guest.end(tx)).toBe('ENOENT');
    expect(guest.watch('w')).toBe('OK');
  });
});

describe('what an unprivileged watcher sees', () => {
  let guest: Requester;

  beforeEach(() => {
    guest = newDomain(server, 5);
    server.mkdir('/p');
    guest.watch('/p');
    guest.takeEvents();
  });

  const seen = (change: () => void) => {
    change();
    return guest.takeEvents();
  };

  test.each(['n0', 'w0', 'n0 w5', 'r0 n5'])('nothing of a node with %s', (perms) => {
    server.setPerms('/p', perms.split(' '));
    guest.takeEvents();
    expect(seen(() => server.write('/p', '1'))).toEqual([]);
    expect(seen(() => server.write('/p/x', '1'))).toEqual([]);
    expect(seen(() => server.rm('/p'))).toEqual([]);
  });

  test.each(['r0', 'b0', 'n0 r5', 'n5'])('all of a node with %s', (perms) => {
    expect(seen(() => server.setPerms('/p', perms.split(' ')))).toEqual(['/p t']);
    expect(seen(() => server.write('/p', '1'))).toEqual(['/p t']);
    expect(seen(() => server.write('/p/x', '1'))).toEqual(['/p/x t']);
    expect(seen(() => server.rm('/p'))).toEqual(['/p t']);
  });

  test('that a node becomes readable, and once more when it no longer is', () => {
    expect(seen(() => server.setPerms('/p', ['n0', 'r5']))).toEqual(['/p t']);
    expect(seen(() => server.setPerms('/p', ['n0']))).toEqual(['/p t']);
    expect(seen(() => server.setPerms('/p', ['n0']))).toEqual([]);
  });

  test('the same of a transaction', () => {
    server.write('/p/a', '');
    server.setPerms('/p/a', ['r0']);
    guest.takeEvents();
    const tx = admin.start();
    admin.write('/p/a', '1', tx);
    admin.write('/p/b', '1', tx);
    admin.write('/p/c', '1', tx);
    admin.setPerms('/p/c', 'r0', tx);
    admin.rm('/p/a', tx);
    expect(guest.takeEvents()).toEqual([]);
    expect(seen(() => admin.end(tx))).toEqual(['/p/a t', '/p/c t']);
  });

  test('of domains coming and going only what it is given leave to see', () => {
    guest.watch('@introduceDomain');
    expect(guest.takeEvents()).toEqual(['@introduceDomain t']);
    expect(seen(() => server.introduce(6))).toEqual([]);
    expect(guest.setPerms('@introduceDomain', 'n0 r5')).toBe('ENOENT');
    expect(admin.setPerms('@introduceDomain', 'n0 r5')).toBe('OK');
    expect(seen(() => server.introduce(7))).toEqual(['@introduceDomain t']);
  });
});

describe('quotas', () => {
  const small = {
    nodes: 4,
    watches: 2,
    transactions: 1,
    transactionNodes: 5,
    permissions: 2,
    outstanding: 20,
    nodeSize: 64,
    memory: 400,
  };
  let guest: Requester;

  beforeEach(() => {
    server = new XenstoreServer({ quota: small });
    admin = new Requester(server);
    guest = newDomain(server, 5);
  });

  test('of nodes, the home included', () => {
    expect(['a', 'b', 'c', 'd'].map((path) => guest.write(path, ''))).toEqual(['OK', 'OK', 'OK', 'ENOSPC']);
    expect(guest.write('a', 'again')).toBe('OK');
    expect(guest.rm('a')).toBe('OK');
    expect(guest.mkdir('x/y')).toBe('ENOSPC');
    expect(guest.directory('/local/domain/5')).toBe('b\0c\0');
    expect(guest.mkdir('x')).toBe('OK');
  });

  test('of nodes again at the commit, since transactions do not see one another', () => {
    const one = guest.start();
    expect(guest.write('a', '', one)).toBe('OK');
    expect(guest.write('b', '', one)).toBe('OK');
    server.mkdir('/elsewhere');
    server.setPerms('/elsewhere', ['b0']);
    expect(guest.write('/elsewhere/c', '')).toBe('OK');
    expect(guest.write('/elsewhere/d', '')).toBe('OK');
    expect(guest.end(one)).toBe('ENOSPC');
    expect(guest.read('a')).toBe('ENOENT');
  });

  test('of watches, of which one more gets in', () => {
    expect(['a', 'b', 'c', 'd'].map((path) => guest.watch(path))).toEqual(['OK', 'OK', 'OK', 'E2BIG']);
    expect(guest.unwatch('a')).toBe('OK');
    expect(guest.watch('d')).toBe('OK');
  });

  test('of transactions, of which one more gets in', () => {
    expect([guest.start(), guest.start(), guest.start()]).toEqual([1, 2, Number.NaN]);
    expect(guest.end(1)).toBe('OK');
    expect(guest.start()).toBe(3);
  });

  test('of nodes touched by a transaction', () => {
    const tx = guest.start();
    // The home, in which each is looked for, is one of the five.
    const reads = ['a', 'b', 'c', 'd', 'e'].map((path) => guest.read(path, tx));
    expect(reads).toEqual(['ENOENT', 'ENOENT', 'ENOENT', 'ENOENT', 'ENOSPC']);
    expect(guest.end(tx)).toBe('ENOMEM');
  });

  test('of permission entries', () => {
    guest.write('a', '');
    expect(guest.setPerms('a', 'n5 r0')).toBe('OK');
    expect(guest.setPerms('a', 'n5 r0 r1')).toBe('ENOSPC');
    expect(admin.setPerms('/local/domain/5/a', 'n5 r0 r1')).toBe('OK');
  });

  test.each([31, 32])('of the size of a node: a value of %i bytes', (length) => {
    // 24 for the node and 8 for its one permission entry, which leaves less than 32.
    expect(guest.write('a', 'v'.repeat(length))).toBe(length < 32 ? 'OK' : 'ENOSPC');
  });

  test('of the size of a directory, by the names in it, and of a node, by its permissions', () => {
    expect(guest.write('n'.repeat(31), '')).toBe('ENOSPC');
    expect(guest.write('n'.repeat(30), '')).toBe('OK');
    expect(guest.write('x', '')).toBe('ENOSPC');
    const other = newDomain(server, 6);
    expect(other.write('a', 'v'.repeat(24))).toBe('OK');
    expect(other.setPerms('a', 'n6 r0')).toBe('ENOSPC');
    expect(other.write('a', 'v'.repeat(23))).toBe('OK');
    expect(other.setPerms('a', 'n6 r0')).toBe('OK');
  });

  test('of memory, which paths, nodes and watches take; less can always be written', () => {
    server = new XenstoreServer({ quota: { ...small, nodeSize: 4096 } });
    guest = newDomain(server, 5);
    // Home: 15 + 32, and 2 for the name; the node: 17 + 32 + value.
    expect(guest.write('a', 'v'.repeat(400 - 47 - 2 - 49 + 1))).toBe('ENOMEM');
    expect(guest.write('a', 'v'.repeat(400 - 47 - 2 - 49))).toBe('OK');
    expect(guest.watch('a')).toBe('ENOMEM');
    expect(guest.write('b', '')).toBe('ENOMEM');
    expect(guest.write('a', 'v')).toBe('OK');
    expect(guest.watch('a')).toBe('OK');
  });

  test('do not bind domain 0, also not in the home of another', () => {
    for (let i = 0; i < 10; i += 1) expect(admin.write(`/local/domain/5/${i}`, 'v'.repeat(100))).toBe('OK');
    for (let i = 0; i < 10; i += 1) expect(admin.watch(`/w${i}`)).toBe('OK');
    for (let i = 1; i < 10; i += 1) expect(admin.start()).toBe(i);
    for (let i = 0; i < 10; i += 1) expect(admin.read(`/w${i}`, 1)).toBe('ENOENT');
    expect(guest.write('x', '')).toBe('ENOSPC');
  });
});

describe('CONTROL', () => {
  test('help tells of every command', () => {
    expect(admin.ask(XS_CONTROL, 'help\0')).toBe('quota\t[set <name> <val>|<domid>]\nhelp\t\n\0');
  });

  test('quota tells what a domain may use up, as xenstored does', () => {
    expect(admin.ask(XS_CONTROL, 'quota\0')?.split('\n')).toEqual([
      'Quota settings:',
      'nodes            :     1000 Nodes per domain',
      'watches          :      128 Watches per domain',
      'transactions     :       10 Transactions per domain',
      'outstanding      :       20 Outstanding requests per domain',
      'transaction-nodes:     1024 Max. number of accessed nodes per transaction',
      'memory           :  2621440 Total Xenstore memory per domain (error level)',
      'node-size        :     2048 Max. size of a node',
      'path-max         :     2048 Max. length of a node path',
      'permissions      :        5 Max. number of permissions per node',
      '\0',
    ]);
  });

  test('quota set holds from then on, for every domain', () => {
    const guest = newDomain(server, 5);
    expect(guest.write('a', '')).toBe('OK');
    expect(admin.ask(XS_CONTROL, 'quota\0set\0nodes\x002\0')).toBe('OK\0');
    expect(guest.write('b', '')).toBe('ENOSPC');
    expect(guest.write('a', 'x')).toBe('OK');
    expect(admin.ask(XS_CONTROL, 'quota\0')).toContain('nodes            :        2 ');
  });

  test.each([
    ['quota\x0099\0', 'ENOENT'],
    ['quota\0set\0nodes\0', 'EINVAL'],
    ['quota\0set\0bogus\x001\0', 'EINVAL'],
    ['quota\0set\0nodes\x00x\0', 'EINVAL'],
    ['quota\0set\0nodes\x000\0', 'EINVAL'],
    ['quota\0set\0nodes\x001\x002\0', 'EINVAL'],
    ['quota\x005\x006\0', 'EINVAL'],
    ['help\0x\0', 'EINVAL'],
    ['check\0', 'EINVAL'],
    ['bogus\0', 'EINVAL'],
    ['\0', 'EINVAL'],
    ['', 'EINVAL'],
  ])('%j is answered with %s', (payload, answer) => {
    expect(admin.ask(XS_CONTROL, payload)).toBe(answer);
  });
});

test('hypercalls are not for this server', () => {
  expect(admin.ask(FIRST_HYPERCALL, '\0')).toBe('ENOSYS');
});

test('an answer over 4096 bytes is E2BIG, one of 4096 is not', () => {
  const name = 'n'.repeat(62);
  for (let i = 10; i < 73; i += 1) server.mkdir(`/d/${name.slice(2)}${i}x`);
  expect(admin.directory('/d')).toHaveLength(63 * 64);
  server.mkdir(`/d/${'m'.repeat(63)}`);
  expect(admin.directory('/d')).toHaveLength(4096);
  server.mkdir('/d/x');
  expect(admin.directory('/d')).toBe('E2BIG');
});

test.each([
  ['before', true],
  ['after', false],
])('RELEASE is answered %s its events, if the domain came right after who asks: %p', (_, isNext) => {
  const order: number[] = [];
  const connection = server.connect({ domid: 0, privileged: true, send: ({ type }) => order.push(type) });
  if (!isNext) new Requester(server);
  server.introduce(5);
  connection.handle({ type: 4, reqId: 1, txId: 0, payload: Buffer.from('@releaseDomain\0t\0') });
  order.length = 0;
  connection.handle({ type: XS_RELEASE, reqId: 2, txId: 0, payload: Buffer.from('5\0') });
  expect(order).toEqual(isNext ? [XS_RELEASE, 15] : [15, XS_RELEASE]);
});
