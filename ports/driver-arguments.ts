/**
 * What drivers give to the functions of their port: each check raises a TypeError or a RangeError, which names the
 * argument. Not badarg, which a driver that does not catch it would refuse a command with.
 */
import path from 'node:path';
import { types } from 'node:util';
import { isError } from '../actors/errors.js';
import { formatShort } from '../actors/format.js';
import { Pid } from '../actors/identifiers.js';
import { Monitor } from '../actors/monitors.js';
import type { AsyncJob, BusyLimits, Driver, PosixError } from './driver.js';
import { LIMITS, parseLimits } from './port-options.js';
import { isPosixName } from './posix.js';

export function checkBytes(name: string, value: unknown): void {
  if (!types.isUint8Array(value)) throw wrongType(name, 'a Uint8Array', value);
}

export function checkPieces(name: string, value: unknown): void {
  if (!Array.isArray(value) || !value.every(types.isUint8Array)) {
    throw wrongType(name, 'an array of Uint8Arrays', value);
  }
}

export function checkInteger(name: string, value: unknown, greatest = Number.MAX_SAFE_INTEGER): void {
  if (Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= greatest) return;
  const what = `an integer from 0 to ${greatest}`;
  throw typeof value === 'number' ? new RangeError(message(name, what, value)) : wrongType(name, what, value);
}

export function checkBoolean(name: string, value: unknown): void {
  if (typeof value !== 'boolean') throw wrongType(name, 'a boolean', value);
}

export function checkText(name: string, value: unknown): void {
  if (typeof value !== 'string') throw wrongType(name, 'a string', value);
}

export function checkFunction(name: string, value: unknown): void {
  if (typeof value !== 'function') throw wrongType(name, 'a function', value);
}

export function checkPid(name: string, value: unknown): void {
  if (!(value instanceof Pid)) throw wrongType(name, 'a pid', value);
}

export function checkMonitor(name: string, value: unknown): void {
  if (!(value instanceof Monitor)) throw wrongType(name, 'what monitor_process has answered', value);
}

/** An Error without a number or a name of the operating system's is an unknown one. */
export function checkPosix(name: string, value: PosixError): void {
  if (Number.isSafeInteger(value) || isPosixName(value) || isError(value)) return;
  const { code, errno } = Object(value) as NodeJS.ErrnoException;
  if (isPosixName(code) || Number.isSafeInteger(errno)) return;
  throw wrongType(name, 'the number or the name of an error of the operating system, or an Error', value);
}

export function checkLimits(name: string, value: BusyLimits): BusyLimits {
  try {
    return parseLimits(value, name);
  } catch {
    throw new RangeError(message(name, LIMITS, value));
  }
}

export function checkJob(name: string, value: AsyncJob): void {
  if (typeof value !== 'object' || value === null) throw wrongType(name, 'an object', value);
  const { filename } = value;
  checkText(`${name}.filename`, filename);
  if (!path.isAbsolute(filename) && !filename.startsWith('file:')) {
    throw new RangeError(message(`${name}.filename`, 'an absolute path', filename));
  }
  if (value.name !== undefined) checkText(`${name}.name`, value.name);
  if (value.free !== undefined) checkFunction(`${name}.free`, value.free);
  const { transfer } = value;
  if (transfer !== undefined && !Array.isArray(transfer))
    throw wrongType(`${name}.transfer`, 'an array', transfer);
}

export function checkDriver(name: string, value: Driver): void {
  if (typeof value !== 'object' || value === null) throw wrongType(name, 'an object', value);
  checkText(`${name}.name`, value.name);
  if (value.name === '') throw new RangeError(`${name}.name has to be at least a character`);
  checkFunction(`${name}.start`, value.start);
}

function wrongType(name: string, what: string, value: unknown): TypeError {
  return new TypeError(message(name, what, value));
}

function message(name: string, what: string, value: unknown): string {
  return `${name} has to be ${what}, not ${formatShort(value)}`;
}
