import { badarg } from '../../actors/errors.js';
import { parseOptions, parsePair } from '../../actors/options.js';
import { type Active, isActive } from './active-mode.js';

/** What becomes of a packet that finds the ring full: dropped and counted, or its sender is suspended. */
export type Full = 'drop' | 'busy';

/** The options of a tube that can be changed at any time. */
export interface TubeSettings {
  readonly full: Full;
  readonly active: Active;
}

/** One of them. */
export type TubeOption = {
  [K in keyof TubeSettings]: readonly [key: K, value: TubeSettings[K]];
}[keyof TubeSettings];

const IS_VALUE: { readonly [K in keyof TubeSettings]: (value: unknown) => boolean } = {
  full: (value) => value === 'drop' || value === 'busy',
  active: isActive,
};

export function isTubeOptionName(name: unknown): name is keyof TubeSettings {
  return typeof name === 'string' && Object.hasOwn(IS_VALUE, name);
}

/** A list of options; raises badarg for anything else. */
export function parseTubeOptions(options: unknown): readonly TubeOption[] {
  return parseOptions(options).map((option) => {
    const [name, value] = parsePair(option);
    if (!isTubeOptionName(name) || !IS_VALUE[name](value)) throw badarg('a tube has no such option');
    return [name, value] as TubeOption;
  });
}
