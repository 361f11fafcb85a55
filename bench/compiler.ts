/** The parts of the benchmark in C++, compiled when it runs. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';

const ROOT = path.resolve(__dirname, '../..');

/** As it calls itself; undefined without one. */
export function compilerVersion(): string | undefined {
  const { error, stdout } = spawnSync('c++', ['--version'], { encoding: 'utf8' });
  return error === undefined ? stdout.split('\n')[0] : undefined;
}

/** The file of the program bench/`name`/`name`.cc in that directory, where it is compiled once. */
export function compiled(name: string, directory: string): string {
  const file = path.join(directory, name);
  if (!existsSync(file)) {
    const source = path.join(ROOT, 'bench', name, `${name}.cc`);
    const flags = ['-std=c++17', '-O2', '-I', path.join(ROOT, 'native')];
    execFileSync('c++', [...flags, '-o', file, source], { stdio: 'inherit' });
  }
  return file;
}
