/** That the addon can be run under the sanitizers, and what they say to the suites that are quick; more: npm run sanitize. */
import path from 'node:path';
import { run } from '../support/run';

test('with the sanitizers of addresses and undefined behaviour nothing is found', async () => {
  const suites = ['test/native/tube-end', 'test/native/reactor', 'test/native/pipe'];
  const { status, stdout, stderr } = await run(path.join(__dirname, 'run'), suites, { patience: 600_000 });
  expect({ status, output: status === 0 ? '' : stdout + stderr }).toEqual({ status: 0, output: '' });
}, 610_000);
