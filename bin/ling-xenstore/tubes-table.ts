/** Tubes for people: one line each. */
import Table from 'cli-table3';
import pc from 'picocolors';
import type { Tube, TubeSide } from './tube-survey.js';

/** On a terminal only: a script that reads this, be it in CI, wants text. */
const colors = pc.createColors(pc.isColorSupported && process.stdout.isTTY === true);

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
  const table = new Table({
    head: HEAD.map((title) => colors.bold(title)),
    colAligns: HEAD.map((title) => (NUMBERS.has(title) ? 'right' : 'left')),
    chars: { ...NO_LINES, middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  for (const tube of tubes) table.push(rowOf(tube));
  return `${table.toString().replace(/ +$/gm, '')}\n`;
}

const NO_LINES = {
  ...{ top: '', 'top-mid': '', 'top-left': '', 'top-right': '' },
  ...{ bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '' },
  ...{ left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '' },
};

function rowOf({ tid, opener, acceptor }: Tube): string[] {
  const [there, back] = [opener.report, acceptor.report];
  return [
    String(tid),
    ...[who(opener), who(acceptor), stateOf(opener, acceptor)],
    // Who has received it knows as well, but for what is still under way.
    ...[count(there?.sent ?? back?.received), count(back?.sent ?? there?.received)],
    ...[drops(there?.drops), drops(back?.drops)],
    since(there?.since ?? back?.since),
  ];
}

/** `name(domid)`, and the process that owns this end. */
function who({ name, domid, report }: TubeSide): string {
  // A domain may call itself what it likes.
  const printable = (name ?? '?').replace(/[^\p{L}\p{N}\p{P}\p{S} ]/gu, '?');
  return `${printable}(${domid})${report ? ` ${report.owner}` : ''}`;
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

/** In this box's own time. */
function since(time: number | undefined): string {
  if (time === undefined) return '-';
  const date = new Date(time);
  return `${date.toLocaleDateString('sv')} ${date.toLocaleTimeString('sv')}`;
}
