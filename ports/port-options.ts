import { badarg } from '../actors/errors.js';
import { formatShort } from '../actors/format.js';
import { parseOptions, parsePair } from '../actors/options.js';
import type { List } from '../actors/term.js';
import type { BusyLimits, Driver } from './driver.js';

/** An option of open_port, as Erlang has them; further ones are a driver's own. */
export type PortOption =
  | 'stream'
  | readonly ['packet', 1 | 2 | 4]
  | readonly ['line', number]
  | readonly ['cd', Text]
  | readonly ['env', readonly (readonly [name: Text, value: Text | false])[]]
  | readonly ['args', readonly Text[]]
  | readonly ['arg0', Text]
  | 'exit_status'
  | 'use_stdio'
  | 'nouse_stdio'
  | 'stderr_to_stdout'
  | 'in'
  | 'out'
  | 'binary'
  | 'eof'
  | 'hide'
  | 'overlapped_io'
  | readonly ['parallelism', boolean]
  | readonly ['busy_limits_port', BusyLimits]
  | readonly ['busy_limits_msgq', BusyLimits]
  | string
  | readonly [string, unknown];

/** What the data of a port are for its owner that is opened with these options; unknown where the compiler cannot see them. */
export type DataOf<O extends readonly PortOption[]> = number extends O['length']
  ? unknown
  : Extract<O[number], readonly ['line', unknown]> extends never
    ? BytesOf<O[number]>
    : [end: 'eol' | 'noeol', text: BytesOf<O[number]>];
type BytesOf<O> = Extract<O, 'binary'> extends never ? List<number> : Buffer;

/** Text, also as bytes. */
export type Text = string | Uint8Array;

/** The options of a port, parsed. What is not said here, the core of ports does for every driver. */
export interface PortOptions {
  /** How the port was named: by `{spawn, Command}` and so on, or as LING does, by the driver alone. */
  readonly opened: 'name' | 'spawn' | 'spawn_driver' | 'spawn_executable' | 'fd';
  /** The command of `{spawn, Command}` and so on, as it was given: text, or bytes that need not be text. */
  readonly given: Text;
  /** Of `{fd, In, Out}`. */
  readonly fds: readonly [input: number, output: number] | undefined;
  /** The core's: data are Buffers, not lists. */
  readonly binary: boolean;
  /** The core's: what {@link DriverPort.output} gives is told by lines of at most so many bytes. */
  readonly line: number | undefined;
  /** The core's: failure_eof tells the owner. */
  readonly eof: boolean;
  /** Bytes of the length in front of each packet, for drivers of programs; 0: none. */
  readonly packet: 0 | 1 | 2 | 4;
  readonly exitStatus: boolean;
  /** Whether the descriptors are 0 and 1, or 3 and 4. */
  readonly useStdio: boolean;
  readonly stderrToStdout: boolean;
  readonly in: boolean;
  readonly out: boolean;
  readonly hide: boolean;
  readonly cd: Text | undefined;
  readonly env: readonly (readonly [name: Text, value: Text | false])[];
  readonly args: readonly Text[] | undefined;
  readonly arg0: Text | undefined;
  readonly parallelism: boolean;
  /** Of the driver's queue: for it to keep, by {@link DriverPort.set_busy}. */
  readonly busyLimitsPort: BusyLimits;
  /** The core's: of commands that have not reached the driver. */
  readonly busyLimitsMsgq: BusyLimits;
  /** The driver's own options, as {@link Driver.options} names them: the value, or true for one without. */
  readonly own: ReadonlyMap<string, unknown>;
}

/** What there is without options. */
export const NO_OPTIONS: PortOptions = {
  opened: 'name',
  given: '',
  fds: undefined,
  binary: false,
  line: undefined,
  eof: false,
  packet: 0,
  exitStatus: false,
  useStdio: true,
  stderrToStdout: false,
  in: true,
  out: true,
  hide: false,
  cd: undefined,
  env: [],
  args: undefined,
  arg0: undefined,
  parallelism: false,
  busyLimitsPort: [4096, 8192],
  busyLimitsMsgq: [4096, 8192],
  own: new Map(),
};

type Parsed = { -readonly [K in keyof PortOptions]: PortOptions[K] };

/**
 * The options of open_port for a port of that driver; of several that contradict each other the last one holds.
 * Raises badarg for what is none, and for what this kind of port cannot have, as Erlang does.
 */
