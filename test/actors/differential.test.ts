/**
 * Small random programs do on our processes what they do on a real `erl`, step by step: see the programs, and why they
 * have only one outcome, in test/fixtures/differential. `DIFFERENTIAL_PROGRAMS` says how many, `DIFFERENTIAL_SEED` and
 * `DIFFERENTIAL_PATH` which: a failure prints what to set to see it again.
 */
import fc from 'fast-check';
import { Process } from '#actors/process';
import { Erlang } from '../fixtures/differential/erlang';
import { type Conditions, runHere } from '../fixtures/differential/interpreter';
import { type Program, programs } from '../fixtures/differential/program';
import { toText } from '../fixtures/differential/text';

const { DIFFERENTIAL_PROGRAMS, DIFFERENTIAL_SEED, DIFFERENTIAL_PATH } = process.env;
const numRuns = Number(DIFFERENTIAL_PROGRAMS ?? 2000);
/** No program may notice how soon its processes have to make way for timers and I/O. */
const CONDITIONS: Conditions[] = [{ isExhausted: false }, { isExhausted: true }];
/** Milliseconds for a program and its two runs here; ten times what they need. */
const MOST_TIME = 50;
const seed = Number(DIFFERENTIAL_SEED ?? Math.trunc(Math.random() * 2 ** 31));

let erl: Erlang;
beforeAll(() => {
  erl = new Erlang();
});
afterAll(() => erl.stop());

async function isSame(program: Program, conditions: readonly Conditions[] = CONDITIONS): Promise<boolean> {
  const [there, ...here] = await Promise.all([
    erl.run(program),
    ...conditions.map((each) => runHere(program, each)),
  ]);
  return here.every((lines) => lines.join('\n') === there.join('\n'));
}

test(
  `${numRuns} random programs do what they do on Erlang (seed ${seed})`,
  async () => {
    const property = fc.asyncProperty(programs, (program) => isSame(program));
    const { failed, counterexample, counterexamplePath, ...counts } = await fc.check(property, {
      numRuns,
      seed,
      path: DIFFERENTIAL_PATH ?? '',
      interruptAfterTimeLimit: numRuns * MOST_TIME,
    });
    // A machine that is busy with others plays fewer of them.
    expect(counts.numRuns).toBeGreaterThan(numRuns / 20);
    if (!failed) return;
    const again = `DIFFERENTIAL_SEED=${seed} DIFFERENTIAL_PATH=${counterexamplePath}`;
    const found = `Program ${counts.numRuns}, made smaller ${counts.numShrinks} times`;
    throw new Error(`${found}; ${again} shows it again:\n\n${await describeDifference(counterexample![0])}`);
  },
  60_000 + numRuns * MOST_TIME,
);

async function describeDifference(program: Program): Promise<string> {
  const there = await erl.run(program);
  const marked = (lines: readonly string[], others: readonly string[]): string =>
    lines.map((line) => `${others.includes(line) ? ' ' : '*'} ${line}`).join('\n');
  const parts = [toText(program), `On Erlang:\n${there.join('\n')}`];
  const isOther = (lines: readonly string[]): boolean => lines.join('\n') !== there.join('\n');
  const again = await erl.run(program);
  if (isOther(again)) parts.push(`On Erlang, another time:\n${marked(again, there)}`);
  for (const conditions of CONDITIONS) {
    const here = await runHere(program, conditions);
    if (isOther(here)) parts.push(`Here, ${JSON.stringify(conditions)}:\n${marked(here, there)}`);
  }
  return parts.join('\n\n');
}

/** Mistakes that a reader would hardly see; what is compared above has to be enough to find each of them. */
const MISTAKES: Record<string, typeof Process> = {
  'unlink that only stops what comes from here': class extends Process {
    override unlink(): true {
      return true;
    }
  },
  'a kill that can be trapped': class extends Process {
    override exit(...args: [unknown] | [unknown, unknown?]): never {
      const [who, reason] = args;
      return args.length === 1
        ? super.exit(who)
        : (super.exit(who as never, reason === 'kill' ? 'killed' : reason) as never);
    }
  },
  'an alias that takes more than its reply': class extends Process {
    override alias(): ReturnType<Process['alias']> {
      return super.alias();
    }
  },
  'a reply that leaves the monitor': class extends Process {
    override monitor(kind: never, item: never, options: readonly unknown[] = []) {
      const changed = options.map((option) =>
        Array.isArray(option) && option[1] === 'reply_demonitor' ? ['alias', 'demonitor'] : option,
      );
      return super.monitor(kind, item, changed as never);
    }
  },
  'demonitor that does not flush': class extends Process {
    override demonitor(ref: never, options: readonly ('flush' | 'info')[] = []): boolean {
      return super.demonitor(
        ref,
        options.filter((option) => option !== 'flush'),
      );
    }
  },
  'a name that two processes can have': class extends Process {
    override register(name: string, pid: never): true {
      if (this.runtime.whereis(name) !== undefined) this.unregister(name);
      return super.register(name, pid);
    }
  },
  'exits that are trapped for ever': class extends Process {
    override process_flag(flag: never, value: unknown): never {
      return super.process_flag(flag, (this.trapExit || value) as never) as never;
    }
  },
};

test.each(Object.entries(MISTAKES))('would find %s', async (_, Class) => {
  const property = fc.asyncProperty(programs, (program) => isSame(program, [{ Class }]));
  const { counterexample } = await fc.check(property, { numRuns: 2000, seed: 1, endOnFailure: true });
  const [program] = counterexample!;
  expect([await isSame(program, [{ Class }]), await isSame(program)]).toEqual([false, true]);
});
