import { bytes, mebibytes, nanoseconds } from '../format.js';
import { footprintOf } from '../proc.js';
import type { Case, Effort, Question } from '../question.js';
import { runClient } from './client.js';
import { SERVERS, type Server, withServer } from './servers.js';

export const nodes: Question = {
  name: 'nodes',
  title: 'Many nodes: memory of the server',
  notes: [
    'A hundredth of the nodes are directories, which have the others; values of 16 bytes, paths such as /bench/17/42.',
    'RSS of the server before the first and after the last. Writing: 64 at once, on one connection.',
  ],
  measures: [
    { key: 'before', title: 'RSS before', format: mebibytes },
    { key: 'after', title: 'RSS after', format: mebibytes },
    { key: 'node', title: 'a node', format: bytes },
    { key: 'write', title: 'writing one', format: nanoseconds },
    { key: 'server', title: 'server CPU', format: nanoseconds },
  ],
  compared: ['node', 'write', 'server'],
  mostRounds: 3,
  cases: (effort) => SERVERS.map((server) => filling(server, nodesFor(effort))),
};

export function nodesFor(effort: Effort): number {
  return effort === 'quick' ? 5000 : 100_000;
}

export function nodesOf(count: number): string {
  return `${count.toLocaleString('en')} nodes`;
}

function filling(server: Server, count: number): Case {
  return {
    subject: nodesOf(count),
    who: server.name,
    measure: (world) =>
      withServer(world, server, async (running) => {
        const { rss: before } = footprintOf(running.pid);
        const { elapsed, server } = await runClient(world, running, { kind: 'fill', count });
        const { rss: after } = footprintOf(running.pid);
        const node = (after - before) / count;
        return { before, after, node, write: elapsed / count, server: server / count };
      }),
  };
}
