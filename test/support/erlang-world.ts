/** The helpers that the cases in test/fixtures/erlang are written with, for our processes. */
import { exitReason } from '#actors/errors';
import { Pid, Port, Reference } from '#actors/identifiers';
import type { Process } from '#actors/process';
import type { Runtime } from '#actors/runtime';
import { isList, isTuple, list, toList } from '#actors/term';

/** How long nothing has to happen until nothing more is expected: all signals are delivered at once. */
const SILENCE = 4;

type Job<S> = (self: S) => unknown;

/** Runs a case as a process of a runtime, which ends with it: what it answers, with names for identifiers. */
export async function observe<S extends Process, W extends World<S>>(
  runtime: Runtime<S>,
  WorldClass: new (self: S) => W,
  play: (world: W, self: S) => unknown,
): Promise<unknown> {
  try {
    return await new Promise((resolve, reject) => {
      runtime.spawn(async (self) => {
        const world = new WorldClass(self);
        world.name(self.pid, 'self');
        try {
          resolve(world.normalise(await play(world, self)));
        } catch (error) {
          reject(error);
        }
      });
    });
  } finally {
    runtime.stop();
  }
}

export class World<S extends Process = Process> {
  private readonly labels = new Map<unknown, string>();
  private readonly fates = new Map<Pid, unknown>();

  constructor(protected readonly self: S) {}

  name<T>(id: T, label: string): T {
    this.labels.set(id, label);
    return id;
  }

  trap(): void {
    this.self.process_flag('trap_exit', true);
  }

  /** `['ok', value]` or `[class, reason]`. */
  async ex(job: () => unknown): Promise<unknown> {
    try {
      return ['ok', await job()];
    } catch (thrown) {
      const reason = exitReason(thrown);
      return thrown instanceof Error && thrown.name === 'ErlangError'
        ? ['error', isTuple(reason) ? reason[0] : reason]
        : ['exit', reason];
    }
  }

  async exAll(jobs: (() => unknown)[]): Promise<unknown> {
    const results = list<unknown>();
    for (const job of jobs) results.push(await this.ex(job));
    return results;
  }

  async rcv(self: Process = this.self, after = 1000): Promise<unknown> {
    return (await self.receive(undefined, { after })) ?? 'timeout';
  }

  async mbox(self: Process = this.self, silence = SILENCE): Promise<unknown> {
    const messages = list<unknown>();
    for (;;) {
      const message = await self.receive(undefined, { after: silence });
      if (message === undefined) return messages;
      messages.push(message);
    }
  }

  mbox0(self: Process = this.self): Promise<unknown> {
    return this.mbox(self, 0);
  }

  async dead(): Promise<Pid> {
    const [pid, ref] = this.self.spawn_monitor(() => {});
    await this.self.receive((m) => isTuple(m) && m[1] === ref);
    return this.name(pid, 'Dead');
  }

  /** A process that does what it is told by `on` and `cast`. */
  async proc(label: string, trap: 'trap' | 'notrap' = 'notrap'): Promise<Pid> {
    const pid = this.self.spawn(async (self) => {
      self.process_flag('trap_exit', trap === 'trap');
      for (;;) {
        const [, from, ref, job] = await self.receive(isOrder<S>);
        const value = await job(self as S);
        self.send(from, [ref, value]);
      }
    });
    this.self.spawn(async (self) => {
      const ref = self.monitor('process', pid);
      const down = (await self.receive((m) => isTuple(m) && m[1] === ref)) as unknown[];
      this.fates.set(pid, down[4]);
    });
    await settle(this.self);
    return this.name(pid, label);
  }

  async on(pid: Pid, job: Job<S>): Promise<unknown> {
    const { self } = this;
    const ref = self.make_ref();
    self.send(pid, ['$on', self.pid, ref, job]);
    const monitor = self.monitor('process', pid);
    const answer = (await self.receive((m) => isTuple(m) && (m[0] === ref || m[1] === monitor))) as unknown[];
    if (answer[0] !== ref) return ['died', answer[4]];
    self.demonitor(monitor, ['flush']);
    return answer[1];
  }

  cast(pid: Pid, job: Job<S>): void {
    const nobody = this.self.spawn(() => {});
    this.self.send(pid, ['$on', nobody, this.self.make_ref(), job]);
  }

  async inbox(pid: Pid): Promise<unknown> {
    await settle(this.self);
    return this.on(pid, (self) => this.mbox(self));
  }

  async fate(pid: Pid): Promise<unknown> {
    await settle(this.self);
    if (this.fates.has(pid)) return ['exited', this.fates.get(pid)];
    return this.self.is_process_alive(pid) ? 'alive' : 'dead_unknown';
  }

