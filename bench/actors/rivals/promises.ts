import { check } from '../check.js';
import type { Operation, Population, Repeat, Rival } from '../rival.js';

/** What one would write without any package: async functions, and a queue between them where they send to each other. */
export const promises: Rival = {
  name: 'promises',
  guarantees: 'async functions and queues by hand: no exits, links or monitors, no turn for I/O; one thread',
  get operations() {
    return Object.keys(PREPARE) as Operation[];
  },
  operate: (operation, _rundir, measure) => measure((PREPARE[operation] as () => Repeat)()),
  populate: (_rundir, measure) => measure(population()),
};

const RING = 1000;

const PREPARE: Readonly<Partial<Record<Operation, () => Repeat>>> = {
  'ping-pong': () => {
    const pings = new Queue<readonly ['ping', Queue<['pong', number]>, number]>();
    const pongs = new Queue<['pong', number]>();
    void (async () => {
      for (;;) {
        const [, from, n] = await pings.take();
        from.put(['pong', n]);
      }
    })();
    return async (count) => {
      for (let n = count / 2; n > 0; n--) {
        pings.put(['ping', pongs, n]);
        check(n, (await pongs.take())[1]);
      }
    };
  },

  flood: () => {
    const queue = new Queue<['t', ['data', Uint8Array]]>();
    const x = Buffer.from('x');
    return async (count) => {
      const drained = (async () => {
        for (let got = 0; got < count; got++) check(true, (await queue.take())[1][1] instanceof Uint8Array);
      })();
      for (let n = 0; n < count; n++) queue.put(['t', ['data', x]]);
      await drained;
    };
  },

  ring: () => {
    const queues = Array.from({ length: RING }, () => new Queue<['token', number]>());
    const through = new Queue<'token_is_through'>();
    for (const [i, queue] of queues.entries()) {
      const next = queues[(i + 1) % RING] as Queue<['token', number]>;
      void (async () => {
        for (;;) {
          const [, n] = await queue.take();
          if (n === 0) through.put('token_is_through');
          else next.put(['token', n - 1]);
        }
      })();
    }
    return async (count) => {
      queues[0]?.put(['token', count - 1]);
      await through.take();
    };
  },

  spawn: () => async (count) => {
    for (let n = count; n > 0; n--) check(n, await answer(n));
  },

  'spawn-batch': () => async (count) => {
    const answers: Promise<number>[] = [];
    for (let n = count; n > 0; n--) answers.push(answer(n));
    check(count, (await Promise.all(answers)).length);
  },

  call: () => {
    const counter = new Counter();
    let sum = 0;
    return async (count) => {
      for (let n = count; n > 0; n--) check(++sum, await counter.add(1));
    };
  },
};

async function answer(n: number): Promise<number> {
  return n;
}

class Counter {
  #n = 0;

  async add(more: number): Promise<number> {
    this.#n += more;
    return this.#n;
  }
}

function population(): Population {
  const queues: Queue<'ping' | 'stop'>[] = [];
  const home = new Queue<'ready' | 'pong' | 'bye'>();
  const hear = async (expected: string) => {
    for (let n = queues.length; n > 0; n--) check(expected, await home.take());
  };
  return {
    async start(count) {
      for (let n = 0; n < count; n++) {
        const queue = new Queue<'ping' | 'stop'>();
        queues.push(queue);
        void wait(queue, home);
      }
      await hear('ready');
    },
    async talk() {
      for (const queue of queues) queue.put('ping');
      await hear('pong');
    },
    async end() {
      for (const queue of queues) queue.put('stop');
      await hear('bye');
    },
  };
}

async function wait(queue: Queue<'ping' | 'stop'>, home: Queue<'ready' | 'pong' | 'bye'>): Promise<void> {
  home.put('ready');
  while ((await queue.take()) === 'ping') home.put('pong');
  home.put('bye');
}

/** Unbounded, for one taker. */
class Queue<M> {
  #items: M[] = [];
  #first = 0;
  #taker: ((item: M) => void) | undefined = undefined;

  put(item: M): void {
    const taker = this.#taker;
    if (taker === undefined) {
      this.#items.push(item);
    } else {
      this.#taker = undefined;
      taker(item);
    }
  }

  take(): M | Promise<M> {
    if (this.#first < this.#items.length) {
      const item = this.#items[this.#first++] as M;
      if (this.#first === this.#items.length) {
        this.#items = [];
        this.#first = 0;
      }
      return item;
    }
    return new Promise((resolve) => {
      this.#taker = resolve;
    });
  }
}
