/** The inputs of a target that are kept with the sources: a line of base64 each. */
import fs from 'node:fs';
import path from 'node:path';

export function readCorpus(name: string): Buffer[] {
  const file = fileOf(name);
  if (!fs.existsSync(file)) return [];
  const lines = fs.readFileSync(file, 'latin1').split('\n').filter(Boolean);
  return lines.map((line) => Buffer.from(line, 'base64'));
}

/** In an order that does not hang on how they were found. The empty input is left out: every target gets that. */
export function writeCorpus(name: string, inputs: readonly Uint8Array[]): void {
  const sorted = [...inputs]
    .filter(({ length }) => length > 0)
    .sort((a, b) => a.length - b.length || Buffer.compare(a, b));
  const lines = new Set(sorted.map((input) => `${Buffer.from(input).toString('base64')}\n`));
  fs.writeFileSync(fileOf(name), [...lines].join(''));
}

function fileOf(name: string): string {
  return path.join(__dirname, 'corpus', `${name}.txt`);
}
