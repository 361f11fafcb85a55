import { dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { ErlangError, ErlangExit, ErlangThrow, isError, stackOf } from './errors.js';
import type { Pid } from './identifiers.js';
import type { Reason } from './signal.js';

/** A process that ended with an error or throw that nobody caught. `${crash}` is its report. */
export class Crash {
  constructor(
    readonly pid: Pid,
    readonly name: string | undefined,
    readonly reason: Reason,
    /** What was thrown: mostly an Error. */
    readonly thrown: unknown,
  ) {}

  /**
   * Where it was raised, as `file:line:column`: of the stack the first place that is the program's and not this
   * package's. Undefined where what was thrown is no Error, and so does not know.
   */
  get position(): string | undefined {
    if (!isError(this.thrown)) return undefined;
    const places = [...stackOf(this.thrown).matchAll(PLACE)].map(([, place = '']) => toPath(place));
    return places.find((place) => !['node:', ...OWN].some((start) => place.startsWith(start)));
  }

  toString(): string {
    const { pid, name, position } = this;
    const who = name === undefined ? `${pid}` : `${pid} (${name})`;
    return `Error in process ${who}${position === undefined ? '' : ` at ${position}`}: ${this.why()}`;
  }

  private why(): string {
    const { thrown, reason } = this;
    // What these have beside their stack is said in it.
    const isOurs = [ErlangError, ErlangExit, ErlangThrow].some((ours) => thrown instanceof ours);
    const text = (isOurs && stackOf(thrown as Error)) || show(isError(thrown) ? thrown : reason);
    return text.replace(MACHINERY, '$1');
  }
}

function show(term: unknown): string {
  try {
    return inspect(term);
  } catch {
    return 'what cannot be shown';
  }
}

/** Says it on stderr. */
export function printCrash(crash: Crash): void {
  process.stderr.write(`${crash}\n`);
}

const PLACE = /^\s+at .*?\(?((?:file:|node:|\/|[A-Za-z]:\\)[^()\n]*:\d+:\d+)\)?$/gm;

/** Where this is built, and what source maps say it was built from. */
const ROOTS = [dirname(__dirname), dirname(dirname(__dirname))];
const OWN = ROOTS.flatMap((root) => ['actors', 'ports', 'lib'].map((layer) => join(root, layer) + sep));

/** Lines of a stack that are the same for each process. */
const RUNNERS = ROOTS.flatMap((root) => ['actor.', 'runtime.'].map((file) => join(root, 'actors', file)));
const MACHINERY = new RegExp(
  `\\n\\s+at .*(?:${['node:', ...RUNNERS].map(escapePattern).join('|')}).*?( \\{)?(?=\\n|$)`,
  'g',
);

function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

function toPath(place: string): string {
  if (!place.startsWith('file:')) return place;
  const [, url = '', where = ''] = /^(.*?)((?::\d+){2})$/.exec(place) ?? [];
  return fileURLToPath(url) + where;
}
