import { mkdtempSync, rmdirSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { askBench, describeQuestion, whoIsAskedFor } from '../support/ask-bench';

const ERLANG = ['erl', 'erl +S 1'];
const JAVASCRIPT = ['nact', 'promises'];

// What each question compares, and with whom.
const QUESTIONS: [name: string, subject: string, rivals: string[]][] = [
  ['ping-pong', 'a message', [...ERLANG, ...JAVASCRIPT]],
  ['flood', 'a message', [...ERLANG, ...JAVASCRIPT]],
  ['spawn', '1000 at once', [...ERLANG, ...JAVASCRIPT]],
  ['spawn', 'one after the other, monitored', [...ERLANG, 'nact']],
  ['ring', 'a hop', [...ERLANG, ...JAVASCRIPT]],
  ['select', 'by tag', ERLANG],
  ['select', 'by a reference just made', ERLANG],
  ['call', 'empty mailbox', [...ERLANG, ...JAVASCRIPT]],
  ['call', 'caller has 1000 messages', ERLANG],
  ['idle', '10,000 processes', [...ERLANG, ...JAVASCRIPT]],
];

for (const name of new Set(QUESTIONS.map(([name]) => name))) {
  describeQuestion('actors', name, (asked) => {
    test.each(QUESTIONS.filter((question) => question[0] === name))(
      '%s: ours comes first of %s, then %j',
      (_, subject, rivals) => {
        expect(whoIsAskedFor(asked(), subject)).toEqual(['ling-tubes', ...rivals]);
      },
    );
  });
}

test('without erl it says so, and compares the rest', async () => {
  const nothing = mkdtempSync(path.join(os.tmpdir(), 'ling-tubes-bench-path-'));
  try {
    const asked = await askBench('actors', ['ring', 'select'], { PATH: nothing });
    expect(asked.output).toContain('erl is missing');
    expect(whoIsAskedFor(asked, 'a hop')).toEqual(['ling-tubes', ...JAVASCRIPT]);
    expect(whoIsAskedFor(asked, 'by tag')).toEqual(['ling-tubes']);
  } finally {
    rmdirSync(nothing);
  }
}, 90_000);

test('several questions have a table of all ratios in the end', async () => {
  const { output } = await askBench('actors', ['ring', 'ping-pong'], {});
  const [, table] = output.split('## All ratios\n');
  const rows = table?.split('\n').filter((line) => line.startsWith('|')) ?? [];
  expect(rows.slice(2).map((row) => row.split('|')[1]?.trim())).toEqual([
    'ping-pong, a message: time',
    'ping-pong, a message: CPU time',
    'ring, a hop: time',
    'ring, a hop: CPU time',
  ]);
  expect(rows[0]?.split('|').map((cell) => cell.trim())).toEqual(['', '', ...ERLANG, ...JAVASCRIPT, '']);
}, 90_000);
