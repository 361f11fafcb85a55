/** Tables for people. */
import Table from 'cli-table3';
import pc from 'picocolors';

/** On a terminal only: a script that reads this, be it in CI, wants text. */
export const colors = pc.createColors(pc.isColorSupported && process.stdout.isTTY === true);

/** A line each, under the titles; columns of numbers are to the right. */
export function table(
  titles: readonly string[],
  numbers: ReadonlySet<string>,
  rows: readonly (readonly string[])[],
): string {
  const made = new Table({
    head: titles.map((title) => colors.bold(title)),
    colAligns: titles.map((title) => (numbers.has(title) ? 'right' : 'left')),
    chars: { ...NO_LINES, middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  for (const row of rows) made.push([...row]);
  return `${made.toString().replace(/ +$/gm, '')}\n`;
}

const NO_LINES = {
  ...{ top: '', 'top-mid': '', 'top-left': '', 'top-right': '' },
  ...{ bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '' },
  ...{ left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '' },
};

/** A domain may call itself what it likes. */
export function printable(name: string | null | undefined): string {
  return (name ?? '?').replace(/[^\p{L}\p{N}\p{P}\p{S} ]/gu, '?');
}

/** In this box's own time; `-` for none. */
export function timeText(time: number | string | null | undefined): string {
  if (time === undefined || time === null) return '-';
  const date = new Date(time);
  return `${date.toLocaleDateString('sv')} ${date.toLocaleTimeString('sv')}`;
}
