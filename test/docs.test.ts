/** Every runnable example of the documentation runs, prints what its comments say, and is right for the compiler. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { transformSync } from '@swc/core';
import { run } from './support/run';

const root = path.join(__dirname, '..');
const documents = [
  'README.md',
  ...fs
    .readdirSync(path.join(root, 'docs'))
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`),
];

interface Example {
  readonly title: string;
  readonly code: string;
}

/** Blocks of TypeScript that import the package are whole programs; the others are fragments. */
function examplesOf(document: string): Example[] {
  const text = fs.readFileSync(path.join(root, document), 'utf8');
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)]
    .map(([, code]) => code as string)
    .filter((code) => code.includes(`from 'ling-tubes'`))
    .map((code, i) => ({ title: `${document}, example ${i + 1}`, code }));
}

/** What the `// prints: ...` comments of an example say, in order. */
function expectedOutput(code: string): string {
  return [...code.matchAll(/\/\/ prints: (.*)$/gm)].map(([, line]) => `${line}\n`).join('');
}

/** Files of this project that a document links to. */
function linksOf(document: string): string[] {
  const text = fs.readFileSync(path.join(root, document), 'utf8');
  const targets = [...text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].map(([, target]) => target as string);
  return targets
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => path.join(path.dirname(document), target));
}

test('who has installed the package finds what its documents link to', async () => {
  const arguments_ = ['pack', '--dry-run', '--ignore-scripts', '--json'];
  const { status, stdout } = await run('npm', arguments_, { cwd: root });
  expect(status).toBe(0);
  const packed: string[] = JSON.parse(stdout)[0].files.map((file: { path: string }) => file.path);
  const linked = [...new Set([...documents, 'CHANGELOG.md', 'SECURITY.md'].flatMap(linksOf))];
  expect(linked.length).toBeGreaterThan(10);
  expect(linked.filter((file) => !packed.includes(file))).toEqual([]);
});

const examples = documents.flatMap(examplesOf);

test('there are examples that run', () => {
  expect(examples.some(({ title }) => title.startsWith('README.md'))).toBe(true);
});

/** A directory from which a program finds what the examples import. */
function makeProject(): string {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'ling-docs-'));
  const modules = path.join(directory, 'node_modules');
  fs.mkdirSync(modules);
  fs.symlinkSync(root, path.join(modules, 'ling-tubes'));
  for (const name of ['@types', 'ts-pattern']) {
    fs.symlinkSync(path.join(root, 'node_modules', name), path.join(modules, name));
  }
  return directory;
}

// One run of the compiler for all of them. What it reads of the package is what users get, so that is checked as well.
test('all of them are right for the compiler', async () => {
  const directory = makeProject();
  try {
    const files = examples.map(({ title, code }) => {
      const file = `${title.replaceAll(/\W+/g, '-')}.mts`;
      fs.writeFileSync(path.join(directory, file), code);
      return file;
    });
    const compilerOptions = {
      target: 'es2022',
      lib: ['es2022'],
      module: 'nodenext',
      types: ['node'],
      strict: true,
      noEmit: true,
    };
    fs.writeFileSync(path.join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
    const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
    const { status, stdout } = await run(process.execPath, [tsc, '-p', directory]);
    expect([stdout, status]).toEqual(['', 0]);
  } finally {
    fs.rmSync(directory, { recursive: true, force: true });
  }
});

test.each(examples)('$title prints what it says', async ({ code }) => {
  const directory = makeProject();
  try {
    const program = path.join(directory, 'example.mjs');
    const options = {
      jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
      module: { type: 'es6' },
    } as const;
    fs.writeFileSync(program, transformSync(code, options).code);
    const env = { XENSTORED_RUNDIR: path.join(directory, 'run'), LINGD_LINGER: '0' };
    const { status, stdout, stderr } = await run(process.execPath, [program], { env });
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toBe(expectedOutput(code));
    expect(expectedOutput(code)).not.toBe('');
  } finally {
    fs.rmSync(directory, { recursive: true, force: true });
  }
});
