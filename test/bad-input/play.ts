/** Makes the calls of a table, in a domain: nothing of them may be left, and whoever else is there goes on. */
import { setTimeout as sleep } from 'node:timers/promises';
import { types } from 'node:util';
import { type Domain, type Domid, formatReason, isDown, type Pid, type Self, tube } from '#lib/index';
import { Box } from '../support/box';
import { isOfHostile, KINDS, type Kind, makeNonsense, type World } from './nonsense';
import type { Argument, Row } from './rows';

/** What comes of a mistake in this package, and tells nobody which argument is wrong. */
const INTERNAL =
  /Cannot read prop|Cannot destructure|Cannot convert|Cannot mix|is not (a function|iterable|a constructor)|Invalid array length|call stack|incompatible receiver|private member|err_|ERR_INVALID|ERR_OUT|out of memory/;
/** Far more than a call takes. */
const PATIENCE = 10_000;
/** Where it may wait for ever. */
const GLANCE = 20;
const WAITS = 'waits';

interface Scene {
  readonly domain: Domain;
  /** Another one, that accepts tubes. */
  readonly peer: Domid;
  readonly crashes: string[];
}

/** `rowsOf` a domain that is there when they are called. */
export function describeRows(rowsOf: (domain: () => Domain) => readonly Row[]): void {
  const box = new Box();
  const crashes: string[] = [];
  let scene: Scene;
  let neighbour: Pid;
  beforeAll(async () => {
    process.env.XENSTORED_RUNDIR = box.rundir;
    const domain = await box.boot({ name: 'victim' });
    domain.on('crash', (crash) => crashes.push(String(crash)));
    neighbour = domain.spawn(async (self) => {
      for (;;) {
        const [asker, question] = (await self.receive()) as [Pid, unknown];
        self.send(asker, [question]);
      }
    });
    const peer = await box.boot({ name: 'peer' });
    peer.spawn(async (self) => {
      for (;;) await tube.accept(self);
    });
    scene = { domain, peer: peer.domid, crashes };
  });
  afterAll(() => box.close());
  afterEach(async () => {
    expect(scene.domain.status).toBe('running');
    const answer = await scene.domain.run((self) => {
      self.send(neighbour, [self.pid, 'still there?']);
      return self.receive(undefined, { after: PATIENCE });
    });
    expect(answer).toEqual(['still there?']);
  });

  const rows = rowsOf(() => scene.domain);
  describe.each(rows.map((row): [string, Row] => [row.name, row]))('%s', (_, row) => {
    test('takes what is right', async () => {
      const outcome = await play(scene, row, undefined);
      expect(outcome).not.toMatch(INTERNAL);
      expect(outcome === WAITS).toBe(row.endless === true);
    });
    for (const at of row.args.keys()) {
      test(`${row.args[at]!.name}: nonsense`, async () => {
        const complaints: string[] = [];
        for (const kind of KINDS) {
          const complaint = complaintOf(row, row.args[at]!, kind, await play(scene, row, { at, kind }));
          if (complaint !== undefined) complaints.push(`${kind} ${complaint.slice(0, 500)}`);
        }
        expect(complaints).toEqual([]);
      });
    }
  });
}

interface Nonsense {
  readonly at: number;
  readonly kind: Kind;
}

function complaintOf(row: Row, argument: Argument, kind: Kind, outcome: string): string | undefined {
  if (outcome === HOSTILE || (kind === 'proxy' && OF_HOSTILE.test(outcome))) return undefined;
  const { takes, waits, refusal } = argument;
  if (INTERNAL.test(outcome)) return outcome;
  if (outcome === WAITS)
    return waits.includes(kind) || (row.endless && takes.includes(kind)) ? undefined : WAITS;
  if (takes.includes(kind)) return undefined;
  return refusal.test(outcome) ? undefined : outcome;
}

const HOSTILE = 'an error of the proxy';
/** Told as a reason, or by who cannot show it. */
const OF_HOSTILE = /a trap of the proxy|what cannot be shown/;

