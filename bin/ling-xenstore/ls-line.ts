/** A node as Xen's xenstore-ls prints it. */
import { escapeValue } from './escapes.js';

export interface LsFormat {
  /** The whole path instead of the name, indented by its depth. */
  readonly full: boolean;
  readonly permissions: boolean;
  /** Of the terminal, Infinity where it does not say; undefined where there is none. */
  readonly columns: number | undefined;
}

interface ReadableNode {
  readonly path: string;
  readonly name: string;
  readonly depth: number;
  readonly value: Uint8Array;
  readonly permissions: readonly string[];
}

/** What xenstore-ls takes for the width where there is no terminal. */
const COLUMNS = 82;
/** ` = "` and `\..."`, and the last column, which stays free. */
const AROUND = 10;
/** The column of the permissions, where the terminal is wide enough. */
const PERMISSIONS = 60;

/** One line without its end: `name = "value"`, and with permissions `name = "value" . . . .  (n0,r1)`. */
export function lsLine(node: ReadableNode, format: LsFormat): string {
  const columns = format.columns ?? (format.full ? Number.POSITIVE_INFINITY : COLUMNS);
  const [title, room] = format.full ? [node.path, columns - AROUND] : indented(node, columns);
  const text = escapeValue(node.value);
  const isCut = node.value.length > room;
  const line = `${title} = "${isCut ? `${text.slice(0, room)}\\...` : text}"`;
  if (!format.permissions) return line;
  const dots = isCut ? '' : dotsAfter(line, format.full ? 0 : permissionsColumn(columns));
  return `${line}${dots}  (${node.permissions.join(',')})`;
}

/** The name, cut where it must be, and how many characters of the value fit behind it. */
function indented({ name, depth }: ReadableNode, columns: number): [title: string, room: number] {
  const room = Math.max(0, columns - AROUND - depth);
  const title = name.slice(0, room);
  return [' '.repeat(depth) + title, room - title.length];
}

function permissionsColumn(columns: number): number {
  return Number.isFinite(columns) ? Math.min(columns - 2, PERMISSIONS) : 0;
}

/** At least a space, then dots in every other column of the screen up to `end`. */
function dotsAfter(line: string, end: number): string {
  let dots = ' ';
  for (let column = line.length + 1; column < end; column++) dots += column % 2 === 0 ? ' ' : '.';
  return dots;
}
