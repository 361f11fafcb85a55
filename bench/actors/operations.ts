import { nanoseconds, perSecond } from '../format.js';
import type { Case, Question } from '../question.js';
import type { Operation } from './rival.js';
import { SIDES, type Side, type Time } from './sides.js';

export const pingPong = operation('ping-pong', 'Ping-pong: a message and its answer, two messages', {
  'a message': 'ping-pong',
});

export const flood = operation('flood', 'Flooding: one process sends, another receives', {
  'a message': 'flood',
});

export const ring = operation('ring', 'A token around a ring of 1000 processes', { 'a hop': 'ring' });

export const spawn = operation(
  'spawn',
  'Spawn and exit',
  {
    'one after the other': 'spawn',
    '1000 at once': 'spawn-batch',
    'one after the other, monitored': 'spawn-monitor',
  },
  [
    'The last act of a process is a message to its parent; a monitored one does nothing, and `DOWN` tells its end.',
  ],
);

export const select = operation(
  'select',
  'A selective receive behind 1000 other messages',
  { 'by tag': 'select', 'by a reference just made': 'select-reference' },
  ['The process sends itself the message that it takes.'],
);

export const call = operation('call', 'A call to a gen_server', {
  'empty mailbox': 'call',
  'caller has 1000 messages': 'call-behind',
});

/** Subjects compare, and so do all sides that can do it. */
function operation(
  name: string,
  title: string,
  subjects: Readonly<Record<string, Operation>>,
  notes: readonly string[] = [],
): Question {
  return {
    name,
    title,
    notes,
    measures: [
      { key: 'time', title: 'time', format: nanoseconds },
      { key: 'rate', title: 'rate', format: perSecond },
      { key: 'cpu', title: 'CPU time', format: nanoseconds },
    ],
    compared: ['time', 'cpu'],
    cases: (effort) => {
      // What has not been compiled yet would be measured as many times slower than it is.
      const time = effort === 'quick' ? { warmUp: 300, measured: 50 } : { warmUp: 1000, measured: 1000 };
      return Object.entries(subjects).flatMap(([subject, operation]) =>
        SIDES.filter((side) => side.can(operation)).map((side) => caseOf(subject, operation, side, time)),
      );
    },
  };
}

function caseOf(subject: string, operation: Operation, side: Side, time: Time): Case {
  return {
    subject,
    who: side.name,
    async measure(world) {
      const { elapsed, cpu, count } = await side.operate(world, operation, time);
      return { time: elapsed / count, rate: (count * 1e9) / elapsed, cpu: cpu / count };
    },
  };
}
