import os from 'node:os';
import type { PosixError } from './driver.js';

const NAMES = new Map(
  Object.entries(os.constants.errno).map(([name, number]) => [number, name.toLowerCase()]),
);

/** The name of an error of the operating system, as Erlang has it: `epipe`. `unknown` for a number that is none. */
export function posixName(error: PosixError): string {
  if (typeof error === 'string') return error.toLowerCase();
  if (typeof error === 'number') return NAMES.get(Math.abs(error)) ?? 'unknown';
  if (typeof error.code === 'string') return error.code.toLowerCase();
  return posixName(error.errno ?? 0);
}
