import { nanoseconds } from '../format.js';
import { Meter } from '../meter.js';
import { cpuTimeOf } from '../proc.js';
import type { Case, Question } from '../question.js';
import { runClient } from './client.js';
import { nodesFor, nodesOf } from './nodes.js';
import { SERVERS, type Server, withServer } from './servers.js';
import { runTool, TOOLS, type Tools } from './tools.js';
import { TOP } from './work.js';

export const listing: Question = {
  name: 'listing',
  title: 'Many nodes: a listing of all, with their values',
  notes: ['Time: from the start of the program to its end.'],
  measures: [
    { key: 'time', title: 'time', format: nanoseconds },
    { key: 'server', title: 'server CPU', format: nanoseconds },
  ],
  compared: ['time', 'server'],
  mostRounds: 3,
  cases: (effort) =>
    TOOLS.flatMap((tools) => SERVERS.map((server) => listingBy(tools, server, nodesFor(effort)))),
};

function listingBy(tools: Tools, server: Server, count: number): Case {
  return {
    subject: `${nodesOf(count)}, ls of ${tools.name}`,
    who: server.name,
    measure: (world) =>
      withServer(world, server, async (running) => {
        await runClient(world, running, { kind: 'fill', count });
        const before = cpuTimeOf(running.pid);
        const meter = new Meter();
        meter.start();
        const printed = await runTool(running.socket, tools.command('ls', TOP));
        const { elapsed: time } = meter.read();
        const lines = printed.split('\n').length - 1;
        if (lines !== count) throw new Error(`${tools.name} has listed ${lines} nodes`);
        return { time, server: cpuTimeOf(running.pid) - before };
      }),
  };
}
