/** Programs that were written for Erlang's ports, in C++, with erl_interface, and in Erlang, which has to be installed. */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { binary_to_term, term_to_binary } from '#actors/external-term';
import type { Port } from '#actors/identifiers';
import { isTuple, list } from '#actors/term';
import type { PortRuntime } from '#ports/port-runtime';
import type { Self } from '#ports/self';
import { changesSince, eventually, holdings } from '../support/residue';
import { run } from '../support/run';
import { runProcess } from '../support/run-process';
import { programRuntime } from './program-world';

let directory: string;
let runtime: PortRuntime;
let before: string[];

beforeAll(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'lt-programs-'));
});
afterAll(() => rmSync(directory, { recursive: true }));
beforeEach(() => {
  before = holdings();
  runtime = programRuntime();
});
afterEach(async () => {
  runtime.stop();
  await eventually(() => changesSince(before), []);
});

const source = (name: string) => path.join(__dirname, 'programs', name);

async function compile(name: string, ...flags: string[]): Promise<string> {
  const program = path.join(directory, name);
  const args = ['-std=c++17', '-O1', '-Wall', source(name), '-o', program, ...flags];
  expect(await run('g++', args, { patience: 60_000 })).toMatchObject({ status: 0, stderr: '' });
  return program;
}

/** The next message of that port, without it. */
async function next(self: Self, port: Port): Promise<unknown> {
  const message = await self.receive((m): m is [Port, unknown] => isTuple(m) && m[0] === port, {
    after: 15_000,
  });
  return message?.[1];
}

test('a C++ program with {packet, 4}: packets of every size, in order, and its exit status', async () => {
  const reverse = await compile('reverse.cc');
  await runProcess(runtime, async (self) => {
    const port = self.open_port(['spawn_executable', reverse], ['binary', ['packet', 4], 'exit_status']);
    const packets = [1, 2, 4095, 4096, 65_531, 65_532, 65_533, 200_000, 3_000_000].map((size) =>
      Buffer.alloc(size, 'abcdefg'),
    );
    self.spawn_link(async (sender) => {
      for (const packet of packets) await sender.port_command(port, packet);
      await sender.port_command(port, '');
    });
    for (const packet of packets) {
      const [, data] = (await next(self, port)) as ['data', Buffer];
      expect(data.equals(Buffer.from(packet).reverse())).toBe(true);
    }
    expect(await next(self, port)).toEqual(['exit_status', 7]);
  });
}, 80_000);

test('a C++ program with erl_interface: terms there and back', async () => {
  const { stdout: lib } = await run('erl', [
    '-noshell',
    '-eval',
    'io:format("~s", [code:lib_dir(erl_interface)]), halt().',
  ]);
  const adder = await compile('adder.cc', `-I${lib}/include`, `-L${lib}/lib`, '-lei', '-pthread');
  await runProcess(runtime, async (self) => {
    const port = self.open_port(['spawn', adder], [['packet', 2], 'binary']);
    const ask = async (term: unknown) => {
      await self.port_command(port, term_to_binary(term));
      const [, data] = (await next(self, port)) as ['data', Buffer];
      return binary_to_term(data);
    };
    expect(await ask(['add', 40, 2])).toEqual(['ok', 42]);
    expect(await ask(['add', -1, 1])).toEqual(['ok', 0]);
    expect(await ask(list<unknown>(1, 'x'))).toEqual(['error', list<unknown>(1, 'x')]);
  });
}, 80_000);

test('an Erlang program: terms there and back, and it sees the end of its input when the port closes', async () => {
  const results = await runProcess(runtime, async (self) => {
    self.process_flag('trap_exit', true);
    const port = self.open_port(['spawn', `escript ${source('counter.escript')}`], [['packet', 2], 'binary']);
    const pid = (self.port_info(port, 'os_pid') as [string, number])[1];
    const answers: unknown[] = [];
    for (const term of ['a', ['b', 1.5], list(1, 2, 3)]) {
      await self.port_command(port, term_to_binary(term));
      const [, data] = (await next(self, port)) as ['data', Buffer];
      answers.push(binary_to_term(data));
    }
    self.port_close(port);
    return { pid, answers };
  });
  expect(results.answers).toEqual([
    [1, 'a'],
    [2, ['b', 1.5]],
    [3, list(1, 2, 3)],
  ]);
  await eventually(() => isRunning(results.pid), false);
}, 80_000);

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
