import os from 'node:os';
import { getSystemErrorMap } from 'node:util';
import { ErlangError, isError } from '../actors/errors.js';
import type { PosixError } from './driver.js';

/** By number: those of the operating system, and Node's own, as of the resolver. */
const NAMES = new Map([
  ...Array.from(getSystemErrorMap(), ([number, [name]]) => [-number, name.toLowerCase()] as const),
  ...Object.entries(os.constants.errno).map(([name, number]) => [number, name.toLowerCase()] as const),
]);
const KNOWN = new Set([
  ...NAMES.values(),
  ...Object.keys(os.constants.errno).map((name) => name.toLowerCase()),
]);

/** The name of an error of the operating system, as Erlang has it: `epipe`. `unknown` for what is none. */
export function posixName(error: PosixError): string {
  if (typeof error === 'string') return error.toLowerCase();
  if (typeof error === 'number') return NAMES.get(error) ?? NAMES.get(-error) ?? 'unknown';
  if (isPosix(error)) return error.code.toLowerCase();
  return posixName(error.errno ?? 0);
}

export function isPosixName(name: unknown): name is string {
  return typeof name === 'string' && KNOWN.has(name.toLowerCase());
}

/** What open_port raises of what a driver's start has thrown: of an error of the operating system its name. */
export function raisedBy(error: unknown): unknown {
  return isError(error) && isPosix(error) ? new ErlangError(posixName(error), error.message) : error;
}

/** An error as Node raises it; or with such a name alone. */
function isPosix(error: NodeJS.ErrnoException): error is NodeJS.ErrnoException & { readonly code: string } {
  const { code, errno } = error;
  return typeof code === 'string' && (typeof errno === 'number' || isPosixName(code));
}
