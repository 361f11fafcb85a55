/** Starts a worker, and says with which input it was busy when it hangs or crashes. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import type { Task } from './worker';

/** How often to look whether it goes on, in milliseconds. */
const LOOK = 100;
const MEMORY = ['--max-old-space-size=512', '--expose-gc'];

/** Whether all was well; what was not has been printed. `directory` is for whatever the target writes. */
export async function supervise(task: Task, directory: string): Promise<boolean> {
  const lastWords = fs.openSync(path.join(directory, 'last-words'), 'w+');
  const loader = ['--enable-source-maps', '-r', path.join(__dirname, 'hooks.js')];
  const child = spawn(
    process.execPath,
    [...MEMORY, ...loader, path.join(__dirname, 'worker.ts'), JSON.stringify(task)],
    { stdio: ['ignore', 'inherit', 'inherit', lastWords], env: { ...process.env, TMPDIR: directory } },
  );
  let progress = 0;
  let since = performance.now();
  let isHung = false;
  const watch = setInterval(() => {
    const { executions } = read(lastWords);
    if (executions !== progress) since = performance.now();
    progress = executions;
    isHung = progress > 0 && performance.now() - since > task.patience;
    if (isHung) child.kill('SIGKILL');
  }, LOOK);
  const status = await new Promise((resolve) => {
    child.on('close', (code, signal) => resolve(code ?? signal));
  });
  clearInterval(watch);
  const { input } = read(lastWords);
  fs.closeSync(lastWords);
  // With 1 it has said why.
  if (status !== 0 && status !== 1) {
    const what = isHung ? `has taken more than ${task.patience} ms` : `has ended the OS process (${status})`;
    console.log(`${task.name}, seed ${task.seed}: the last input ${what}`);
    console.log(`npm run fuzz -- ${task.name} --input ${input.toString('base64') || "''"}`);
  }
  return status === 0;
}

/** What worker.ts announces. */
function read(lastWords: number): { executions: number; input: Buffer } {
  const header = Buffer.alloc(8);
  fs.readSync(lastWords, header, 0, 8, 0);
  const input = Buffer.alloc(header.readUInt32LE(4));
  fs.readSync(lastWords, input, 0, input.length, 8);
  return { executions: header.readUInt32LE(), input };
}
