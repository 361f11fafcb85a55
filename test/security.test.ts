/** Each line of SECURITY.md's tables names tests that are there. */
import fs from 'node:fs';
import path from 'node:path';
import { isNamed, testTitles } from './support/test-titles';

const text = fs.readFileSync(path.join(__dirname, '../SECURITY.md'), 'utf8');

/** What is no table of claims: these sections say what to do, and what does not hold. */
const PROSE = ['Versions, and how to report', 'What is not held off'];

/** Tests are named as `file` “title”, “another”; a title may begin with that of what the test is in, and ›. */
const CITED = /`([\w/-]+)` (“[^”]+”(?:, “[^”]+”)*)(?:, |$)/g;

/** What is wrong with such a text: a line each. */
function complaints(text: string): string[] {
  return text
    .split(/^## /m)
    .slice(1)
    .flatMap((section) => {
      const [title = '', ...lines] = section.split('\n');
      if (PROSE.includes(title)) return [];
      const claims = lines.filter((line) => line !== '');
      const [head = '', rule = '', ...rows] = claims;
      if (!head.startsWith('| ') || !/^\|[-|]+\|$/.test(rule) || rows.length === 0)
        return [`no table: ${title}`];
      return rows.flatMap(wrongWith);
    });
}

function wrongWith(row: string): string[] {
  const cells = row.split('|').map((cell) => cell.trim());
  if (cells.length < 4 || cells[0] !== '' || cells.at(-1) !== '') return [`no row: ${row}`];
  const tests = cells.at(-2) as string;
  const left = tests.replaceAll(CITED, '');
  if (tests === '' || left !== '') return [`no test: ${left || row}`];
  return [...tests.matchAll(CITED)].flatMap(([, file, titles]) =>
    [...(titles as string).matchAll(/“([^”]+)”/g)]
      .map(([, title]) => title as string)
      .filter((title) => !isThere(file as string, title))
      .map((title) => `not there: ${file} ${title}`),
  );
}

function isThere(file: string, name: string): boolean {
  const full = path.join(__dirname, `${file}.test.ts`);
  if (!fs.existsSync(full)) return false;
  const source = fs.readFileSync(full, 'utf8');
  const names = name.split(' › ');
  return testTitles(source).some((titles) => {
    const last = titles.slice(-names.length);
    return (
      last.length === names.length && last.every((title, i) => isNamed(title, names[i] as string, source))
    );
  });
}

test('each claim of SECURITY.md names tests, and each of these is there', () => {
  expect(complaints(text)).toEqual([]);
});

test.each(PROSE)('there is a section %j', (title) => {
  expect(text).toContain(`\n## ${title}\n`);
});

describe('a text is found wrong', () => {
  const section = (...rows: string[]) =>
    ['', '## They', '', '| it | test |', '|---|---|', ...rows, ''].join('\n');
  const OF_DECODER = 'knows whether a packet is under way';
  const HERE = 'programs do not inherit a pipe';

  test.each([
    ['that has no test', section('| cannot | |'), 'no test: | cannot | |'],
    ['that has words in the place of a test', section('| cannot | some day |'), 'no test: some day'],
    [
      'that has words behind a test',
      section(`| cannot | \`native/pipe\` “${HERE}”, and more |`),
      'no test: and more',
    ],
    [
      'that names a file that is not there',
      section('| cannot | `hostile/nobody` “gets in” |'),
      'not there: hostile/nobody gets in',
    ],
    [
      'that names a test that is not there',
      section('| cannot | `native/pipe` “cannot fail” |'),
      'not there: native/pipe cannot fail',
    ],
    [
      'that names a describe',
      section('| cannot | `xen/xenstore/wire` “the decoder” |'),
      'not there: xen/xenstore/wire the decoder',
    ],
    [
      'that names a test of something else',
      section(`| cannot | \`xen/xenstore/wire\` “strings in a payload › ${OF_DECODER}” |`),
      `not there: xen/xenstore/wire strings in a payload › ${OF_DECODER}`,
    ],
    ['that claims something in prose', '\n## They\n\nThey cannot.\n', 'no table: They'],
    [
      'that claims something in prose after its table',
      section(`| cannot | \`native/pipe\` “${HERE}” |`, 'They cannot.'),
      'no row: They cannot.',
    ],
    ['that has a table of no claims', section(), 'no table: They'],
  ])('%s', (_what, wrong, complaint) => {
    expect(complaints(wrong)).toEqual([complaint]);
  });

  test('and none that is right', () => {
    expect(
      complaints(
        section(
          `| cannot | \`xen/xenstore/wire\` “the decoder › ${OF_DECODER}”, “${OF_DECODER}”, \`native/pipe\` “${HERE}” |`,
        ),
      ),
    ).toEqual([]);
  });
});