/** One call, in a process of its own: what has come of it. Raises what is left of one that was refused. */
async function play(
  { domain, peer, crashes }: Scene,
  row: Row,
  nonsense: Nonsense | undefined,
): Promise<string> {
  crashes.length = 0;
  const { runtime } = domain;
  const portsBefore = new Set(runtime.openPorts.keys());
  let outcome = '';
  let left: unknown[] = [];
  let caller: Pid | undefined;
  try {
    await domain.run(async (self) => {
      caller = self.pid;
      const world = await makeWorld(self, peer);
      const values: unknown[] = [];
      for (const [i, argument] of row.args.entries()) {
        const isWrong = i === nonsense?.at;
        values.push(isWrong ? makeNonsense(nonsense!.kind, world) : await argument.right(world));
      }
      const isTaken = nonsense === undefined || row.args[nonsense.at]!.takes.includes(nonsense.kind);
      const mayWait =
        (isTaken && row.endless === true) ||
        (nonsense !== undefined && row.args[nonsense.at]!.waits.includes(nonsense.kind));
      if (row.traps) self.process_flag('trap_exit', true);
      row.prepare?.(self);
      const heldBefore = holdingsOf(self);
      outcome = await oneLineOf(() => row.call(self, values), mayWait ? GLANCE : PATIENCE);
      if (isTaken || outcome === HOSTILE || !self.isAlive) return;
      for (let i = 0; i < 100; i++) {
        left = changes(heldBefore, holdingsOf(self));
        if (left.length === 0) return;
        await sleep(5);
      }
    });
  } catch (error) {
    outcome = `died: ${(error as Error).message}`;
  }
  for (const [port, object] of runtime.openPorts) if (!portsBefore.has(port)) object.close('kill');
  await domain.run(async (self) => {
    for (const pid of runtime.processes()) {
      const parent = self.process_info(pid, 'parent');
      if (parent === 'undefined' || parent[1] !== caller) continue;
      const ref = self.monitor('process', pid);
      self.exit(pid, 'kill');
      await self.receive(isDown(ref));
    }
  });
  if (left.length > 0) throw new Error(`${nonsense?.kind} has left ${formatReason(left)} (${outcome})`);
  if (crashes.length > 0 && !row.crashes) throw new Error(`${nonsense?.kind}: ${crashes[0]} (${outcome})`);
  const internal = crashes.find((crash) => INTERNAL.test(crash));
  return internal === undefined ? outcome : `has crashed: ${internal}`;
}

/** What of a process, or of all, a call that is refused may not change. */
function holdingsOf(self: Self): unknown[] {
  const { runtime, pid } = self;
  const own = ['messages', 'links', 'monitors'] as const;
  const held = own.flatMap((item) => [...(self.process_info(pid, item) as [string, unknown[]])[1]]);
  return [
    ...held.map((each) => (Array.isArray(each) ? formatReason(each) : each)),
    ...runtime.processes(),
    ...runtime.openPorts.keys(),
  ];
}

function changes(before: readonly unknown[], after: readonly unknown[]): unknown[] {
  return after.filter((each) => !before.includes(each));
}

async function makeWorld(self: Self, peer: Domid): Promise<World> {
  const [dead, ref] = self.spawn_monitor(() => {});
  await self.receive(isDown(ref));
  const closed = self.open_port('echo');
  self.unlink(closed);
  self.port_close(closed);
  return { self, dead, closed, peer };
}

/** What is shown of some values has several lines. */
async function oneLineOf(call: () => unknown, patience: number): Promise<string> {
  return (await outcomeOf(call, patience)).replaceAll('\n', ' ');
}

async function outcomeOf(call: () => unknown, patience: number): Promise<string> {
  const wake = new AbortController();
  try {
    const waiting = sleep(patience, WAITS, { signal: wake.signal }).catch(() => WAITS);
    const answer = (async () => `= ${formatReason(await call())}`)();
    return await Promise.race([answer, waiting]);
  } catch (error) {
    if (isOfHostile(error)) return HOSTILE;
    return types.isNativeError(error) ? `${error.name}: ${error.message}` : `threw ${formatReason(error)}`;
  } finally {
    wake.abort();
  }
}
