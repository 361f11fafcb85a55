import { nanoseconds } from '../format.js';
import type { Case, Question } from '../question.js';
import type { Pace } from '../rival.js';
import { percentile } from '../statistics.js';
import { runClient } from './client.js';
import { lingd, SERVERS, type Server, withServer } from './servers.js';
import { TOOLS, type Tools } from './tools.js';
import { TOP } from './work.js';

export const watches: Question = {
  name: 'watches',
  title: 'From a write on one connection to the watch event on another',
  notes: [
    'At once: the next write leaves when the event of the last has come. After 2 ms: everybody has gone to sleep.',
    'Both connections are of one OS process, except for those of programs: there it is the time to the line that the program prints.',
  ],
  measures: [
    { key: 'p50', title: 'p50', format: nanoseconds },
    { key: 'p99', title: 'p99', format: nanoseconds },
  ],
  compared: ['p50'],
  cases: (effort) => {
    const scale = effort === 'quick' ? 0.1 : 1;
    const atOnce = { count: 10_000 * scale, warmUp: 5000 * scale, pause: 0 };
    const rested = { count: 500 * scale, warmUp: 100 * scale, pause: 2 };
    return [atOnce, rested].flatMap((pace) => [
      ...SERVERS.map((server) => watching(server, pace)),
      ...TOOLS.map((tools) => watching(lingd, pace, tools)),
    ]);
  },
};

function watching(server: Server, pace: Pace, tools?: Tools): Case {
  const command = tools?.command('watch', TOP);
  return {
    subject: pace.pause === 0 ? 'at once' : `after ${pace.pause} ms`,
    who: tools === undefined ? server.name : `${server.name}, watch of ${tools.name}`,
    measure: (world) =>
      withServer(world, server, async (running) => {
        const times = await runClient<number[]>(world, running, { kind: 'watch', pace, command });
        times.sort((a, b) => a - b);
        return { p50: percentile(times, 50), p99: percentile(times, 99) };
      }),
  };
}
