import { nanoseconds, perSecond } from '../format.js';
import type { Case, Effort, Question } from '../question.js';
import { runClient } from './client.js';
import { timeOf } from './requests.js';
import { SERVERS, type Server, withServer } from './servers.js';

export const transactions: Question = {
  name: 'transactions',
  title: 'Transactions: read a number, write one more',
  notes: [
    'Four requests, one after the other: start, read, write, end. One that meets a conflict begins again, which counts as a retry; in the end no addition is missing.',
  ],
  measures: [
    { key: 'time', title: 'time', format: nanoseconds },
    { key: 'rate', title: 'committed', format: perSecond },
    { key: 'retries', title: 'retries each', format: (value) => value.toFixed(2) },
    { key: 'server', title: 'server CPU', format: nanoseconds },
  ],
  compared: ['time', 'server'],
  cases: (effort) => [
    ...each(1, false, effort),
    ...[2, 8].flatMap((connections) => [
      ...each(connections, false, effort),
      ...each(connections, true, effort),
    ]),
  ],
};

function each(connections: number, shared: boolean, effort: Effort): Case[] {
  return SERVERS.map((server) => committing(server, connections, shared, effort));
}

function committing(server: Server, connections: number, shared: boolean, effort: Effort): Case {
  const nodes = shared ? 'the same node' : 'a node each';
  return {
    subject: connections === 1 ? '1 connection' : `${connections} connections, ${nodes}`,
    who: server.name,
    measure: (world) =>
      withServer(world, server, async (running) => {
        const time = timeOf(effort);
        const load = { connections, workers: connections, shared, time };
        const worked = await runClient(world, running, { kind: 'transactions', ...load });
        const { elapsed, count, retries } = worked;
        return {
          time: elapsed / count,
          rate: (count * 1e9) / elapsed,
          retries: retries / count,
          server: worked.server / count,
        };
      }),
  };
}
