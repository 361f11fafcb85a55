import { Users } from '#xen/lingd/users';

/** So many are known before any is forgotten. */
const MANY = 256;

afterEach(() => jest.restoreAllMocks());

test('of very many users those are remembered who have something, or have just used up their rate', () => {
  const clock = jest.spyOn(performance, 'now').mockReturnValue(0);
  const users = new Users();
  const [idle, holder, eager] = [4711, 4712, 4713].map((uid) => users.of(uid));
  holder!.count('connections');
  while (eager!.pace.take());
  const crowd = Array.from({ length: MANY }, (_, i) => 10_000 + i);
  for (const uid of crowd) expect(users.of(uid)).toBe(users.of(uid));
  expect(users.of(4711)).not.toBe(idle);
  expect(users.of(4712)).toBe(holder);
  expect(users.of(4713)).toBe(eager);
  // Who may not be a domain is answered 20 times in a second, so after one all is as at first.
  clock.mockReturnValue(1001);
  holder!.giveBack('connections');
  for (const uid of crowd) users.of(uid + MANY);
  expect(users.of(4712)).not.toBe(holder);
  expect(users.of(4713)).not.toBe(eager);
});
