/** native/wake_up.pml, looked through by spin: as it is, and with each mistake that it can be given. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { run } from '../support/run';

const model = path.join(__dirname, '../../native/wake_up.pml');

let directory: string;

beforeAll(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'lt-model-'));
});
afterAll(() => fs.rmSync(directory, { recursive: true }));

interface Question {
  readonly packets: number;
  /** What the model is given, of what it has behind #ifdef. */
  readonly defined?: readonly string[];
  /** Instead of states in which it ends: runs that never end, in which every thread goes on. */
  readonly endless?: boolean;
}

/** What spin's verifier says. A mistake is found sooner than an optimizing compiler is done. */
async function ask(
  { packets, defined = [], endless = false }: Question,
  optimization = '-O2',
): Promise<string> {
  const cwd = fs.mkdtempSync(path.join(directory, 'pan-'));
  const generate = ['-a', `-DPACKETS=${packets}`, ...defined.map((each) => `-D${each}`), model];
  expect(await run('spin', generate, { cwd })).toMatchObject({ status: 0, stderr: '' });
  const search = endless ? ['-DNP', '-DNFAIR=3'] : ['-DSAFETY', '-DCOLLAPSE'];
  const compile = [optimization, ...search, 'pan.c', '-o', 'pan'];
  expect(await run('cc', compile, { cwd, patience: 60_000 })).toMatchObject({ status: 0, stderr: '' });
  const kind = endless ? ['-l', '-f'] : [];
  return (await run('./pan', ['-m1000000', ...kind], { cwd, patience: 120_000 })).stdout;
}

/** Everything has been looked at: the search has not been cut off anywhere. */
function expectAll(said: string): void {
  expect(said).toMatch(/, errors: 0$/m);
  expect(Number(/^ *([\d.e+]+) states, stored/m.exec(said)?.[1])).toBeGreaterThan(100_000);
  for (const part of ['Writer', 'Judge']) expect(said).toContain(`unreached in proctype ${part}\n\t(0 of `);
  expect(said).not.toMatch(/not completed|truncated|too small|out of memory|error:/i);
}

const PATIENCE = 240_000;

const RIGHT: readonly [name: string, question: Question][] = [
  ['nobody sleeps for ever, and every packet comes once and in order', { packets: 5 }],
  ['nor where bells ring for nothing', { packets: 3, defined: ['SIZE=2', 'BELLS_RING_FOR_NOTHING'] }],
  ['nor where more stores are late', { packets: 4, defined: ['STORES=2'] }],
  ['nobody keeps anybody busy for ever', { packets: 3, defined: ['SIZE=2'], endless: true }],
];

test.each(RIGHT)('%s', async (_name, question) => expectAll(await ask(question)), PATIENCE);

/** Every mistake, and what the verifier finds. */
const WRONG: Record<string, RegExp> = {
  READER_DOES_NOT_LOOK_AGAIN: /assertion violated .*isDone/,
  READER_DOES_NOT_LOOK_INTO_THE_INBOX: /assertion violated .*isDone/,
  WRITER_DOES_NOT_LOOK_AGAIN: /assertion violated .*asked/,
  RELIEF_DOES_NOT_LOOK_AGAIN: /assertion violated .*wasRefused/,
  RELIEF_DOES_NOT_TELL_OF_ROOM: /assertion violated .*asked/,
  RELIEF_NEVER_REFUSES: /non-progress cycle/,
  RELIEF_WITHOUT_THE_TURN: /assertion violated .*atIt==1/,
  SLEEPS_WITHOUT_THE_TURN: /assertion violated .*isDone/,
  SLEEPS_WITH_PACKETS_UNANNOUNCED: /assertion violated .*isDone/,
  SILENCES_THE_BELL_AFTER_IT_HAS_LOOKED: /assertion violated .*isDone/,
  OWNER_DOES_NOT_ASK_AGAIN: /assertion violated .*inbox/,
  PUBLISHES_BEFORE_IT_COPIES: /assertion violated .*packet==received/,
  ONLY_TRIES_AFTER_HANG_UP: /assertion violated .*hasHungUp/,
  NO_FENCE_IN_FLUSH: /assertion violated .*isDone/,
  NO_FENCE_IN_WAITING: /assertion violated .*isDone/,
  NO_FENCE_IN_ARM_ROOM: /assertion violated .*asked/,
  NO_FENCE_IN_TELL_OF_ROOM: /assertion violated .*asked/,
};

test('every mistake that the model can be given is given', () => {
  const given = [...fs.readFileSync(model, 'utf8').matchAll(/^#ifn?def (\w+)/gm)].map(([, name]) => name);
  const others = ['PACKETS', 'SIZE', 'STORES', 'BELLS_RING_FOR_NOTHING'];
  expect([...new Set(given)].sort()).toEqual([...Object.keys(WRONG), ...others].sort());
});

describe('finds', () => {
  test.each(Object.entries(WRONG))(
    '%s',
    async (mistake, found) => {
      const endless = found.source.startsWith('non-progress');
      const said = await ask({ packets: 4, defined: [mistake], endless }, '-O0');
      expect(said).toMatch(/, errors: [1-9]\d*$/m);
      expect(said).toMatch(found);
    },
    PATIENCE,
  );
});
