/** Public functions, each with its arguments: which nonsense each of these takes, and how it refuses the rest. */
import type { Self } from '#lib/index';
import type { Kind, World } from './nonsense';

export interface Argument {
  readonly name: string;
  /** One that is right. */
  readonly right: (world: World) => unknown;
  /** What all that is not taken comes to: an answer is written `= answer`, an error `name: message`. */
  readonly refusal: RegExp;
  readonly takes: readonly Kind[];
  /** Of what is taken: where the call may wait, for ever. */
  readonly waits: readonly Kind[];
}

export interface Row {
  /** As the function is known, such as `gen_server.call`. */
  readonly name: string;
  readonly args: readonly Argument[];
  readonly call: (self: Self, values: readonly unknown[]) => unknown;
  /** Done by the caller before. */
  readonly prepare?: (self: Self) => void;
  /** The caller traps exits. */
  readonly traps?: boolean;
  /** What is refused is refused by a process, which crashes. */
  readonly crashes?: boolean;
  /** A right call does not return. */
  readonly endless?: boolean;
}

type More = Partial<Omit<Row, 'name' | 'args'>>;

export function arg(
  name: string,
  right: (world: World) => unknown,
  refusal: RegExp,
  takes: readonly Kind[] = [],
  waits: readonly Kind[] = [],
): Argument {
  return { name, right, refusal, takes: [...takes, ...waits], waits };
}

/** What is no error there, whatever it is. */
const NEVER = /$^/;

/** For an argument that takes everything. */
export function any(name: string, right: (world: World) => unknown, takes: readonly Kind[]): Argument {
  return arg(name, right, NEVER, takes);
}

type Fun = (...values: unknown[]) => unknown;
type Functions = Readonly<Record<string, unknown>>;

/** A function of `self`. */
export function ofSelf(name: string, args: readonly Argument[], more: More = {}): Row {
  const call = (self: Self, values: readonly unknown[]): unknown => {
    const functions = self as unknown as Record<string, Fun>;
    return functions[name]!(...values);
  };
  return { name: `self.${name}`, args, call, ...more };
}

/** Functions of a module that take `self` first. */
export function ofModule(module: string, functions: Functions) {
  return (name: string, args: readonly Argument[], more: More = {}): Row => {
    const self = arg('self', (world) => world.self, /^TypeError: self has to be that of the process/);
    const call = (_: Self, values: readonly unknown[]): unknown => (functions[name] as Fun)(...values);
    return { name: `${module}.${name}`, args: [self, ...args], call, ...more };
  };
}

/** A function that takes no `self`; a class is called with `new`. */
export function alone(name: string, fun: unknown, args: readonly Argument[], more: More = {}): Row {
  const call = (_: Self, values: readonly unknown[]): unknown => (fun as Fun)(...values);
  return { name, args, call, ...more };
}

export function ofClass(name: string, Class: unknown, args: readonly Argument[]): Row {
  const call = (_: Self, values: readonly unknown[]): unknown =>
    new (Class as new (...values: unknown[]) => unknown)(...values);
  return { name, args, call };
}
