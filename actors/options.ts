import { types } from 'node:util';
import { badarg } from './errors.js';
import { formatShort } from './format.js';
import type { List } from './term.js';

/** A list of options: an array, or a list that is proper. Raises badarg. */
export function parseOptions(options: unknown): readonly unknown[] {
  if (!Array.isArray(options) || (options as List).tail !== undefined)
    throw badarg(`the options have to be a list, not ${formatShort(options)}`);
  return options;
}

/** As {@link parseOptions}, of flags alone: raises badarg for one that is none of `known`. */
export function parseFlags<F extends string>(options: unknown, known: readonly F[]): readonly F[] {
  const flags = parseOptions(options);
  for (const flag of flags) {
    if (!known.includes(flag as F)) {
      throw badarg(`${formatShort(flag)} is no option here: these are ${known.join(', ')}`);
    }
  }
  return flags as readonly F[];
}

/** An option `[key, value]`; raises badarg for anything else. */
export function parsePair(option: unknown): readonly [key: unknown, value: unknown] {
  if (!Array.isArray(option) || option.length !== 2)
    throw badarg(`an option has to be [key, value], not ${formatShort(option)}`);
  return option as [unknown, unknown];
}

/** An object of options, which has none but `known`; raises badarg for anything else. `what` they are for is said there. */
export function checkOptions(options: unknown, what: string, known: readonly string[]): void {
  const isObject = typeof options === 'object' && options !== null;
  if (!isObject || Array.isArray(options) || types.isArrayBufferView(options))
    throw badarg(`the options of ${what} have to be an object, not ${formatShort(options)}`);
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) throw badarg(`${name} is no option of ${what}`);
  }
}
