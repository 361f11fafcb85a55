/** Tubes for people: one line each. */
import { colors, printable, table, timeText } from '../cli/table.js';
import type { Tube, TubeSide } from './tube-survey.js';

const HEAD = [
  'tid',
  'opener',
  'acceptor',
  'state',
  'packets ->',
  '<- packets',
  'drops ->',
  '<- drops',
  'since',
];
const NUMBERS: ReadonlySet<string> = new Set(HEAD.filter((title) => /tid|packets|drops/.test(title)));

/** XenbusState. */
const STATES: Readonly<Record<string, string>> = {
  1: 'initialising',
  2: 'init-wait',
  3: 'initialised',
  4: 'connected',
};

/** `-` stands for what is not known; the arrows point from the opener to the acceptor, and back. */
export function tubesTable(tubes: readonly Tube[]): string {
  return table(HEAD, NUMBERS, tubes.map(rowOf));
}

function rowOf({ tid, opener, acceptor }: Tube): string[] {
  const [there, back] = [opener.report, acceptor.report];
  return [
    String(tid),
    ...[who(opener), who(acceptor), stateOf(opener, acceptor)],
    // Who has received it knows as well, but for what is still under way.
    ...[count(there?.sent ?? back?.received), count(back?.sent ?? there?.received)],
    ...[drops(there?.drops), drops(back?.drops)],
    timeText(there?.since ?? back?.since),
  ];
}

/** `name(domid)`, and the process that owns this end. */
function who({ name, domid, report }: TubeSide): string {
  return `${printable(name)}(${domid})${report ? ` ${report.owner}` : ''}`;
}

/** One word when both sides agree. */
function stateOf(opener: TubeSide, acceptor: TubeSide): string {
  const [a, b] = [opener, acceptor].map(({ state = '-' }) => STATES[state] ?? '-');
  if (a !== b) return colors.yellow(`${a}/${b}`);
  return a === 'connected' ? a : colors.yellow(a as string);
}

function count(number: number | undefined): string {
  return number === undefined ? '-' : String(number);
}

function drops(number: number | undefined): string {
  return number ? colors.yellow(String(number)) : count(number);
}
