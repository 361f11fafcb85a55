/** How long a tube looks for packets before it sleeps: an option, which changes no packet. */
import { type Domain, type Ring, tube } from 'ling-tubes';
import { Box } from '../support/box';
import { eventually } from '../support/residue';
import { End } from '../support/tube-ends';

let box: Box;
let a: Domain;
let b: Domain;

beforeEach(async () => {
  box = new Box();
  [a, b] = [await box.boot(), await box.boot()];
});
afterEach(() => box.close());

function spinOf({ self, tube: port }: End): unknown {
  const [tag, options] = tube.getopts(self, port, ['spin']);
  expect(tag).toBe('ok');
  return (options as unknown as [string, unknown][])[0]?.[1];
}

test.each<[Ring, number]>([
  [2 ** 17, 0],
  ['ling', 100],
])('of a tube with rings of %s it is %i microseconds, if nothing is said', async (ring, spin) => {
  const ends = await End.pair(a, b, 1, [['ring', ring]]);
  expect(ends.map(spinOf)).toEqual([spin, spin]);
});

test.each([0, 1, 1000])('set to %i it is that, from the start or later, and packets come', async (spin) => {
  const [one, other] = await End.pair(a, b, 1, [['spin', spin]]);
  expect(tube.setopts(other.self, other.tube, [['spin', spin]])).toBe('ok');
  expect([one, other].map(spinOf)).toEqual([spin, spin]);
  for (let i = 0; i < 20; i++) {
    one.send(String(i));
    await eventually(() => other.got.at(-1), String(i));
    other.send(String(i));
    await eventually(() => one.got.at(-1), String(i));
  }
});

test.each([-1, 1001, 0.5, '1', Number.NaN])('%p is einval, and it is as it was', async (spin) => {
  const [one] = await End.pair(a, b, 1, [['spin', 7]]);
  expect(tube.setopts(one.self, one.tube, [['spin', spin as number]])).toEqual(['error', 'einval']);
  expect(spinOf(one)).toBe(7);
});
