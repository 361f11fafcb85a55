import type { Case, Question, Sample } from './question.js';
import { type Spread, spreadOf } from './statistics.js';
import type { World } from './world.js';

export interface Answer {
  readonly question: Question;
  readonly results: readonly Result[];
}

export interface Result {
  readonly subject: string;
  readonly who: string;
  /** In the order of the rounds, so that those of different cases pair up. */
  readonly samples: readonly Sample[];
  readonly spreads: Readonly<Record<string, Spread>>;
}

/**
 * Measures these cases of a question, round by round: what disturbs the machine for a while disturbs all of them.
 * `progress` hears of every case before it is measured.
 */
export async function ask(
  question: Question,
  cases: readonly Case[],
  world: World,
  options: { rounds: number; progress: (round: number, at: Case) => void },
): Promise<Answer> {
  const samples = cases.map((): Sample[] => []);
  const rounds = Math.min(options.rounds, question.mostRounds ?? options.rounds);
  for (let round = 1; round <= rounds; round++) {
    for (const [i, each] of cases.entries()) {
      options.progress(round, each);
      samples[i]?.push(await each.measure(world));
    }
  }
  const results = cases.map(({ subject, who }, i) => {
    const taken = samples[i] as Sample[];
    const spread = ({ key }: { key: string }) => [
      key,
      spreadOf(taken.map((sample) => sample[key] as number)),
    ];
    return { subject, who, samples: taken, spreads: Object.fromEntries(question.measures.map(spread)) };
  });
  return { question, results };
}
