import fs from 'node:fs';
import { closeFd, createPipe, setNonBlocking } from '#native';
import { changesSince, holdings } from '../support/residue';
import { run } from '../support/run';

test('what is written to a pipe can be read from it, and its end is the end', () => {
  const before = holdings();
  const [input, output] = createPipe();
  fs.writeSync(output, 'hello');
  const into = Buffer.alloc(10);
  expect(fs.readSync(input, into)).toBe(5);
  expect(into.toString('utf8', 0, 5)).toBe('hello');
  closeFd(output);
  expect(fs.readSync(input, into)).toBe(0);
  closeFd(input);
  expect(changesSince(before)).toEqual([]);
});

test('each end can be told not to block, and says how it was', () => {
  const [input, output] = createPipe();
  expect([true, true, false, false, true].map((on) => setNonBlocking(input, on))).toEqual([
    false,
    true,
    true,
    false,
    false,
  ]);
  expect(() => fs.readSync(input, Buffer.alloc(1))).toThrow(expect.objectContaining({ code: 'EAGAIN' }));
  expect(setNonBlocking(output, false)).toBe(false);
  closeFd(input);
  closeFd(output);
  expect(() => setNonBlocking(input, true)).toThrow(
    expect.objectContaining({ code: 'EBADF', syscall: 'fcntl' }),
  );
});

test('programs do not inherit a pipe', async () => {
  const ends = createPipe();
  const { stdout } = await run('/bin/ls', ['-l', '/proc/self/fd']);
  for (const end of ends) {
    expect(stdout).not.toContain(fs.readlinkSync(`/proc/self/fd/${end}`));
    closeFd(end);
  }
});
