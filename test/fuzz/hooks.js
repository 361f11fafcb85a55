/**
 * Required before anything else (node -r): compiles the TypeScript of the fuzzers as it is loaded, and puts counters into
 * what they fuzz, as istanbul does to say what tests cover. Stack traces still have the places in the sources.
 */
const { existsSync, readFileSync } = require('node:fs');
const path = require('node:path');
const { transformSync } = require('@swc/core');
const { createInstrumenter } = require('istanbul-lib-instrument');

const FUZZED = [path.join(__dirname, '../../dist/'), path.join(__dirname, 'faulty/')];
const instrumenter = createInstrumenter({ esModules: false, produceSourceMap: true });
const loadPlainly = require.extensions['.js'];

require.extensions['.js'] = (module, file) => {
  if (!isFuzzed(file)) return loadPlainly(module, file);
  const map = existsSync(`${file}.map`) ? JSON.parse(readFileSync(`${file}.map`, 'utf8')) : undefined;
  module._compile(withCounters(readFileSync(file, 'utf8'), file, map), file);
};

require.extensions['.ts'] = (module, file) => {
  const jsc = { target: 'es2022', parser: { syntax: 'typescript' } };
  const options = { filename: file, jsc, module: { type: 'commonjs' }, sourceMaps: true };
  const { code, map } = transformSync(readFileSync(file, 'utf8'), options);
  const compiled = isFuzzed(file) ? withCounters(code, file, JSON.parse(map)) : withMap(code, map);
  module._compile(compiled, file);
};

function isFuzzed(file) {
  return FUZZED.some((folder) => file.startsWith(folder));
}

function withCounters(code, file, map) {
  const counted = instrumenter.instrumentSync(code, file, map);
  return withMap(counted, JSON.stringify(instrumenter.lastSourceMap()));
}

function withMap(code, map) {
  const text = Buffer.from(map).toString('base64');
  return `${code}\n//# sourceMappingURL=data:application/json;base64,${text}\n`;
}