  links(self: Process): unknown {
    return (self.process_info(self.pid, 'links') as unknown[])[1];
  }

  async linkMatrix(trap: 'trap' | 'notrap', die: Job<S>): Promise<unknown> {
    const parent = await this.proc('Parent', trap);
    const child = await this.proc('Child');
    await this.on(parent, (self) => self.link(child));
    this.cast(child, die);
    const fate = await this.fate(parent);
    return [fate, await this.inboxIfAlive(parent, fate)];
  }

  async exit2Matrix(trap: 'trap' | 'notrap', reason: unknown): Promise<unknown> {
    const a = await this.proc('A');
    const b = await this.proc('B', trap);
    const result = await this.on(a, (self) => self.exit(b, reason));
    const fate = await this.fate(b);
    return [result, fate, await this.inboxIfAlive(b, fate)];
  }

  async exit2LinkedMatrix(
    trapA: 'trap' | 'notrap',
    trapB: 'trap' | 'notrap',
    reason: unknown,
  ): Promise<unknown> {
    const a = await this.proc('A', trapA);
    const b = await this.proc('B', trapB);
    await this.on(a, (self) => self.link(b));
    this.cast(a, (self) => self.exit(b, reason));
    const fateB = await this.fate(b);
    const fateA = await this.fate(a);
    return [['b', fateB], ['a', fateA], fateA === 'alive' ? ['a_got', await this.inbox(a)] : 'dead'];
  }

  async selfMatrix(trap: 'trap' | 'notrap', reason: unknown): Promise<unknown> {
    const a = await this.proc('A', trap);
    const result = await this.on(a, (self) => {
      self.exit(self.pid, reason);
      return 'survived';
    });
    const fate = await this.fate(a);
    return [result, fate, await this.inboxIfAlive(a, fate)];
  }

  private async inboxIfAlive(pid: Pid, fate: unknown): Promise<unknown> {
    return fate === 'alive' ? this.inbox(pid) : list();
  }

  /** Terms as the fixture has them: identifiers by their labels, stack traces as such. */
  normalise(term: unknown): unknown {
    if (term instanceof Pid) return `<${this.labels.get(term) ?? 'pid'}>`;
    if (term instanceof Port) return `<${this.labels.get(term) ?? 'port'}>`;
    if (term instanceof Reference) return `<${this.labels.get(term) ?? 'ref'}>`;
    if (isList(term)) {
      if (isStack(term)) return '<stack>';
      const items = toList(Array.from(term, (item) => this.normalise(item)));
      if (term.tail !== undefined) items.tail = this.normalise(term.tail);
      return items;
    }
    if (isTuple(term)) return term.map((item) => this.normalise(item));
    return term;
  }
}

/** A term of the fixture's typed JSON. */
export function parseObserved(json: unknown): unknown {
  if (typeof json === 'number') return json;
  if (Array.isArray(json)) return list(...json.map(parseObserved));
  const { atom, tuple, id, bin, str, float, int, map, improper } = json as {
    [kind in 'atom' | 'id' | 'bin' | 'str' | 'float' | 'int']?: string;
  } & { tuple?: unknown[]; map?: [unknown, unknown][]; improper?: [unknown[], unknown] };
  if (float !== undefined) return Number(float);
  if (improper !== undefined) {
    const items = list(...improper[0].map(parseObserved));
    items.tail = parseObserved(improper[1]);
    return items;
  }
  if (int !== undefined) return BigInt(int);
  if (map !== undefined)
    return new Map(map.map(([key, value]) => [parseObserved(key), parseObserved(value)]));
  if (bin !== undefined) return Buffer.from(bin, 'latin1');
  if (str !== undefined) return toList([...Buffer.from(str, 'latin1')]);
  if (tuple !== undefined) return tuple.map(parseObserved);
  if (id !== undefined) return `<${id}>`;
  if (atom === 'true' || atom === 'false') return atom === 'true';
  if (atom !== undefined) return atom;
  throw new Error(`cannot read ${JSON.stringify(json)}`);
}

export async function settle(self: Process): Promise<void> {
  await self.receive(() => false, { after: SILENCE });
}

type Order<S> = ['$on', Pid, Reference, Job<S>];

function isOrder<S>(message: unknown): message is Order<S> {
  return isTuple(message) && message[0] === '$on';
}

function isStack(term: unknown[]): boolean {
  return term.length > 0 && term.every((frame) => isTuple(frame) && frame.length === 4 && isList(frame[3]));
}
