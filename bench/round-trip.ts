import { nanoseconds } from './format.js';
import type { Link } from './programs/rival.js';
import type { Case, Question } from './question.js';
import type { Rival, Trips } from './rival.js';
import { RIVALS, STREAMS } from './rivals/index.js';
import { runSides } from './sides.js';
import { oneOf } from './sizes.js';
import { percentile } from './statistics.js';

/** Beside the round trips, packets of as many bytes as those have, a second. */
const BUSY = 200_000;
/** Longer than any round trips take, in seconds: they end it. */
const FOREVER = 3600;

export const roundTrip: Question = {
  name: 'round-trip',
  title: 'Round trip of one packet',
  notes: [
    'At once: the next packet leaves when the answer to the last has come. After 2 ms: both sides have gone to sleep.',
    `Under load: at once, while another link brings ${BUSY / 1000}k packets a second from who asks to who answers, for what can have several links.`,
    'Ratio: p50 of the tube to that of this rival, round by round.',
  ],
  measures: [
    { key: 'p50', title: 'p50', format: nanoseconds },
    { key: 'p99', title: 'p99', format: nanoseconds },
    { key: 'p999', title: 'p99.9', format: nanoseconds },
  ],
  compared: ['p50'],
  charts: ['p50', 'p99'],
  cases: (effort, sizes) => {
    const bytes = oneOf(sizes);
    const scale = { quick: 0.05, usual: 0.5, full: 1 }[effort];
    const atOnce = { bytes, count: 20_000 * scale, warmUp: 5000 * scale, pause: 0 };
    const rested = { bytes, count: 500 * scale, warmUp: 100 * scale, pause: 2 };
    const load = { bytes, warmUp: 0, seconds: FOREVER, rate: BUSY };
    return [
      ...RIVALS.map((rival) => roundTripOf('at once', rival, atOnce)),
      ...RIVALS.map((rival) => roundTripOf('after 2 ms', rival, rested)),
      ...STREAMS.map((rival) => roundTripOf('under load', rival, atOnce, [{ role: 'send', load }])),
    ];
  },
};

export function roundTripOf(what: string, rival: Rival, trips: Trips, beside: readonly Link[] = []): Case {
  return {
    subject: `${trips.bytes} B, ${what}`,
    who: rival.name,
    async measure(world) {
      const [{ times }] = await runSides(world, rival, [{ role: 'ask', trips }, ...beside]);
      const sorted = [...times].sort((a, b) => a - b);
      return {
        p50: percentile(sorted, 50),
        p99: percentile(sorted, 99),
        p999: percentile(sorted, 99.9),
      };
    },
  };
}
