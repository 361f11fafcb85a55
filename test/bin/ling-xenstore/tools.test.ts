/** Every command beside its relative of Debian's xenstore-utils, each on a box of its own with the same content. */
import type { XenstoreClient } from '#xen/xenstore/client';
import { Box } from '../../support/box';
import {
  contents,
  LING_XENSTORE,
  lingXenstore,
  onTerminal,
  seen,
  xenTool,
} from '../../support/ling-xenstore';
import type { Ended } from '../../support/run';

let boxes: [theirs: Box, ours: Box];
let stores: XenstoreClient[];

beforeAll(async () => {
  boxes = [new Box(), new Box()];
  await Promise.all(boxes.map((box) => box.boot({ name: 'guest' })));
  stores = boxes.map((box) => box.client('socket'));
});
afterAll(async () => {
  await Promise.all(boxes.map((box) => box.close()));
});

const GUEST = 1;
const ALL_BYTES = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
const LONG = 'n'.repeat(90);

/** Values and permissions. Domain 0, as whom the tools come, is at home in /local/domain/0. */
const TREE: Readonly<Record<string, [value: string | Buffer, permissions: string[]]>> = {
  '/t/one': ['1', ['n0']],
  '/t/empty': ['', [`n${GUEST}`, 'r0']],
  '/t/text': ['two words, "quotes" and \\', ['b0', `w${GUEST}`]],
  '/t/binary': [ALL_BYTES, ['n0', `r${GUEST}`]],
  '/t/bad-utf8': [Buffer.from([0x61, 0xff, 0xfe, 0x62]), ['n0']],
  '/t/deep': ['', [`r${GUEST}`]],
  '/t/deep/er/est': ['x', ['n0']],
  '/t/Z': ['not sorted', ['n0']],
  '/t/A@-_': ['nor this', ['n0']],
  '/t/valued': ['v', ['n0']],
  '/t/valued/leaf': ['', ['n0']],
  // Around the width from which on values and names are cut.
  ...Object.fromEntries(
    [59, 60, 61, 68, 69, 70, 71, 72, 73, 150].map((length) => [
      `/t/wide/v${length}`,
      ['x'.repeat(length), ['n0']],
    ]),
  ),
  '/t/wide/lines': ['\n'.repeat(75), ['n0']],
  [`/t/wide/${LONG}`]: ['', ['n0']],
  [`/t/wide/d/e/${LONG}`]: ['value', ['n0']],
  '/local/domain/0/rel': ['relative', ['n0']],
  '/local/domain/0/rel/a/b': ['', ['n0']],
};

async function plant(store: XenstoreClient): Promise<void> {
  for (const top of ['/t', '/new', '/local/domain/0']) await store.rm(top).catch(() => {});
  await store.setPerms('/', ['n0']);
  for (const [path, [value, permissions]] of Object.entries(TREE)) {
    await store.write(path, value);
    await store.setPerms(path, permissions);
  }
}

/** As domain 0, or as a new guest. */
function envOf({ rundir }: Box, who: Who): Record<string, string> {
  return who === 'guest' ? { XENSTORED_PATH: `${rundir}/domain` } : { XENSTORED_RUNDIR: rundir };
}
type Who = 'domain 0' | 'guest';

/** What theirs and ours do; each case has its arguments in it, for the report. */
async function compare(who: Who, command: string, args: readonly string[]): Promise<void> {
  const [theirs, ours] = await runBoth(who, command, args);
  const said = ours.stderr;
  expect({ command, args, ...seen(ours), said }).toEqual({ command, args, ...seen(theirs), said });
}

function runBoth(who: Who, command: string, args: readonly string[]): Promise<[theirs: Ended, ours: Ended]> {
  return Promise.all([
    xenTool(envOf(boxes[0], who), command, ...args),
    lingXenstore(envOf(boxes[1], who), command, ...args),
  ]);
}

/** A command as it is typed. */
function parse(line: string): [command: string, args: string[]] {
  const [command = '', ...args] = line.split(' ');
  return [command, args];
}

const PATHS: readonly (readonly string[])[] = [
  ['/'],
  ['/t'],
  ['/t/one'],
  ['/t/binary'],
  ['/missing/below'],
  ['/t/'],
  [''],
  ['bad path'],
  ['rel'],
  ['@releaseDomain'],
  ['/t/one', '/t/empty', '/t/bad-utf8', '/t/text', '/t'],
  ['/t/one', '/missing', '/t/empty'],
  ['/missing', '/t/one'],
];

