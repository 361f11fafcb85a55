/** Values of every kind, each of them nonsense for most arguments. */
import { Origin, Pid, type Port } from '#actors/identifiers';
import type { Domid, Self } from '#lib/index';

/** What is there to make them of. */
export interface World {
  readonly self: Self;
  readonly dead: Pid;
  readonly closed: Port;
  /** A domain that accepts tubes. */
  readonly peer: Domid;
}

const MESSAGE = 'a trap of the proxy';

/** Whatever is done with it raises an error: that one, of whoever made it, may come through. */
function hostile(): object {
  const traps = new Proxy(
    {},
    {
      get: () => () => {
        throw new Error(MESSAGE);
      },
    },
  );
  return new Proxy({}, traps);
}

export function isOfHostile(error: unknown): boolean {
  return error instanceof Error && error.message === MESSAGE;
}

function cyclic(): unknown[] {
  const array: unknown[] = [];
  array.push(array);
  return array;
}

const HUGE_BYTES = Buffer.alloc(2 ** 24, 'x');
const HUGE_TEXT = 'x'.repeat(2 ** 20);

const MAKE = {
  undefined: () => undefined,
  null: () => null,
  true: () => true,
  'empty text': () => '',
  text: () => 'x',
  'huge text': () => HUGE_TEXT,
  negative: () => -1,
  fraction: () => 1.5,
  NaN: () => Number.NaN,
  infinite: () => Number.POSITIVE_INFINITY,
  'beyond integers': () => 2 ** 53,
  bigint: () => 2n ** 64n,
  symbol: () => Symbol('nonsense'),
  object: () => ({}),
  'bare object': () => Object.create(null),
  array: () => [],
  'array in array': () => [[]],
  'cyclic array': cyclic,
  map: () => new Map(),
  date: () => new Date(),
  promise: () => Promise.resolve('x'),
  function: () => () => true,
  bytes: () => Buffer.from('x'),
  'no bytes': () => Buffer.alloc(0),
  'huge bytes': () => HUGE_BYTES,
  'only like bytes': () => Object.create(Uint8Array.prototype),
  'far pid': () => new Pid(new Origin('far@away', 7), 1),
  'dead pid': ({ dead }) => dead,
  'closed port': ({ closed }) => closed,
  reference: ({ self }) => self.make_ref(),
  proxy: hostile,
} satisfies Record<string, (world: World) => unknown>;

export type Kind = keyof typeof MAKE;
export const KINDS = Object.keys(MAKE) as Kind[];

export function makeNonsense(kind: Kind, world: World): unknown {
  return MAKE[kind](world);
}

export function allBut(...kinds: Kind[]): readonly Kind[] {
  return KINDS.filter((kind) => !kinds.includes(kind));
}

export const ALL = allBut();
export const TEXTS: readonly Kind[] = ['text', 'empty text', 'huge text'];
export const BYTES: readonly Kind[] = ['bytes', 'no bytes', 'huge bytes'];
/** Objects that have no options in them. */
export const NO_OPTIONS: readonly Kind[] = [
  ...(['undefined', 'object', 'bare object', 'map', 'date', 'promise', 'only like bytes'] as const),
];
