/** What OTP's own gen_statem does with each script of a product, ours has to do too. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Runtime } from '#actors/runtime';
import { list } from '#actors/term';
import { play, write } from '../fixtures/gen-statem/player';
import { type Case, ENTER_CALLS, EVENTS, INIT_ACTIONS, TIMERS } from '../fixtures/gen-statem/scripts';
import { run } from '../support/run';
import { runProcess } from '../support/run-process';

let directory: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'gen-statem-'));
  const source = join(__dirname, '../fixtures/gen-statem/statem_player.erl');
  const { status, stdout, stderr } = await run('erlc', ['-o', directory, source]);
  if (status !== 0) throw new Error(stdout + stderr);
});
afterAll(() => rmSync(directory, { recursive: true }));

test.each([
  ['every result to every kind of event', EVENTS],
  ['every result to a state enter call', ENTER_CALLS],
  ['every action of init', INIT_ACTIONS],
  ['timeouts that take time', TIMERS],
])('%s gives the trace that Erlang gives', async (_, cases) => {
  const [theirs, ours] = await Promise.all([erlangTraces(cases), ourTraces(cases)]);
  expect(theirs.length).toBe(cases.length);
  const differences = cases.flatMap(({ title }, i) =>
    ours[i] === theirs[i] ? [] : [{ title, erlang: theirs[i], ours: ours[i] }],
  );
  expect(differences).toEqual([]);
});

async function erlangTraces(cases: readonly Case[]): Promise<string[]> {
  const file = join(directory, `scripts-${cases[0]!.title.length}-${cases.length}`);
  writeFileSync(file, cases.map(({ script }) => `${write(script)}.\n`).join(''));
  const args = ['-noshell', '-pa', directory, '-s', 'statem_player', 'main', file];
  const { stdout } = await run('erl', args, { patience: 60_000 });
  return stdout
    .trimEnd()
    .replace(/<\d+\.\d+\.\d+>/g, '<pid>')
    .split('\n');
}

async function ourTraces(cases: readonly Case[]): Promise<string[]> {
  const runtime = new Runtime({ onCrash: () => {} });
  try {
    const traces = cases.map(({ script }) => runProcess(runtime, (self) => play(self, script)));
    return (await Promise.all(traces)).map((trace) => write(list(...trace)));
  } finally {
    runtime.stop();
  }
}
