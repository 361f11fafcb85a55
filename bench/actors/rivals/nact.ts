import { type ActorSystemRef, dispatch, query, type Ref, spawn, start, stop } from 'nact';
import { check } from '../check.js';
import type { Operation, Population, Repeat, Rival } from '../rival.js';

/** Actors as a function that is called with each message; a turn of the event loop for every one. */
export const nact: Rival = {
  name: 'nact',
  guarantees: 'a function called with each message, supervision; one thread',
  get operations() {
    return Object.keys(PREPARE) as Operation[];
  },
  async operate(operation, _rundir, measure) {
    const prepare = PREPARE[operation] as (system: ActorSystemRef) => Repeat;
    return inSystem((system) => measure(prepare(system)));
  },
  populate: (_rundir, measure) => inSystem((system) => measure(population(system))),
};

const RING = 1000;

interface Ping {
  readonly from: Ref<number>;
  readonly n: number;
}

interface Token {
  readonly hops: number;
  readonly home: Ref<unknown>;
}

const PREPARE: Readonly<Partial<Record<Operation, (system: ActorSystemRef) => Repeat>>> = {
  'ping-pong': (system) => {
    const pong = actor<Ping>(system, ({ from, n }) => dispatch(from, n));
    const ping: Main<number> = main(system, (n) => {
      check(ping.left, n);
      if (--ping.left === 0) ping.done();
      else dispatch(pong, { from: ping.ref, n: ping.left });
    });
    return (count) => {
      ping.left = count / 2;
      return ping.run(() => dispatch(pong, { from: ping.ref, n: ping.left }));
    };
  },

  flood: (system) => {
    const drain: Main<['t', ['data', Buffer]]> = main(system, ([, [, x]]) => {
      check(true, x instanceof Uint8Array);
      if (--drain.left === 0) drain.done();
    });
    const x = Buffer.from('x');
    return (count) => {
      drain.left = count;
      return drain.run(() => {
        for (let n = 0; n < count; n++) dispatch(drain.ref, ['t', ['data', x]]);
      });
    };
  },

  ring: (system) => {
    const home: Main<unknown> = main(system, () => home.done());
    const actors: Ref<Token>[] = [];
    for (let n = 0; n < RING; n++) {
      actors[n] = actor<Token>(system, ({ hops, home }) => {
        if (hops === 0) dispatch(home, 'token_is_through');
        else dispatch(actors[(n + 1) % RING] as Ref<Token>, { hops: hops - 1, home });
      });
    }
    return (count) => home.run(() => dispatch(actors[0] as Ref<Token>, { hops: count - 1, home: home.ref }));
  },

  spawn: (system) => {
    const home: Main<number> = main(system, (n) => {
      check(home.left, n);
      if (--home.left === 0) home.done();
      else spawnOne(system, home.left, home.ref);
    });
    return (count) => {
      home.left = count;
      return home.run(() => spawnOne(system, count, home.ref));
    };
  },

  'spawn-batch': (system) => {
    const home: Main<number> = main(system, () => {
      if (--home.left === 0) home.done();
    });
    return (count) => {
      home.left = count;
      return home.run(() => {
        for (let n = count; n > 0; n--) spawnOne(system, n, home.ref);
      });
    };
  },

  'spawn-monitor': (system) => {
    const spawnWatched = () => {
      const afterStop = () => dispatch(home.ref, 'down');
      const child = actor<'end'>(system, (_, self) => stop(self), { afterStop });
      dispatch(child, 'end');
    };
    const home: Main<string> = main(system, () => {
      if (--home.left === 0) home.done();
      else spawnWatched();
    });
    return (count) => {
      home.left = count;
      return home.run(spawnWatched);
    };
  },

  call: (system) => {
    const counter = spawn(
      system,
      (n: number | undefined, { from, add }: { from: Ref<number>; add: number }) => {
        const sum = (n ?? 0) + add;
        dispatch(from, sum);
        return sum;
      },
    );
    let sum = 0;
    return async (count) => {
      for (let n = count; n > 0; n--)
        check(++sum, await query(counter, (from: Ref<number>) => ({ from, add: 1 }), 5000));
    };
  },
};

/** An actor that the measurement waits for. */
interface Main<M> {
  readonly ref: Ref<M>;
  /** Of what it counts down. */
  left: number;
  /** Resolves when it is `done`. */
  run(action: () => void): Promise<void>;
  done(): void;
}

function main<M>(system: ActorSystemRef, handle: (message: M) => void): Main<M> {
  return {
    ref: actor<M>(system, handle),
    left: 0,
    run(action) {
      return new Promise((resolve) => {
        this.done = resolve;
        action();
      });
    },
    done() {},
  };
}

let named = 0;

function actor<M>(
  system: ActorSystemRef,
  handle: (message: M, self: Ref<M>) => void,
  properties = {},
): Ref<M> {
  const f = (_state: undefined, message: M, ctx: { self: Ref<M> }) => handle(message, ctx.self);
  // The names that it makes up by itself are too few for a million.
  return spawn(system, f as never, `actor-${++named}`, properties) as Ref<M>;
}

function spawnOne(system: ActorSystemRef, n: number, home: Ref<number>): void {
  const child = actor<number>(system, (n, self) => {
    dispatch(home, n);
    stop(self);
  });
  dispatch(child, n);
}

function population(system: ActorSystemRef): Population {
  const actors: Ref<'ping' | 'stop'>[] = [];
  const home: Main<string> = main(system, () => {
    if (--home.left === 0) home.done();
  });
  const all = (message: 'ping' | 'stop') => {
    home.left = actors.length;
    return home.run(() => {
      for (const actor of actors) dispatch(actor, message);
    });
  };
  return {
    async start(count) {
      // One that has been spawned waits already.
      for (let n = 0; n < count; n++) {
        const resident = actor<'ping' | 'stop'>(system, (message, self) => {
          dispatch(home.ref, message);
          if (message === 'stop') stop(self);
        });
        actors.push(resident);
      }
    },
    talk: () => all('ping'),
    end: () => all('stop'),
  };
}

async function inSystem<T>(body: (system: ActorSystemRef) => Promise<T>): Promise<T> {
  const system = start();
  try {
    return await body(system);
  } finally {
    stop(system);
  }
}
