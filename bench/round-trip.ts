import { nanoseconds } from './format.js';
import type { RivalProgram } from './programs/rival.js';
import type { Case, Question } from './question.js';
import type { Rival, Trips } from './rival.js';
import { RIVALS } from './rivals/index.js';
import { percentile } from './statistics.js';

const BYTES = 64;

export const roundTrip: Question = {
  name: 'round-trip',
  title: `Round trip of one packet of ${BYTES} bytes, nothing else under way`,
  notes: [
    'At once: the next packet leaves when the answer to the last has come. After 2 ms: both sides have gone to sleep.',
    'Ratio: p50 of the tube to that of this rival, round by round.',
  ],
  measures: [
    { key: 'p50', title: 'p50', format: nanoseconds },
    { key: 'p99', title: 'p99', format: nanoseconds },
  ],
  compared: ['p50'],
  cases: (effort) => {
    const scale = effort === 'quick' ? 0.1 : 1;
    const atOnce = { bytes: BYTES, count: 20_000 * scale, warmUp: 5000 * scale, pause: 0 };
    const rested = { bytes: BYTES, count: 500 * scale, warmUp: 100 * scale, pause: 2 };
    return [atOnce, rested].flatMap((trips) => RIVALS.map((rival) => roundTripOf(rival, trips)));
  },
};

export function roundTripOf(rival: Rival, trips: Trips): Case {
  return {
    subject: trips.pause === 0 ? 'at once' : `after ${trips.pause} ms`,
    who: rival.name,
    async measure(world) {
      const common = { rival: rival.name, trips, path: world.path() };
      const answerer = world.start('rival', { ...common, role: 'answer' } satisfies RivalProgram);
      const address = await answerer.hear();
      const asker = world.start('rival', { ...common, role: 'ask', address } satisfies RivalProgram);
      const times = (await asker.hear<number[]>()).sort((a, b) => a - b);
      await Promise.all([asker.end(), answerer.end()]);
      return { p50: percentile(times, 50), p99: percentile(times, 99) };
    },
  };
}
