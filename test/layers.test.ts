/** Imports point down only: this lists every edge of the sources. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { COMPUTED, type ImportEdge, importEdges } from './support/import-edges';

const ROOT = path.join(__dirname, '..');

/** What each folder may import besides itself. */
const BELOW: Readonly<Record<string, readonly string[]>> = {
  native: [],
  actors: [],
  xen: ['native'],
  ports: ['actors', 'xen', 'native'],
  lib: ['ports', 'actors', 'xen', 'native'],
  bin: ['lib', 'xen', 'native'],
  examples: ['lib'],
  // Beside the product, its parts alone are measured, and what an example does with it.
  bench: ['examples', 'lib', 'xen', 'native'],
};

test('every folder of sources has a place in the layers', () => {
  const { include } = JSON.parse(readFileSync(path.join(ROOT, 'tsconfig.json'), 'utf8'));
  expect(Object.keys(BELOW).sort()).toEqual([...include].sort());
});

describe.each(Object.keys(BELOW))('%s', (folder) => {
  const files = sources(folder, '.ts');

  test('has sources', () => {
    expect(files).not.toEqual([]);
  });

  test('imports nothing from above or beside it', () => {
    const edges = files.flatMap((file) => importEdges(file, readFileSync(path.join(ROOT, file), 'utf8')));
    expect(edges.filter(isForbidden).map(({ file, specifier }) => `${file} imports ${specifier}`)).toEqual(
      [],
    );
  });
});

test('no driver is known to ports themselves, nor to another driver: lib/ registers them', () => {
  const files = sources('ports', '.ts');
  const drivers = files.filter((file) =>
    /^ports\/drivers\/(tube|echo|spawn|fd|tcp-inet|udp-inet)\.ts$/.test(file),
  );
  expect(drivers).not.toEqual([]);
  const edges = files.flatMap((file) => importEdges(file, readFileSync(path.join(ROOT, file), 'utf8')));
  const known = edges.filter(({ target }) => drivers.includes(`${target?.replace(/\.js$/, '')}.ts`));
  expect(known.map(({ file, specifier }) => `${file} imports ${specifier}`)).toEqual([]);
  const tubes = edges.filter(({ target }) => /^ports\/drivers\/tube/.test(target ?? ''));
  expect(tubes.filter(({ file }) => !file.startsWith('ports/drivers/tube'))).toEqual([]);
});

describe('the check of imports itself', () => {
  const FORMS: Record<string, (specifier: string) => string> = {
    import: (s) => `import { a } from '${s}';`,
    'import of a default': (s) => `import a from "${s}";`,
    'import of a namespace': (s) => `import * as a from '${s}';`,
    'import for its effect': (s) => `import '${s}';`,
    'import over several lines': (s) => `import {\n  a, // from './c.js'\n  b,\n} from\n  '${s}';`,
    'import type': (s) => `import type { A } from '${s}';`,
    'import of a type among values': (s) => `import { type A } from '${s}';`,
    'import with require': (s) => `import a = require('${s}');`,
    'export of names': (s) => `export { a } from '${s}';`,
    'export of types': (s) => `export type { A } from '${s}';`,
    'export of all': (s) => `export * from '${s}';`,
    'export of all under a name': (s) => `export * as a from '${s}';`,
    'type by import()': (s) => `function f(a: { b: import('${s}').A[] }): void {}`,
    'typeof import()': (s) => `const a = f() as typeof import('${s}');`,
    'import()': (s) => `async function f() { return (await import('${s}')).a; }`,
    require: (s) => `class A { b() { if (1) { const { c } = require('${s}'); } } }`,
    'require.resolve': (s) => `const a = require.resolve('${s}');`,
  };

  test.each(Object.entries(FORMS))('finds each form of it: %s', (_, write) => {
    expect(importEdges('ports/drivers/made-up.ts', write('../../lib/domain.js'))).toEqual([
      { file: 'ports/drivers/made-up.ts', specifier: '../../lib/domain.js', target: 'lib/domain.js' },
    ]);
  });

  test('comments, texts and exports without a source are none', () => {
    const source = `// import a from './a.js'\n/* require('./b') */ const c = "import './c.js'"; export { c };\nexport const d = 1;`;
    expect(importEdges('lib/made-up.ts', source)).toEqual([]);
  });

  test('one that is computed counts as forbidden', () => {
    for (const source of ['require(name);', 'import(`./name.js`);', 'import(folder + name);', 'require();']) {
      const edges = importEdges('lib/made-up.ts', source);
      expect(edges).toEqual([{ file: 'lib/made-up.ts', specifier: COMPUTED, target: undefined }]);
      expect(edges.every(isForbidden)).toBe(true);
    }
  });

  test.each([
    ['lib/a.ts', './b.js', 'lib/b.js'],
    ['lib/a/b.ts', '../c.js', 'lib/c.js'],
    ['lib/a/b.ts', '../../xen/c.js', 'xen/c.js'],
    ['lib/a.ts', '../dist/xen/c.js', 'xen/c.js'],
    ['lib/a.ts', '#actors/term', 'actors/term.js'],
    ['lib/a.ts', '#xen/xenstore/wire', 'xen/xenstore/wire.js'],
    ['lib/a.ts', '#native', 'native/index.js'],
    ['lib/a.ts', 'ling-tubes', 'lib/index.js'],
    ['lib/a.ts', 'ling-tubes/dist/actors/term.js', 'lib/index.js'],
    ['lib/a.ts', 'node:fs', undefined],
    ['lib/a.ts', 'piscina', undefined],
    ['lib/a.ts', 'ling-tubes-tools', undefined],
    ['lib/a.ts', '../package.json', 'package.json'],
  ])('%s that imports %s means %s', (file, specifier, target) => {
    expect(importEdges(file, `import '${specifier}';`)).toEqual([{ file, specifier, target }]);
  });

  // The whole table again, written the other way round: who may import a folder.
  const ABOVE: Record<string, string[]> = {
    native: ['xen', 'ports', 'lib', 'bin', 'bench'],
    actors: ['ports', 'lib'],
    xen: ['ports', 'lib', 'bin', 'bench'],
    ports: ['lib'],
    lib: ['bin', 'examples', 'bench'],
    bin: [],
    examples: ['bench'],
    bench: [],
    test: [],
    'package.json': [],
  };
  for (const [target, importers] of Object.entries(ABOVE)) {
    test.each(Object.keys(BELOW))(`%s importing ${target}`, (folder) => {
      const allowed = folder === target || importers.includes(folder);
      for (const specifier of [`../${target}/a.js`, `../dist/${target}/a.js`]) {
        const edges = importEdges(`${folder}/made-up.ts`, `import type { A } from '${specifier}';`);
        expect(edges.map(isForbidden)).toEqual([!allowed]);
      }
    });
  }
});

