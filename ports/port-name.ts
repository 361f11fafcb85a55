import { badarg } from '../actors/errors.js';
import { isTuple } from '../actors/term.js';
import type { PortOptions, Text } from './port-options.js';

/** The name of a driver, as LING opens its ports, or one of Erlang's tuples. */
export type PortName =
  | string
  | readonly ['spawn' | 'spawn_driver', string]
  | readonly ['spawn_executable', Text]
  | readonly ['fd', number, number];

/** What a name says: which driver, and what of. */
export interface ParsedName extends Pick<PortOptions, 'opened' | 'fds'> {
  readonly driver: string;
  readonly command: string;
  /** As port_info says it. */
  readonly name: string;
}

/** The drivers of external programs, and of descriptors that are open: no names by which ports are opened. */
const PROGRAMS = 'spawn';
const DESCRIPTORS = 'fd';

/** `isDriver`: {spawn, Command} is a driver before it is a program. Raises badarg for what is no name of a port. */
export function parsePortName(name: unknown, isDriver: (name: string) => boolean): ParsedName {
  if (typeof name === 'string') {
    if (isUnnamed(name)) throw badarg('that is no name of a port');
    return { driver: name, command: '', name, opened: 'name', fds: undefined };
  }
  if (!isTuple(name)) throw badarg('that is no name of a port');
  const [opened, what, output] = name;
  if (opened === 'fd' && name.length === 3 && isDescriptor(what) && isDescriptor(output)) {
    const text = `${what}/${output}`;
    return { driver: DESCRIPTORS, command: text, name: text, opened, fds: [what, output] };
  }
  if (name.length !== 2) throw badarg('that is no name of a port');
  if (opened === 'spawn_executable' && (typeof what === 'string' || what instanceof Uint8Array)) {
    const text = typeof what === 'string' ? what : Buffer.from(what).toString();
    return { driver: PROGRAMS, command: text, name: text, opened, fds: undefined };
  }
  if ((opened !== 'spawn' && opened !== 'spawn_driver') || typeof what !== 'string' || what === '') {
    throw badarg('that is no name of a port');
  }
  const [, driver = '', command = ''] = /^([^ ]*) *(.*)$/s.exec(what) ?? [];
  const isProgram = isUnnamed(driver) || !isDriver(driver);
  if (isUnnamed(driver) && opened === 'spawn_driver') throw badarg('that is no name of a port');
  return opened === 'spawn' && isProgram
    ? { driver: PROGRAMS, command: what, name: what, opened, fds: undefined }
    : { driver, command, name: what, opened, fds: undefined };
}

function isUnnamed(driver: string): boolean {
  return driver === PROGRAMS || driver === DESCRIPTORS;
}

function isDescriptor(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 0x7fff_ffff;
}
