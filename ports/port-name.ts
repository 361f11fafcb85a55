import { badarg } from '../actors/errors.js';
import { formatShort } from '../actors/format.js';
import { isTuple } from '../actors/term.js';
import { isText, type PortOptions, type Text } from './port-options.js';

/** The name of a driver, as LING opens its ports, or one of Erlang's tuples. */
export type PortName =
  | string
  | readonly ['spawn' | 'spawn_driver' | 'spawn_executable', Text]
  | readonly ['fd', number, number];

/** What a name says: which driver, and what of. */
export interface ParsedName extends Pick<PortOptions, 'opened' | 'given' | 'fds'> {
  readonly driver: string;
  readonly command: string;
  /** As port_info says it. */
  readonly name: string;
}

/** The drivers of external programs, and of descriptors that are open: no names by which ports are opened. */
const PROGRAMS = 'spawn';
const DESCRIPTORS = 'fd';

/** `isSpawned`: {spawn, Command} is that driver before it is a program. Raises badarg for what is no name of a port. */
export function parsePortName(name: unknown, isSpawned: (driver: string) => boolean): ParsedName {
  if (typeof name === 'string') {
    if (isUnnamed(name)) throw noName(name);
    return { driver: name, command: '', name, opened: 'name', given: '', fds: undefined };
  }
  if (!isTuple(name)) throw noName(name);
  const [opened, what, output] = name;
  if (opened === 'fd' && name.length === 3 && isDescriptor(what) && isDescriptor(output)) {
    const text = `${what}/${output}`;
    return { driver: DESCRIPTORS, command: text, name: text, opened, given: text, fds: [what, output] };
  }
  if (name.length !== 2 || !isOpening(opened) || !isText(what) || what.length === 0) throw noName(name);
  const text = typeof what === 'string' ? what : Buffer.from(what).toString();
  const common = { name: text, opened, given: what, fds: undefined };
  if (opened === 'spawn_executable') return { driver: PROGRAMS, command: text, ...common };
  const [, driver = '', command = ''] = /^([^ ]*) *(.*)$/s.exec(text) ?? [];
  if (isUnnamed(driver) && opened === 'spawn_driver') throw noName(name);
  return opened === 'spawn' && (isUnnamed(driver) || !isSpawned(driver))
    ? { driver: PROGRAMS, command: text, ...common }
    : { driver, command, ...common };
}

function noName(name: unknown): Error {
  return badarg(`${formatShort(name)} is no name of a port`);
}

function isOpening(opened: unknown): opened is 'spawn' | 'spawn_driver' | 'spawn_executable' {
  return opened === 'spawn' || opened === 'spawn_driver' || opened === 'spawn_executable';
}

function isUnnamed(driver: string): boolean {
  return driver === PROGRAMS || driver === DESCRIPTORS;
}

function isDescriptor(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 0x7fff_ffff;
}
