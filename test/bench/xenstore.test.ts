import { mkdtempSync, rmdirSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type Asked, askBench, describeQuestion, whoIsAskedFor } from '../support/ask-bench';

const WAYS = ['one after the other', '64 at once', '50 connections'];

/** What each question asks of every server. */
const SUBJECTS: Readonly<Record<string, readonly string[]>> = {
  requests: ['read', 'write'].flatMap((kind) => WAYS.map((way) => `${kind}, ${way}`)),
  transactions: [
    '1 connection',
    ...[2, 8].flatMap((count) => ['a node each', 'the same node'].map((of) => `${count} connections, ${of}`)),
  ],
  nodes: ['5,000 nodes'],
  listing: ['5,000 nodes, ls of ling-xenstore', '5,000 nodes, ls of xenstore-utils'],
};

for (const [name, subjects] of Object.entries(SUBJECTS)) {
  describeQuestion('xenstore', name, (asked) => {
    test('ours comes first, then xenstored where there is one', () => {
      expect([...new Set(asked().report.questions[0]!.results.map(({ subject }) => subject))]).toEqual(
        subjects,
      );
      for (const subject of subjects) expect(whoIsAskedFor(asked(), subject)).toEqual(serversOf(asked()));
    });

    if (name === 'transactions') {
      test('only what several do to the same node is tried again', () => {
        for (const { subject, samples } of asked().report.questions[0]!.results)
          expect([subject, samples[0]!.retries! > 0]).toEqual([subject, subject.endsWith('the same node')]);
      });
    }
  });
}

describeQuestion('xenstore', 'watches', (asked) => {
  test.each(['at once', 'after 2 ms'])('%s: servers, and programs that watch', (subject) => {
    expect(whoIsAskedFor(asked(), subject)).toEqual([
      ...serversOf(asked()),
      'lingd, watch of ling-xenstore',
      'lingd, watch of xenstore-utils',
    ]);
  });
});

describeQuestion('xenstore', 'commands', (asked) => {
  test.each([
    ['read', ['ling-xenstore', 'xenstore-utils', 'bare Node.js']],
    ['write', ['ling-xenstore', 'xenstore-utils']],
  ])('%s', (subject, who) => {
    expect(whoIsAskedFor(asked(), subject)).toEqual(who);
  });
});

test('without a xenstored and tools it says so, and measures the rest', async () => {
  const nothing = mkdtempSync(path.join(os.tmpdir(), 'ling-tubes-bench-path-'));
  try {
    const asked = await askBench('xenstore', ['watches'], { PATH: nothing });
    expect(asked.output).toContain('xenstored is missing here');
    expect(asked.output).toContain('xenstore-read and its relatives are missing here');
    expect(whoIsAskedFor(asked, 'at once')).toEqual(['lingd', 'lingd, watch of ling-xenstore']);
  } finally {
    rmdirSync(nothing);
  }
}, 90_000);

test('a xenstored that is named and does not run is none', async () => {
  const asked = await askBench('xenstore', ['nodes'], { XENSTORED: '/dev/null' });
  expect(asked.output).toContain('xenstored is missing here');
  expect(whoIsAskedFor(asked, '5,000 nodes')).toEqual(['lingd']);
}, 90_000);

function serversOf({ output }: Asked): string[] {
  return output.includes('xenstored is missing here') ? ['lingd'] : ['lingd', 'xenstored'];
}