describe('what only looks', () => {
  beforeAll(() => Promise.all(stores.map(plant)));

  test.each([
    ...['ls', 'ls -f', 'ls -p', 'ls -fp'],
    ...['read', 'read -p', 'read -R', 'read -p -R'],
    ...['list', 'list -p', 'exists'],
  ])('%s, of every kind of path', async (line) => {
    const [command, flags] = parse(line);
    for (const paths of PATHS) await compare('domain 0', command, [...flags, ...paths]);
  });

  test.each([
    ...['ls', 'ls --flat --prefix /t', 'ls /t -f', 'ls -s -- /t'],
    ...[
      'read --raw --prefix /t/one',
      'read /t/one -sp',
      'list --prefix /t',
      'list -ps -p /t',
      'exists -s /t',
    ],
    ...['watch -n 1 /t', 'watch -n1 @releaseDomain', 'watch --number=2 /missing rel'],
    ...['watch -s --number 0 /t', 'watch -n 1 /t bad//path'],
  ])('%s', (line) => compare('domain 0', ...parse(line)));

  test.each([
    ...['read', 'list', 'exists', 'rm', 'write', 'chmod', 'watch'],
    ...['ls -n 1', 'ls --raw', 'list -R /t', 'exists -p /t', 'rm -f /t', 'watch -n', 'watch -f /t'],
    ...['write /t', 'write /new 1 /new/odd', 'chmod /t', 'chmod /t q0', 'chmod -x', 'read --nonsense'],
  ])('is used wrongly, which ours tells by another status: %s', async (line) => {
    const [theirs, ours] = await runBoth('domain 0', ...parse(line));
    expect(theirs).toMatchObject({ status: 1, stdout: '' });
    expect(ours).toMatchObject({
      status: 2,
      stdout: '',
      stderr: expect.stringMatching(/^ling-xenstore: .*\n$/),
    });
  });

  test.each(['ls', 'ls -f', 'ls -p', 'ls -fp', 'list', 'read', 'exists'])(
    'a guest that may not see everything: %s',
    async (line) => {
      const [command, flags] = parse(line);
      for (const path of ['/t', '/t/binary', '/t/deep/missing', '/local/domain', 'data'])
        await compare('guest', command, [...flags, path]);
    },
  );

  test.each([
    ...['write /new 1', 'rm /t/one', 'rm -t /t/one', 'chmod /t/one n0', 'watch -n 1 /t', 'write data/x 1'],
  ])('a guest that may not do everything: %s', (line) => compare('guest', ...parse(line)));

  // A terminal's width decides what is cut, and where permissions are.
  test.each([0, 20, 61, 62, 63, 100])('ls on a terminal of %i columns', async (columns) => {
    for (const flags of ['-s', '-f', '-p', '-fp']) {
      const onTheirs = onTerminal(columns, 24, envOf(boxes[0], 'domain 0'), 'xenstore-ls', flags, '/t');
      const program = [process.execPath, LING_XENSTORE, 'ls', flags, '/t'];
      const onOurs = onTerminal(columns, 24, envOf(boxes[1], 'domain 0'), ...program);
      expect([await onTheirs.end(), await onOurs.end()]).toEqual([0, 0]);
      expect(`${flags}\n${onOurs.printed}`).toBe(`${flags}\n${onTheirs.printed}`);
    }
  });
});

