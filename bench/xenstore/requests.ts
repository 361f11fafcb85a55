import { nanoseconds, perSecond } from '../format.js';
import type { Case, Effort, Question } from '../question.js';
import { runClient } from './client.js';
import { SERVERS, type Server, withServer } from './servers.js';
import type { Time } from './work.js';

/** How many connections, and how many requests under way at the same time. */
const WAYS: Readonly<Record<string, readonly [connections: number, workers: number]>> = {
  'one after the other': [1, 1],
  '64 at once': [1, 64],
  '50 connections': [50, 50],
};

export const requests: Question = {
  name: 'requests',
  title: 'Reads and writes of a node of 16 bytes',
  notes: [
    '64 at once: one connection, the next request leaves when one of 64 has been answered. 50 connections: each has one request under way.',
  ],
  measures: [
    { key: 'time', title: 'time', format: nanoseconds },
    { key: 'rate', title: 'rate', format: perSecond },
    { key: 'server', title: 'server CPU', format: nanoseconds },
    { key: 'client', title: 'client CPU', format: nanoseconds },
  ],
  compared: ['time', 'server'],
  cases: (effort) =>
    (['read', 'write'] as const).flatMap((kind) =>
      Object.keys(WAYS).flatMap((way) =>
        SERVERS.map((server) => requesting(server, kind, way, timeOf(effort))),
      ),
    ),
};

/** What has not been compiled yet would be measured as many times slower than it is. */
export function timeOf(effort: Effort): Time {
  return effort === 'quick' ? { warmUp: 100, measured: 50 } : { warmUp: 1000, measured: 1000 };
}

function requesting(server: Server, kind: 'read' | 'write', way: string, time: Time): Case {
  const [connections, workers] = WAYS[way] as [number, number];
  return {
    subject: `${kind}, ${way}`,
    who: server.name,
    measure: (world) =>
      withServer(world, server, async (running) => {
        const worked = await runClient(world, running, { kind, connections, workers, time });
        const { elapsed, cpu, count } = worked;
        return {
          time: elapsed / count,
          rate: (count * 1e9) / elapsed,
          server: worked.server / count,
          client: cpu / count,
        };
      }),
  };
}
