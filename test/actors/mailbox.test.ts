import fc from 'fast-check';
import { Mailbox, NONE } from '#actors/mailbox';

/** A number is pushed; `shift` takes the first; `take n` takes the first that is divisible by n. */
type Step = number | 'shift' | { take: number };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.nat(1000) },
    fc.constant('shift' as const),
    fc.record({ take: fc.nat(6) }),
  ),
  { maxLength: 300 },
);

test('is a queue that any message can be taken out of', () => {
  fc.assert(
    fc.property(steps, (script) => {
      const mailbox = new Mailbox();
      const model: number[] = [];
      for (const step of script) {
        if (typeof step === 'number') {
          mailbox.push(step);
          model.push(step);
        } else if (step === 'shift') {
          expect(mailbox.shift()).toBe(model.length === 0 ? NONE : model.shift());
        } else {
          const fits = (message: unknown) => (message as number) % (step.take + 1) === 0;
          const index = model.findIndex(fits);
          expect(mailbox.take(fits)).toBe(index === -1 ? NONE : model.splice(index, 1)[0]);
        }
        expect(mailbox.length).toBe(model.length);
      }
      expect([...mailbox]).toEqual(model);
    }),
  );
});

const SIZES = [1, 7, 8, 9, 15, 16, 17, 1023, 1024, 1025];

test.each(SIZES)('keeps the order of %i messages across its growth, from any head', (size) => {
  for (const head of [0, 1, 5]) {
    const mailbox = new Mailbox();
    for (let i = 0; i < head + 1; i++) mailbox.push('early');
    for (let i = 0; i < head; i++) mailbox.shift();
    for (let i = 0; i < size; i++) mailbox.push(i);
    expect(mailbox.shift()).toBe('early');
    expect([...mailbox]).toEqual(Array.from({ length: size }, (_, i) => i));
  }
});

test('since: sees all that has arrived since, and as little as it can of what was there', () => {
  fc.assert(
    fc.property(fc.nat(40), fc.nat(40), fc.array(fc.nat(100)), (before, after, takes) => {
      const mailbox = new Mailbox();
      for (let i = 0; i < before; i++) mailbox.push(i);
      const since = mailbox.arrived;
      for (let i = 0; i < after; i++) mailbox.push(before + i);
      for (const take of takes) mailbox.take((message) => message === take);
      const tested: unknown[] = [];
      mailbox.take((message) => tested.push(message) < 0, since);
      const left = [...mailbox] as number[];
      const taken = before + after - left.length;
      expect(tested).toEqual(left.slice(Math.max(0, left.length - after)));
      expect(tested.filter((message) => (message as number) < before).length).toBeLessThanOrEqual(taken);
      expect(tested).toEqual(expect.arrayContaining(left.filter((message) => message >= before)));
    }),
  );
});

test('what a guard raises leaves the mailbox as it was', () => {
  const mailbox = new Mailbox();
  for (const message of ['a', 'b', 'c']) mailbox.push(message);
  const guard = (message: unknown) => {
    if (message === 'b') throw new Error('cannot say');
    return false;
  };
  expect(() => mailbox.take(guard)).toThrow('cannot say');
  expect([...mailbox]).toEqual(['a', 'b', 'c']);
});
