import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { run } from '../support/run';

const root = path.join(__dirname, '../..');

test('where there is no addon for the platform, the error says so, and what to do', async () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'lt-addon-'));
  try {
    fs.cpSync(path.join(root, 'dist/native'), path.join(directory, 'dist/native'), { recursive: true });
    fs.symlinkSync(path.join(root, 'node_modules'), path.join(directory, 'node_modules'));
    const code = `try { require('./dist/native') } catch ({ code, message, cause }) { console.log(code, message, cause !== undefined) }`;
    const { stdout, stderr } = await run(process.execPath, ['-e', code], { cwd: directory });
    const { platform, arch } = process;
    const message = `ling-tubes has no addon for ${platform} on ${arch} with this C library`;
    expect({ stdout, stderr }).toEqual({
      stdout: `ERR_ADDON ${message}: build it from the repository, with npm ci && npm run build true\n`,
      stderr: '',
    });
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
});