describe('C++', () => {
  const NODE_API = /^(napi|node_api|node_api_types|js_native_api|js_native_api_types|node|v8)([-.].*)?$/;
  const files = ['.h', '.cc'].flatMap((extension) => sources('native', extension));

  test('only the binding includes the headers of Node, and nothing of the core the binding', () => {
    const users = files.filter((file) => includes(read(file)).some((header) => NODE_API.test(header)));
    expect(users).not.toEqual([]);
    expect(users.filter((file) => !file.startsWith('native/binding/'))).toEqual([]);
    const core = files.filter((file) => !file.startsWith('native/binding/'));
    expect(
      core.flatMap((file) => includes(read(file))).filter((header) => /(^|\/)binding\//.test(header)),
    ).toEqual([]);
  });

  test.each(['ring.h', 'ring_layout.h'])('%s includes the C++ library and the layout only', (name) => {
    const headers = includes(read(`native/${name}`));
    expect(headers).not.toEqual([]);
    expect(headers.filter((header) => !isPure(header))).toEqual([]);
  });

  test('the check of includes itself', () => {
    const source =
      '#include <a>\n # include "b.h" // x\n// #include <c>\n/*\n#include <d>\n*/\n#include\t<sys/e.h>\n';
    expect(includes(source)).toEqual(['a', 'b.h', 'sys/e.h']);
    for (const header of ['napi.h', 'node_api.h', 'js_native_api.h', 'v8.h', 'v8-isolate.h']) {
      expect(header).toMatch(NODE_API);
      expect(isPure(header)).toBe(false);
    }
    for (const header of ['unistd.h', 'sys/mman.h', 'linux/futex.h', 'os.h', 'uv.h', 'thread', 'mutex']) {
      expect(header).not.toMatch(NODE_API);
      expect(isPure(header)).toBe(false);
    }
    for (const header of ['cstdint', 'atomic', 'ring_layout.h']) expect(isPure(header)).toBe(true);
  });
});

function isForbidden({ file, specifier, target }: ImportEdge): boolean {
  if (specifier === COMPUTED) return true;
  if (target === undefined) return false;
  const [from = '', to = ''] = [file, target].map((name) => name.split('/')[0]);
  return from !== to && !BELOW[from]?.includes(to);
}

/** The C++ library without what in it stands for the operating system. */
function isPure(header: string): boolean {
  if (header === 'ring_layout.h') return true;
  const needsSystem = [
    'thread',
    'mutex',
    'shared_mutex',
    'condition_variable',
    'filesystem',
    'fstream',
    'iostream',
  ];
  return /^[a-z_]+$/.test(header) && !needsSystem.includes(header);
}

function includes(source: string): string[] {
  const code = source.replace(/\/\*.*?\*\/|\/\/[^\n]*/gs, '');
  return Array.from(code.matchAll(/^\s*#\s*include\s*[<"]([^>"]+)[>"]/gm), ([, header]) => header as string);
}

function sources(folder: string, extension: string): string[] {
  return readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(extension) && !/(^|\/)(build|node_modules|prebuilds)\//.test(name))
    .map((name) => `${folder}/${name}`)
    .sort();
}

function read(file: string): string {
  return readFileSync(path.join(ROOT, file), 'utf8');
}
