/** All that the package exports is called with nonsense, or it is said here why not: what is new has to have a row. */
import * as ling from '#lib/index';
import { Self } from '#ports/self';
import { BEHAVIOUR_ROWS } from './behaviour-rows';
import { domainRows } from './domain-rows';
import type { Row } from './rows';
import { NOT_FOR_PROGRAMS, SELF_ROWS } from './self-rows';
import { SOCKET_ROWS } from './socket-rows';
import { TERM_ROWS } from './term-rows';

const WITHOUT_ROWS: Readonly<Record<string, string>> = {
  Domain: 'is made by boot; its methods have rows',
  Crash: 'is made by a domain',
  Pid: 'is made by a domain',
  Port: 'is made by a domain',
  Reference: 'is made by a domain',
  List: 'is an Array, made by list',
  OptionError: 'is thrown by boot',
  RunDirectoryError: 'is thrown by boot',
  LingdStartError: 'is thrown by boot',
};
const METHODS_WITHOUT_ROWS: Readonly<Record<string, string>> = {
  constructor: 'boot calls it',
  start: 'boot calls it',
  stop: 'has no argument, and ends all tests',
};

const rows: readonly Row[] = [
  ...SELF_ROWS,
  ...BEHAVIOUR_ROWS,
  ...SOCKET_ROWS,
  ...TERM_ROWS,
  ...domainRows(() => undefined as never),
];
const named = new Set(rows.map(({ name }) => name));

test('every function and class of the package has a row', () => {
  const functions: string[] = [];
  for (const [name, value] of Object.entries(ling)) {
    if (typeof value === 'function') functions.push(name);
    // What the compiler of the tests adds is all of it once more.
    if (typeof value !== 'object' || name === 'default') continue;
    for (const [inner, each] of Object.entries(value))
      if (typeof each === 'function') functions.push(`${name}.${inner}`);
  }
  expect(functions.length).toBeGreaterThan(100);
  expect(functions.filter((name) => !named.has(name) && !Object.hasOwn(WITHOUT_ROWS, name))).toEqual([]);
});

test('every function of self has a row', () => {
  const functions: string[] = [];
  for (let part = Self.prototype; part !== Object.prototype; part = Object.getPrototypeOf(part)) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(part))) {
      if (typeof value === 'function' && name !== 'constructor') functions.push(name);
    }
  }
  const missing = [...new Set(functions)].filter((name) => !named.has(`self.${name}`));
  expect(missing.sort()).toEqual([...NOT_FOR_PROGRAMS].sort());
});

test('every method of a domain has a row', () => {
  const methods = Object.entries(Object.getOwnPropertyDescriptors(ling.Domain.prototype))
    .filter(([, { value }]) => typeof value === 'function')
    .map(([name]) => name);
  expect(methods.filter((name) => !named.has(`domain.${name}`)).sort()).toEqual(
    Object.keys(METHODS_WITHOUT_ROWS).sort(),
  );
});
