import { nanoseconds } from '../format.js';
import type { Case, Effort, Question } from '../question.js';
import { timeTrips } from '../rival.js';
import { percentile } from '../statistics.js';
import { lingd, withServer } from './servers.js';
import { type Command, runTool, TOOLS } from './tools.js';
import { TOP } from './work.js';

const PATH = `${TOP}/0`;
const VALUE = 'a value 16 bytes';
const NOTHING: Command = [process.execPath, '--eval', ''];

export const commands: Question = {
  name: 'commands',
  title: 'Programs of the command line: one read or write, with start and end of the OS process',
  notes: [
    'All of them talk to lingd. Bare Node.js: one that does nothing, which is the least that ling-xenstore can take.',
  ],
  measures: [
    { key: 'p50', title: 'p50', format: nanoseconds },
    { key: 'p99', title: 'p99', format: nanoseconds },
  ],
  compared: ['p50'],
  mostRounds: 3,
  cases: (effort) => [
    ...TOOLS.map((tools) => calling('read', tools.name, tools.command('read', PATH), effort)),
    calling('read', 'bare Node.js', NOTHING, effort),
    ...TOOLS.map((tools) => calling('write', tools.name, tools.command('write', PATH, VALUE), effort)),
  ],
};

function calling(subject: string, who: string, command: Command, effort: Effort): Case {
  return {
    subject,
    who,
    measure: (world) =>
      withServer(world, lingd, async ({ socket }) => {
        await runTool(socket, TOOLS[0].command('write', PATH, VALUE));
        const pace = { count: effort === 'quick' ? 5 : 50, warmUp: 2, pause: 0 };
        const times = await timeTrips(pace, async () => {
          const printed = await runTool(socket, command);
          if (command !== NOTHING && subject === 'read' && printed.trim() !== VALUE)
            throw new Error(`read ${printed}`);
        });
        times.sort((a, b) => a - b);
        return { p50: percentile(times, 50), p99: percentile(times, 99) };
      }),
  };
}