describe('what changes something', () => {
  async function compareChange(command: string, args: readonly string[]): Promise<void> {
    await Promise.all(stores.map(plant));
    await compare('domain 0', command, args);
    const [theirs, ours] = await Promise.all(stores.map((store) => contents(store)));
    expect({ args, ...ours }).toEqual({ args, ...theirs });
  }

  test.each(['rm', 'rm -t'])('%s', async (line) => {
    const [command, flags] = parse(line);
    const deep = [['/t/deep/er/est'], ['/t/deep/er/missing'], ['/t/valued/leaf'], ['rel/a/b'], ['rel']];
    for (const paths of [...PATHS, ...deep]) await compareChange(command, [...flags, ...paths]);
  });

  test.each(['rm --tidy /t/deep/er/est', 'rm -st /t/one /t/deep/er'])('%s', (line) =>
    compareChange(...parse(line)),
  );

  const TEXTS = [
    ...[
      '',
      'plain',
      '\u00fcn\u00efcode',
      ' ',
      '"',
      "'",
      '-',
      '--',
      '\\',
      'a\\',
      '\\\\',
      '\\n\\t\\r',
      '\\"\\\'',
      '\\q',
    ],
    ...['\\x', '\\x4', '\\x41', '\\x414', '\\xfF', '\\x4g', '\\x00', '\\xg'],
    ...['\\0', '\\7', '\\07', '\\101', '\\1011', '\\377', '\\400', '\\777', '\\8', '\\19', 'tab\t\n'],
  ];
  // All in one, as each value is seen by itself.
  test.each(['-s', '-R', '--raw'])('write %s', (flag) =>
    compareChange('write', [flag, '--', ...TEXTS.flatMap((text, i) => [`/new/${i}`, text])]),
  );

  test.each([
    [['/t/one', 'new', '/t/text', '']],
    [['/new/a', '1', '/new/a', '2', '/new/a/b', '3']],
    [['/new/a', '1', 'bad path', '2']],
    [['bad path', '1', '/new/a', '2']],
    [['/', '']],
    [['', '1']],
    [['rel/new', '1']],
    [['@releaseDomain', '1']],
    [['/new', 'x'.repeat(4091)]],
    [['/new', 'x'.repeat(4092)]],
    [['/new/a', '1', '/new', 'x'.repeat(5000)]],
  ])('write %.40j', (words) => compareChange('write', words));

  test.each([[[]], [['-r']], [['-u']], [['-s', '-ru']]])('chmod %j', async (flags) => {
    const absolute = ['/t/deep', '/t/deep/er/est', '/missing', 'bad path'];
    const paths = flags.join('').includes('u') ? absolute : [...absolute, 'rel'];
    for (const path of paths) await compareChange('chmod', [...flags, path, 'n0', `b${GUEST}`]);
  });

  test.each(['n0', 'r0', 'w1', 'b1 n0', 'n0 r1 w2 b3', 'n0 r40000', 'r5', 'n0 r1 r1'])(
    'chmod to %s',
    (modes) => compareChange('chmod', ['--recurse', '--upto', '/t/deep/er', ...modes.split(' ')]),
  );
});

describe('what is not the same', () => {
  beforeEach(() => Promise.all(stores.map(plant)));

  function runLine(line: string): Promise<[theirs: Ended, ours: Ended]> {
    return runBoth('domain 0', ...parse(line));
  }

  test.each(['ls', 'read', 'watch'])('%s -h is no failure, and goes to stdout', async (command) => {
    const [theirs, ours] = await runLine(`${command} -h`);
    expect(theirs).toMatchObject({ status: 1, stdout: '' });
    expect(ours).toMatchObject({ status: 0, stderr: '' });
    expect(ours.stdout).toMatch(new RegExp(`^Usage: ling-xenstore ${command} `));
  });

  // Xen's complain and go on.
  test.each([
    ...['ls -x /t', 'ls --nonsense /t', 'read -x /t', 'list -x /t', 'watch -x -n 0 /t'],
    ...['write --nonsense /t 1', 'rm -x /t'],
  ])('an option that there is not is refused: %s', async (line) => {
    const [theirs, ours] = await runLine(line);
    expect(theirs).toMatchObject({ status: 0, stderr: expect.stringMatching('option') });
    expect(ours).toMatchObject({
      status: 2,
      stdout: '',
      stderr: expect.stringMatching('^ling-xenstore: unknown option .*\n$'),
    });
  });

  test.each([...['watch -n nonsense /t', 'watch -n 0x /t', 'chmod /t n', 'chmod /t nx', 'chmod /t n0,r1']])(
    'what is no number is refused: %s',
    async (line) => {
      const [theirs, ours] = await runLine(line);
      expect(theirs.status).toBe(0);
      expect(ours).toMatchObject({
        status: 2,
        stdout: '',
        stderr: expect.stringMatching('^ling-xenstore: .* is invalid.*\n$'),
      });
    },
  );

  test('chmod -r works on / as well', async () => {
    const store = stores[1] as XenstoreClient;
    const paths = Object.keys(await contents(store));
    const before = await Promise.all(paths.map((path) => store.getPerms(path)));
    const [theirs, ours] = await runLine('chmod -r / n0 r0');
    expect([theirs.status, ours.status]).toEqual([1, 0]);
    for (const path of paths) expect([path, await store.getPerms(path)]).toEqual([path, ['n0', 'r0']]);
    await Promise.all(paths.map((path, i) => store.setPerms(path, before[i] as string[])));
  });

  test('chmod -u works with a relative path as well, and chmod without any path fails', async () => {
    const results = [await runLine('chmod -u rel/a n0 r1'), await runLine('chmod  n0 r1')];
    expect(results.map((ended) => ended.map(({ status }) => status))).toEqual([
      [1, 0],
      [0, 1],
    ]);
    expect(await stores[1]?.getPerms('/local/domain/0/rel')).toEqual(['n0', 'r1']);
  });

  test('a value may be a negative number', async () => {
    const [theirs, ours] = await runLine('write /new -5');
    expect([theirs.status, ours.status]).toEqual([1, 0]);
    expect(await stores[1]?.readString('/new')).toBe('-5');
  });
});
