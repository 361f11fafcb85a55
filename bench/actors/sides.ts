import type { ActorsProgram } from '../programs/actors.js';
import type { World } from '../world.js';
import { erlangVersion, runErlang } from './erlang.js';
import { BATCHES, type Operated, type Operation, type Populated, type Rival } from './rival.js';
import { RIVALS } from './rivals/index.js';

/** Whoever is measured, in whatever language: each measurement is a fresh OS process. */
export interface Side {
  readonly name: string;
  readonly guarantees: string;
  can(operation: Operation): boolean;
  operate(world: World, operation: Operation, time: Time): Promise<Operated>;
  populate(world: World, population: number): Promise<Populated>;
}

/** In milliseconds. */
export interface Time {
  readonly warmUp: number;
  readonly measured: number;
}

/** More processes than any question asks for: its default are 262,144. */
const MAX_PROCESSES = ['+P', '2000000'];

function javaScript({ name, guarantees, operations }: Rival): Side {
  const run = async <T>(world: World, what: ActorsProgram) => {
    const program = world.start('actors', what);
    const said = await program.hear<T>();
    await program.end();
    return said;
  };
  return {
    name,
    guarantees,
    can: (operation) => operations.includes(operation),
    operate: (world, operation, time) => run(world, { rival: name, operation, ...time }),
    populate: (world, population) => run(world, { rival: name, population }),
  };
}

function erlang(name: string, guarantees: string, flags: readonly string[]): Side {
  return {
    name,
    guarantees,
    can: () => true,
    operate: (world, operation, { warmUp, measured }) => {
      const batch = BATCHES[operation];
      return runErlang(world.directory, 'operations', flags, [operation, batch, warmUp, measured]);
    },
    populate: (world, population) =>
      runErlang(world.directory, 'population', [...flags, ...MAX_PROCESSES], [population]),
  };
}

const [ours, ...others] = RIVALS.map(javaScript) as [Side, ...Side[]];
const version = erlangVersion();
const beam =
  version === undefined
    ? []
    : [
        erlang('erl', `${version}, a scheduler for each core`, []),
        erlang('erl +S 1', 'one scheduler', ['+S', '1']),
      ];

/** Ours first: ratios are the first one's to each of the others. */
export const SIDES: readonly Side[] = [ours, ...beam, ...others];

/** What holds for all questions. */
export const NOTES: readonly string[] = [
  ...SIDES.map(({ name, guarantees }) => `${name}: ${guarantees}.`),
  ...(version === undefined ? ['erl is missing here: install Erlang/OTP to have it compared.'] : []),
  'CPU time is that of all threads, with what the schedulers of BEAM spend on looking for work.',
  'Ratios: what ling-tubes takes to what this side takes, round by round; below 1, ling-tubes takes less.',
];