export function parsePortOptions(
  options: unknown,
  driver: Driver,
  { opened, given, fds }: Pick<PortOptions, 'opened' | 'given' | 'fds'>,
): PortOptions {
  const parsed: Parsed = { ...NO_OPTIONS, opened, given, fds, in: false, out: false };
  const own = new Map<string, unknown>();
  for (const option of parseOptions(options)) {
    const [key, value] = typeof option === 'string' ? [option, true] : parsePair(option);
    if (typeof key !== 'string') throw badarg('an option has to be a name, or [name, value]');
    if (Object.hasOwn(OPTIONS, key)) {
      OPTIONS[key as keyof typeof OPTIONS](parsed, value, key);
      if (FOR_PROGRAMS.includes(key) && !driver.options?.includes(key)) {
        throw badarg(`the option ${key} is for programs`);
      }
    } else if (driver.options?.includes(key)) own.set(key, value);
    else throw badarg(`${driver.name} has no option ${key}`);
  }
  parsed.own = own;
  // Neither is both.
  if (!parsed.in && !parsed.out) parsed.in = parsed.out = true;
  const isExecutable = opened === 'spawn_executable';
  if (!isExecutable && (parsed.args ?? parsed.arg0) !== undefined) {
    throw badarg('the options args and arg0 are for spawn_executable');
  }
  if (parsed.line !== undefined && parsed.packet !== 0) throw badarg('a port has lines or packets');
  if (parsed.stderrToStdout && !parsed.useStdio) throw badarg('there is no stdout');
  return parsed;
}

/** Only for drivers that name them among their own. */
const FOR_PROGRAMS: readonly string[] = ['exit_status', 'busy_limits_port'];

const OPTIONS = {
  stream: flag((to) => {
    to.packet = 0;
  }),
  packet: (to: Parsed, value: unknown) => {
    check(value === 1 || value === 2 || value === 4, 'packet', '1, 2 or 4', value);
    to.packet = value;
  },
  line: (to: Parsed, value: unknown) => {
    check(Number.isSafeInteger(value) && (value as number) > 0, 'line', 'a positive number of bytes', value);
    to.line = value as number;
  },
  cd: (to: Parsed, value: unknown) => {
    check(isText(value), 'cd', TEXT, value);
    to.cd = value;
  },
  env: (to: Parsed, value: unknown) => {
    check(Array.isArray(value), 'env', VARIABLES, value);
    to.env = Array.from(value, parseVariable);
  },
  args: (to: Parsed, value: unknown) => {
    check(Array.isArray(value) && value.every(isText), 'args', `a list of ${TEXT}`, value);
    to.args = [...value];
  },
  arg0: (to: Parsed, value: unknown) => {
    check(isText(value), 'arg0', TEXT, value);
    to.arg0 = value;
  },
  exit_status: flag((to) => {
    to.exitStatus = true;
  }),
  use_stdio: flag((to) => {
    to.useStdio = true;
  }),
  nouse_stdio: flag((to) => {
    to.useStdio = false;
  }),
  stderr_to_stdout: flag((to) => {
    to.stderrToStdout = true;
  }),
  in: flag((to) => {
    to.in = true;
  }),
  out: flag((to) => {
    to.out = true;
  }),
  binary: flag((to) => {
    to.binary = true;
  }),
  eof: flag((to) => {
    to.eof = true;
  }),
  hide: flag((to) => {
    to.hide = true;
  }),
  // For Windows.
  overlapped_io: flag(() => {}),
  parallelism: (to: Parsed, value: unknown) => {
    check(typeof value === 'boolean', 'parallelism', 'a boolean', value);
    to.parallelism = value;
  },
  busy_limits_port: (to: Parsed, value: unknown) => {
    // Other than those of the messages: here the low one gives way.
    to.busyLimitsPort = parseLimits(value, 'busy_limits_port', 'the low one');
  },
  busy_limits_msgq: (to: Parsed, value: unknown) => {
    to.busyLimitsMsgq = parseLimits(value, 'busy_limits_msgq');
  },
};

/** An option without a value. */
function flag(set: (to: Parsed) => void): (to: Parsed, value: unknown, key: string) => void {
  return (to, value, key) => {
    check(value === true, key, 'given alone', value);
    set(to);
  };
}

function parseVariable(entry: unknown): readonly [Text, Text | false] {
  const isPair = Array.isArray(entry) && entry.length === 2;
  const [name, value] = isPair ? entry : [];
  check(
    isText(name) && !Buffer.from(name).includes('=') && (value === false || isText(value)),
    'env',
    VARIABLES,
    entry,
  );
  return [name, value];
}

/**
 * Raises badarg. Limits the wrong way round are both the greater one, as in Erlang; or, where the low one gives way, both
 * the smaller one.
 */
export function parseLimits(value: unknown, key: string, givesWay?: 'the low one'): BusyLimits {
  if (value === 'disabled') return value;
  const [low, high] = Array.isArray(value) && value.length === 2 ? value : [];
  check(isLimit(low) && isLimit(high), key, LIMITS, value);
  return givesWay ? [Math.min(low, high), high] : [low, Math.max(low, high)];
}

function isLimit(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

export function isText(value: unknown): value is Text {
  return typeof value === 'string' || value instanceof Uint8Array;
}

const TEXT = 'text or bytes';
const VARIABLES = `a list of [name, value], each of them ${TEXT}, a value also false, and no = in a name`;
/** What limits can be. */
export const LIMITS = "'disabled', or [low, high] in bytes";

function check(holds: boolean, key: string, what: string, value: unknown): asserts holds {
  if (!holds) throw badarg(`the option ${key} has to be ${what}, not ${formatShort(value)}`);
}
