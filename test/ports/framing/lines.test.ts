import { readFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { LineReader } from '#ports/framing/lines';

/** What is told of bytes that come in these pieces: `|` before a line, `+` before a part of one. */
function told(limit: number, pieces: readonly Buffer[]): string[] {
  const reader = new LineReader(limit);
  const lines = [...pieces.flatMap((piece) => reader.push(piece)), ...reader.end()];
  return lines.map(([tag, text]) => (tag === 'eol' ? '|' : '+') + text.toString('latin1'));
}

/** Each way to split it. */
function splits(bytes: Buffer): Buffer[][] {
  return Array.from({ length: 2 ** Math.max(0, bytes.length - 1) }, (_, cuts) => {
    const pieces: Buffer[] = [];
    let start = 0;
    for (let at = 1; at <= bytes.length; at++) {
      if (at < bytes.length && (cuts & (1 << (at - 1))) === 0) continue;
      pieces.push(bytes.subarray(start, at));
      start = at;
    }
    return pieces;
  });
}

// Every text of up to 5 letters (6 where the limit is 2) of a, CR and LF, as {line, L} of Erlang/OTP 25 tells it.
const recorded = readFileSync(path.join(__dirname, '../../fixtures/erlang/otp25-lines.txt'), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => line.split(' ') as [limit: string, text: string, told: string]);

const spell = (text: string) => text.replaceAll('r', '\r').replaceAll('n', '\n');

test.each(['1', '2', '3'])('lines of at most %s bytes are those of Erlang, however they arrive', (limit) => {
  const cases = recorded.filter(([l]) => l === limit);
  expect(cases.length).toBeGreaterThan(300);
  for (const [, text, expected] of cases) {
    const lines = expected.split(',').map(spell);
    for (const pieces of splits(Buffer.from(spell(text)))) {
      expect({ text, pieces, lines: told(Number(limit), pieces) }).toEqual({ text, pieces, lines });
    }
  }
});

test('a line that is exactly as long as allowed is told only when it is known to end', () => {
  const reader = new LineReader(2);
  expect(reader.push(Buffer.from('aa'))).toEqual([]);
  expect(reader.push(Buffer.from('\r'))).toEqual([]);
  expect(reader.push(Buffer.from('\n'))).toEqual([['eol', Buffer.from('aa')]]);
  expect(reader.push(Buffer.from('bbc'))).toEqual([['noeol', Buffer.from('bb')]]);
});

test('any bytes, in any pieces, give the same lines, and none gets lost', () => {
  const piece = fc.uint8Array({ maxLength: 40 }).map((bytes) => bytes.map((b) => (b < 64 ? 10 : b)));
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 10 }), fc.integer({ min: 1, max: 20 }), (pieces, limit) => {
      const whole = Buffer.concat(pieces);
      const lines = told(
        limit,
        pieces.map((bytes) => Buffer.from(bytes)),
      );
      expect(lines).toEqual(told(limit, [whole]));
      const text = lines.map((line) => line.slice(1) + (line[0] === '|' ? '\n' : '')).join('');
      expect(text.replaceAll('\r', '')).toBe(whole.toString('latin1').replaceAll('\r', ''));
      expect(Math.max(0, ...lines.map((line) => line.length - 1))).toBeLessThanOrEqual(limit);
    }),
  );
});
