/** What Erlang's sockets answered to each script of test/fixtures/inet, ours have to answer too. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { list } from '#actors/term';
import { tcpInetDriver } from '#ports/drivers/tcp-inet';
import { udpInetDriver } from '#ports/drivers/udp-inet';
import { PortRuntime } from '#ports/port-runtime';
import { cases } from '../fixtures/inet/cases';
import { DIFFERENCES } from '../fixtures/inet/differences';
import { play } from '../fixtures/inet/player';
import type { Case } from '../fixtures/inet/steps';
import { write } from '../fixtures/inet/write';
import { runProcess } from '../support/run-process';

const file = path.join(__dirname, '../fixtures/inet/otp25.jsonl');
const recorded = new Map<string, string>(
  readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
    // There are no clauses here: what no clause of Erlang's accepts is badarg.
    .map(([title, answers]) => [title, answers.replaceAll('function_clause', 'badarg')]),
);
const all = cases();
const AT_ONCE = 100;

test('every case has been recorded', () => {
  expect(all.map(({ title }) => title)).toEqual([...recorded.keys()]);
});

const groups = Array.from({ length: Math.ceil(all.length / AT_ONCE) }, (_, i) =>
  all.slice(i * AT_ONCE, (i + 1) * AT_ONCE),
);

test.each(groups.map((group) => [group[0]!.title, group] as const))('%s, and so on', async (_, group) => {
  const cases = group.filter(({ title }) => !DIFFERENCES.some(([pattern]) => pattern.test(title)));
  // On a machine that is busy with others, what takes too long is no answer: these few are played again, slowly.
  const doubtful = await differing(cases, 8);
  expect(
    await differing(
      doubtful.map(({ title }) => cases.find((each) => each.title === title)!),
      40,
    ),
  ).toEqual([]);
});

test('each difference that is known is one', async () => {
  for (const [pattern] of DIFFERENCES) {
    const group = all.filter(({ title }) => pattern.test(title));
    expect([pattern, (await differing(group, 8)).length]).toEqual([pattern, group.length]);
  }
});

async function differing(group: readonly Case[], waits: number) {
  const answers = await Promise.all(group.map((each) => ours(each, waits)));
  return group.flatMap(({ title }, i) => {
    const erlang = recorded.get(title);
    return answers[i] === erlang ? [] : [{ title, erlang, ours: answers[i] }];
  });
}

async function ours({ script }: Case, waits: number): Promise<string> {
  const runtime = new PortRuntime({ onCrash: () => {} });
  runtime.addDriver(tcpInetDriver);
  runtime.addDriver(udpInetDriver);
  try {
    return write(list(...(await runProcess(runtime, (self) => play(self, script, waits)))));
  } finally {
    runtime.stop();
  }
}
