import { join } from 'node:path';
import { inspect } from 'node:util';
import { ErlangError, ErlangExit, ErlangThrow, isError, stackOf } from './errors.js';
import { formatReason, formatShort } from './format.js';
import type { Pid } from './identifiers.js';
import { isOfProgram, ROOTS, toPath } from './places.js';
import type { Reason } from './signal.js';

/**
 * What a report tells of: a process that crashed, or as OTP's supervisors word theirs, a child that could not be
 * started, and a supervisor that gives up.
 */
export type CrashKind = 'crash' | 'start_error' | 'shutdown';

/** What is known of a process besides; see {@link noteContext}. */
export interface CrashContext {
  /** The name it is known by, where it has not registered it, or not any more. */
  readonly name?: string;
  /** The last message of a behaviour: `['call', request, pid]`, `['cast', request]`, `['info', message]` ... */
  readonly lastMessage?: unknown;
  /** The state of a gen_statem, without its data. */
  readonly state?: unknown;
}

/** A process that ended with an error or throw that nobody caught. `${crash}` is its report. */
export class Crash {
  readonly name: string | undefined;
  /** The last message of a behaviour: `['call', request, pid]`, `['cast', request]`, `['info', message]` ... */
  readonly lastMessage: unknown;
  /** The state of a gen_statem. */
  readonly state: unknown;

  constructor(
    readonly pid: Pid,
    name: string | undefined,
    readonly reason: Reason,
    /** What was thrown: mostly an Error. */
    readonly thrown: unknown,
  ) {
    const context = contexts.get(pid);
    this.name = name ?? context?.name;
    this.lastMessage = context?.lastMessage;
    this.state = context?.state;
  }

  get kind(): CrashKind {
    return 'crash';
  }

  /**
   * Where it was raised, as `file:line:column`: of the stack the first place that is the program's and not this
   * package's. Undefined where what was thrown is no Error, and so does not know.
   */
  get position(): string | undefined {
    if (!isError(this.thrown)) return undefined;
    for (const line of stackOf(this.thrown).split('\n')) {
      const place = placeIn(line);
      if (place !== undefined && isOfProgram(place)) return place;
    }
    return undefined;
  }

  toString(): string {
    const { position, lastMessage, state } = this;
    let text = `Error in process ${this.who}${position === undefined ? '' : ` at ${position}`}: ${this.why}`;
    if (lastMessage !== undefined) text += `\n    its last message: ${formatShort(lastMessage)}`;
    if (state !== undefined) text += `\n    its state: ${formatShort(state)}`;
    return text;
  }

  protected get who(): string {
    return this.name === undefined ? `${this.pid}` : `${this.pid} (${this.name})`;
  }

  protected get why(): string {
    const { thrown } = this;
    if (!isError(thrown)) return `threw ${show(thrown)}, which is no Error`;
    // What these have beside their stack is said in it.
    const isOurs = [ErlangError, ErlangExit, ErlangThrow].some((ours) => thrown instanceof ours);
    const text = (isOurs && stackOf(thrown)) || show(thrown);
    return withoutMachinery(text);
  }
}

/** Whether it was the cause of a crash that has been told: once is enough. */
export function isReported(thrown: unknown): boolean {
  return isError(thrown) && reported.has(thrown);
}

/** @internal */
export function noteReported({ thrown }: Crash): void {
  if (isError(thrown)) reported.add(thrown);
}

const reported = new WeakSet<Error>();

/** Remembers what its crash is to tell, should there be one. */
export function noteContext(pid: Pid, context: CrashContext): void {
  contexts.set(pid, { ...contexts.get(pid), ...context });
}

const contexts = new WeakMap<Pid, CrashContext>();

function show(term: unknown): string {
  try {
    return isError(term) ? inspect(term) : typeof term === 'string' ? inspect(term) : formatReason(term);
  } catch {
    return 'what cannot be shown';
  }
}

/** Says it on stderr. */
export function printCrash(crash: Crash): void {
  process.stderr.write(`${crash}\n`);
}

/** The place that a line of a stack names. */
function placeIn(line: string): string | undefined {
  if (!FRAME.test(line) || line.length > LONGEST_LINE) return undefined;
  const [, place] = /\(?((?:file:|node:|\/|[A-Za-z]:\\)[^()]*:\d+:\d+)\)?$/.exec(line) ?? [];
  return place === undefined ? undefined : toPath(place);
}

/** Without the lines of a stack that are the same for each process. */
function withoutMachinery(text: string): string {
  const kept: string[] = [];
  for (const line of text.split('\n')) {
    const isKept = !FRAME.test(line) || !MACHINERY.some((part) => line.includes(part));
    if (isKept) kept.push(line);
    // What an error has beside its stack begins at the end of that.
    else if (line.endsWith(' {')) kept.push(`${kept.pop()} {`);
  }
  return kept.join('\n');
}

const FRAME = /^\s+at /;
/** Longer ones are no place, but a message that looks like one. */
const LONGEST_LINE = 2000;
const MACHINERY = [
  'node:',
  ...ROOTS.flatMap((root) =>
    ['actor.', 'raised-here.', 'runtime.'].map((file) => join(root, 'actors', file)),
  ),
];
