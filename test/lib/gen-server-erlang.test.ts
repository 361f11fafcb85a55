/** What OTP's own gen_server does with each case of a product, ours has to do too. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect, isDeepStrictEqual } from 'node:util';
import { binary_to_term, term_to_binary } from '#actors/external-term';
import { Runtime } from '#actors/runtime';
import { list } from '#actors/term';
import { IN_CALLBACKS, IN_INIT, IN_TERMINATE } from '../fixtures/gen-server/cases';
import { type Case, play } from '../fixtures/gen-server/player';
import { run } from '../support/run';
import { runProcess } from '../support/run-process';

// Stack traces cost most of the time, and are not looked at.
const { stackTraceLimit } = Error;
beforeAll(() => {
  Error.stackTraceLimit = 1;
});
afterAll(() => {
  Error.stackTraceLimit = stackTraceLimit;
});

let directory: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'gen-server-'));
  const source = join(__dirname, '../fixtures/gen-server/server_player.erl');
  const { status, stdout, stderr } = await run('erlc', ['-o', directory, source]);
  if (status !== 0) throw new Error(stdout + stderr);
});
afterAll(() => rmSync(directory, { recursive: true }));

test.each([
  ['init', IN_INIT],
  ['a callback', IN_CALLBACKS],
  ['terminate', IN_TERMINATE],
])(
  'whatever %s answers or raises: server, caller and parent see what they see in Erlang',
  async (where, cases) => {
    const doubtful = await differences(where, cases, AT_ONCE);
    // On a machine that is busy with others some have taken too long: these few are played again, one by one.
    const differing = await differences(
      where,
      doubtful.map(({ played }) => played),
      1,
    );
    expect(differing.map(({ played, erlang, here }) => show(played, { erlang, here }))).toEqual([]);
  },
);

async function differences(where: string, cases: readonly Case[], atOnce: number) {
  if (cases.length === 0) return [];
  const [theirs, ours] = await Promise.all([observeErlang(where, cases), observeOurs(cases, atOnce)]);
  expect(theirs.length).toBe(cases.length);
  return cases.flatMap((played, i) => {
    const [erlang, here] = [theirs[i], ours[i]];
    return isDeepStrictEqual(comparable(erlang), comparable(here)) ? [] : [{ played, erlang, here }];
  });
}

async function observeErlang(where: string, cases: readonly Case[]): Promise<unknown[]> {
  const file = join(directory, where);
  writeFileSync(file, term_to_binary(list(...cases)));
  const args = ['-noshell', '-pa', directory, '-s', 'server_player', 'main', file];
  const { stdout } = await run('erl', args, { patience: 60_000 });
  return binary_to_term(Buffer.from(stdout, 'base64')) as unknown[];
}

function show(...terms: unknown[]): string {
  return terms.map((term) => inspect(term, { depth: null, breakLength: Number.POSITIVE_INFINITY })).join(' ');
}

/** A driver that ends with its server, by the link, may have been told something before that, or not. */
function comparable(observed: unknown): unknown {
  const [server, driver, endOfDriver, endOfServer] = observed as unknown[];
  return [
    server,
    endOfDriver === 'done' || endOfDriver === 'normal' ? driver : 'whatever',
    endOfDriver,
    endOfServer,
  ];
}

/** So many at once that the event loop keeps up: a server that times out has to do so in time. */
const AT_ONCE = 60;

async function observeOurs(cases: readonly Case[], atOnce: number): Promise<unknown[]> {
  const runtime = new Runtime({ onCrash: () => {} });
  const observed: unknown[] = [];
  try {
    for (let i = 0; i < cases.length; i += atOnce) {
      const some = cases.slice(i, i + atOnce);
      observed.push(
        ...(await Promise.all(some.map((one) => runProcess(runtime, (self) => play(self, one))))),
      );
    }
    return observed;
  } finally {
    runtime.stop();
  }
}
