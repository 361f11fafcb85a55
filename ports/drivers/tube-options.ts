import { badarg } from '../../actors/errors.js';
import { parseOptions, parsePair } from '../../actors/options.js';
import { type Active, isActive } from './active-mode.js';
import { isRingSize } from './tube-resources.js';

/** What becomes of a packet that finds the ring full: dropped and counted, or its sender is suspended. */
export type Full = 'drop' | 'busy';

/** The options of a tube that can be changed at any time. */
export interface TubeSettings {
  readonly full: Full;
  readonly active: Active;
  /**
   * For how many microseconds to look again and again for packets, and for room, before going to sleep: 0 to 1000. Looking
   * takes a core, and is of use where the other side has one as well.
   */
  readonly spin: number;
}

/** One of them. */
export type TubeOption = {
  [K in keyof TubeSettings]: readonly [key: K, value: TubeSettings[K]];
}[keyof TubeSettings];

const MOST_SPIN = 1000;

const IS_VALUE: { readonly [K in keyof TubeSettings]: (value: unknown) => boolean } = {
  full: (value) => value === 'drop' || value === 'busy',
  active: isActive,
  spin: (value) => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MOST_SPIN,
};

export function isTubeOptionName(name: unknown): name is keyof TubeSettings {
  return typeof name === 'string' && Object.hasOwn(IS_VALUE, name);
}

/**
 * How the memory of a tube is laid out, which is up to who opens it: rings of so many bytes in each direction, a power of
 * two from 128 KiB to 8 MiB, or LING's 31 slots.
 */
export type Ring = number | 'ling';

/** What open takes. */
export type OpenOption = TubeOption | readonly [key: 'ring', value: Ring];

/** A list of options, and `ring` taken out of it; raises badarg for anything else. */
export function parseOpenOptions(options: unknown): {
  options: readonly TubeOption[];
  ring: Ring | undefined;
} {
  const isRing = (option: unknown): boolean => Array.isArray(option) && option[0] === 'ring';
  const given = parseOptions(options);
  const rings = given.filter(isRing).map((option) => parsePair(option)[1] as Ring);
  if (!rings.every((ring) => ring === 'ling' || isRingSize(ring))) throw badarg('that is no size of a ring');
  return { options: parseTubeOptions(given.filter((option) => !isRing(option))), ring: rings.at(-1) };
}

/** A list of options; raises badarg for anything else. */
export function parseTubeOptions(options: unknown): readonly TubeOption[] {
  return parseOptions(options).map((option) => {
    const [name, value] = parsePair(option);
    if (!isTubeOptionName(name) || !IS_VALUE[name](value)) throw badarg('a tube has no such option');
    return [name, value] as TubeOption;
  });
}
