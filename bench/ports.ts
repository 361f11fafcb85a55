import { nanoseconds, perSecond } from './format.js';
import type { PortCall, PortsProgram, PortsTaken } from './programs/ports.js';
import type { Case, Effort, Question } from './question.js';

/** What is measured, of which driver, in the words of the report. */
const CASES: readonly [subject: string, who: string, call: PortCall][] = [
  ['port_command', 'a driver that does nothing', 'nothing'],
  ['port_command', 'echo', 'echo'],
  ['port_command', 'tube', 'tube'],
  ['Port ! {self(), {command, Data}}', 'a driver that does nothing', 'send'],
  ['a message from driver to owner', 'received', 'output'],
];

export const ports: Question = {
  name: 'ports',
  title: 'Calls of ports: 16 bytes',
  notes: [
    'echo: copies the data and sends them to its owner, who receives them when that has stopped counting.',
    'tube: as many packets as there is room for; until there is room again nothing counts. The other side is another OS process.',
    'a message from driver to owner: output, and the receive of it.',
  ],
  measures: [
    { key: 'time', title: 'time', format: nanoseconds },
    { key: 'rate', title: 'rate', format: perSecond },
  ],
  compared: [],
  cases: (effort) => CASES.map((each) => calling(...each, effort)),
};

function calling(subject: string, who: string, call: PortCall, effort: Effort): Case {
  return {
    subject,
    who,
    async measure(world) {
      const count = effort === 'quick' ? 20_000 : 1_000_000;
      const sink =
        call === 'tube' ? world.start('ports', { role: 'sink' } satisfies PortsProgram) : undefined;
      const domid = await sink?.hear<number>();
      const program = world.start('ports', { role: 'caller', call, count, domid } satisfies PortsProgram);
      const taken = await program.hear<PortsTaken>();
      await program.end();
      await sink?.end();
      return { time: taken / count, rate: (count * 1e9) / taken };
    },
  };
}
