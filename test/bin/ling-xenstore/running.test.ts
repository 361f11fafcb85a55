/** How commands find a Xenstore, go on, and end. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { XenstoreClient } from '#xen/xenstore/client';
import { Box } from '../../support/box';
import {
  type Env,
  LING_XENSTORE,
  lingXenstore,
  onTerminal,
  Running,
  xenTool,
} from '../../support/ling-xenstore';
import { processesWith } from '../../support/residue';

let box: Box;
let store: XenstoreClient;
let env: Env;

beforeAll(async () => {
  box = new Box();
  await box.boot({ name: 'guest' });
  store = box.client('socket');
  env = { XENSTORED_RUNDIR: box.rundir };
});
afterAll(() => box.close());
beforeEach(async () => {
  await store.rm('/t');
  await store.write('/t/a', '1');
});

describe('where it connects to', () => {
  const NOWHERE = '/nowhere';

  // What is found in each place: a box, or none. The first that is named counts.
  test.each([true, false])('--rundir before all: %s', async (works) => {
    const [rundir, other] = works ? [box.rundir, NOWHERE] : [NOWHERE, box.rundir];
    const others = { XENSTORED_PATH: `${other}/socket`, XENSTORED_RUNDIR: other };
    for (const args of [
      ['ls', '/t', '--rundir', rundir],
      ['--rundir', rundir, 'ls', '/t'],
    ]) {
      expect((await lingXenstore(others, ...args)).status).toBe(works ? 0 : 1);
    }
  });

  test.each([true, false])('then $XENSTORED_PATH, $XENSTORED_RUNDIR, as Xen has it: %s', async (works) => {
    const [there, other] = works ? [box.rundir, NOWHERE] : [NOWHERE, box.rundir];
    for (const places of [
      { XENSTORED_PATH: `${there}/socket`, XENSTORED_RUNDIR: other },
      { XENSTORED_PATH: '', XENSTORED_RUNDIR: there },
    ]) {
      const ours = await lingXenstore(places, 'list', '/t');
      expect(ours.status).toBe(works ? 0 : 1);
      // Theirs does not take an empty path for none.
      if (places.XENSTORED_PATH) expect((await xenTool(places, 'list', '/t')).stdout).toBe(ours.stdout);
    }
  });

  test('then the directory where lingd listens by default, which has to be its user alone', async () => {
    const places = { XENSTORED_PATH: '', XENSTORED_RUNDIR: '' };
    const parent = fs.mkdtempSync('/tmp/lt-');
    const directory = `${parent}/ling-tubes`;
    fs.symlinkSync(box.rundir, directory);
    const there = { ...places, XDG_RUNTIME_DIR: parent };
    expect((await lingXenstore(there, 'list', '/t')).stdout).toBe('a\n');
    fs.unlinkSync(directory);
    fs.mkdirSync(directory);
    fs.chmodSync(directory, 0o777);
    const { status, stderr } = await lingXenstore(there, 'list', '/t');
    expect([status, stderr]).toEqual([1, expect.stringContaining('can be written by other users')]);
    fs.rmSync(parent, { recursive: true });
  });

  test('starts no lingd, and says where none is', async () => {
    const { status, stdout, stderr } = await lingXenstore(env, 'ls', '--rundir', NOWHERE);
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toContain(`no Xenstore answers at ${NOWHERE}/socket`);
    expect(processesWith(NOWHERE)).toEqual([]);
  });
});

describe('the end', () => {
  const MANY = 3000;

  test('of who reads what it prints is its own, and quiet', async () => {
    for (let i = 0; i < MANY; i += 1) await store.write(`/t/long/${i}`, 'x'.repeat(60));
    const line = `set -o pipefail; "${process.execPath}" "${LING_XENSTORE}" ls -f /t | head -n 1`;
    const shell = spawn('bash', ['-c', line], { env: { ...process.env, ...env } });
    let [printed, complaints] = ['', ''];
    shell.stdout.on('data', (text) => (printed += text));
    shell.stderr.on('data', (text) => (complaints += text));
    // As a program that SIGPIPE has ended.
    expect(await once(shell, 'close')).toEqual([141, null]);
    expect([printed, complaints]).toEqual(['/t/a = "1"\n', '']);
  });

  test('a device that is full is a failure', async () => {
    const line = `"${process.execPath}" "${LING_XENSTORE}" ls /t > /dev/full`;
    const shell = spawn('bash', ['-c', line], { env: { ...process.env, ...env } });
    let complaints = '';
    shell.stderr.on('data', (text) => (complaints += text));
    expect(await once(shell, 'close')).toEqual([1, null]);
    expect(complaints).toMatch(/^ling-xenstore: stdout: ENOSPC.*\n$/);
  });

  test.each(['SIGINT', 'SIGTERM'] as const)('by %s is quiet', async (signal) => {
    for (const args of [
      ['watch', '/t'],
      ['ls', '--follow', '/t'],
      ['tubes', '--follow'],
    ]) {
      const running = Running.lingXenstore(env, ...args);
      const printed = await running.until((text) => text !== '');
      expect(await running.kill(signal)).toBe(signal);
      expect(running.printed).toBe(printed);
    }
  });

  test('of the Xenstore is a failure', async () => {
    const other = new Box();
    const lingd = await other.lingd();
    const commands = [
      ['watch', '/'],
      ['ls', '--follow', '/'],
      ['tubes', '--follow'],
    ];
    const all = commands.map((args) => Running.lingXenstore({ XENSTORED_RUNDIR: other.rundir }, ...args));
    await Promise.all(all.map((running) => running.until((text) => text !== '')));
    lingd.kill('SIGTERM');
    for (const running of all) {
      expect(await running.end()).toBe(1);
      expect(running.printed).toMatch(/\nling-xenstore: the Xenstore has closed the connection\n$/);
    }
    await other.close();
  });
});

describe('ls --follow', () => {
  test('prints all again, after an empty line, when something has changed, and only then', async () => {
    const running = Running.lingXenstore(env, 'ls', '--follow', '/missing', '/t');
    await running.until((text) => text === 'a = "1"\n');
    await store.write('/t/a', '2');
    await running.until((text) => text.endsWith('\n\na = "2"\n'));
    await store.write('/elsewhere', '1');
    // A change, but nothing looks otherwise.
    await store.write('/t/a', '2');
    await store.setPerms('/t/a', ['r0']);
    await sleep(300);
    await store.write('/missing/b', '3');
    await running.until((text) => text.includes('b = "3"'));
    await store.rm('/missing');
    await store.rm('/t/a');
    await running.until((text) => text.endsWith('\n\n'));
    await running.kill('SIGINT');
    expect(running.printed).toMatch(/^a = "1"\n\na = "2"\n\nb = "3"\na = "2"\n\n(a = "2"\n\n)?$/);
    await store.rm('/elsewhere');
  });

  test('of many changes shows the last, and not each', async () => {
    const running = Running.lingXenstore(env, 'ls', '--follow', '--json', '/t');
    await running.until((text) => text !== '');
    for (let i = 0; i <= 2000; i += 1) await store.write('/t/a', String(i));
    await running.until((text) => text.includes('"2000"'));
    await running.kill('SIGINT');
    const documents = running.printed.trimEnd().split('\n');
    const values = documents.map((document) => JSON.parse(document)[0].value as string);
    expect(values[0]).toBe('1');
    expect(values.at(-1)).toBe('2000');
    expect(values.length).toBeLessThan(1000);
    const numbers = values.slice(1).map(Number);
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
  });

  test('a terminal is drawn anew in place, as many lines as it has', async () => {
    for (let i = 0; i < 10; i += 1) await store.write(`/t/n${i}`, '');
    const program = [process.execPath, LING_XENSTORE, 'ls', '--follow', '/t'];
    const running = onTerminal(80, 5, env, ...program);
    const lines = ['a = "1"', 'n0 = ""', 'n1 = ""', 'n2 = ""', 'n3 = ""'];
    const screen = (first: string) =>
      `\x1b[?7l\x1b[H${[first, ...lines.slice(1)].join('\x1b[K\r\n')}\x1b[J\x1b[?7h`;
    await running.until((text) => text === screen('a = "1"'));
    await store.write('/t/a', '2');
    await running.until((text) => text === screen('a = "1"') + screen('a = "2"'));
    // Ctrl-C.
    running.child.stdin?.write('\x03');
    await running.end();
    expect(running.printed.slice((screen('a = "1"') + screen('a = "2"')).length)).toMatch(/^(\^C)?(\r\n)?$/);
  });
});

describe('while others write', () => {
  test.each(['read', 'list'])('%s shows one moment', async (command) => {
    await Promise.all(['/t/a', '/t/b'].map((path) => store.write(path, '0')));
    let goesOn = true;
    const writing = (async () => {
      for (let i = 0; goesOn; i += 1) {
        await store.transaction(async (tx) => {
          for (const path of ['/t/a', '/t/b']) {
            await store.write(path, String(i), tx);
            await store.rm(`${path}/${i - 1}`, tx);
            await store.mkdir(`${path}/${i}`, tx);
          }
        });
        await sleep(1);
      }
    })();
    const seen = new Set<string>();
    for (let i = 0; i < 5; i += 1) {
      const { status, stdout } = await lingXenstore(env, command, '/t/a', '/t/b');
      expect(status).toBe(0);
      const [first, second, ...others] = stdout.trimEnd().split('\n');
      expect([second, ...others]).toEqual([first]);
      seen.add(first as string);
    }
    goesOn = false;
    await writing;
    expect(seen.size).toBeGreaterThan(1);
  });

  test('rm -t, write and chmod are done all the same', async () => {
    let goesOn = true;
    const writing = (async () => {
      for (let i = 0; goesOn; i += 1) {
        await store.write('/t/busy', String(i));
        await sleep(1);
      }
    })();
    const commands = [
      ['write', '/t/x/y', '1', '/t/busy/below', '2'],
      ['chmod', '-r', '/t', 'n0', 'r0'],
      ['rm', '-t', '/t/x/y', '/t/busy/below'],
    ];
    for (const command of commands) expect((await lingXenstore(env, ...command)).status).toBe(0);
    goesOn = false;
    await writing;
    expect(await store.directory('/t')).toEqual(['a', 'busy']);
    expect(await store.getPerms('/t/a')).toEqual(['n0', 'r0']);
  });
});
