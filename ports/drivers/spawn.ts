import { accessSync, constants, readSync } from 'node:fs';
import { badarg } from '../../actors/errors.js';
import {
  closeFd,
  createPipe,
  type ProgramToStart,
  setNonBlocking,
  startProgram,
} from '../../native/index.js';
import { type Driver, type DriverPort, ERL_DRV_READ, ERL_DRV_USE_NO_CALLBACK } from '../driver.js';
import type { PortOptions, Text } from '../port-options.js';
import { Descriptors, type Ends } from './descriptors.js';

/**
 * Programs: `{spawn, Command}`, run by /bin/sh, and `{spawn_executable, File}`. The port is the one end of two pipes,
 * the program's standard input and output the other. A program is not killed when its port closes: it sees the end
 * of its input, and that nobody reads its output.
 */
export const spawnDriver: Driver = {
  name: 'spawn',
  options: ['exit_status', 'busy_limits_port'],
  start(port, _command, options) {
    const image = imageOf(options);
    const pipes = new Pipes(options);
    try {
      const program = new Program(port, options, pipes);
      program.run(image);
      return program;
    } catch (error) {
      pipes.closeOurs();
      throw error;
    } finally {
      pipes.closeTheirs();
    }
  },
};

/** What is run, without what it is connected to. */
type Image = Omit<ProgramToStart, 'stdio' | 'report'>;

/** The two pipes of a program, as far as the options want them, and the one that tells of its end. */
class Pipes implements Ends {
  readonly input: number | undefined;
  readonly output: number | undefined;
  readonly status: number | undefined;
  /** What the program reads from, and writes to; what its end is written to. */
  readonly stdin: number | undefined;
  readonly stdout: number | undefined;
  readonly report: number | undefined;

  constructor(options: PortOptions) {
    try {
      if (options.in) [this.input, this.stdout] = createPipe();
      if (options.out) [this.stdin, this.output] = createPipe();
      [this.status, this.report] = createPipe();
      for (const ours of this.#ours) setNonBlocking(ours, true);
    } catch (error) {
      this.closeOurs();
      this.closeTheirs();
      throw error;
    }
  }

  closeOurs(): void {
    for (const fd of this.#ours) closeFd(fd);
  }

  closeTheirs(): void {
    for (const fd of [this.stdin, this.stdout, this.report]) if (fd !== undefined) closeFd(fd);
  }

  get #ours(): number[] {
    return [this.input, this.output, this.status].filter((fd) => fd !== undefined);
  }
}

class Program extends Descriptors {
  readonly #pipes: Pipes;
  /** As the exit_status message says it. */
  #status: number | undefined;
  #isEof = false;

  constructor(port: DriverPort, options: PortOptions, pipes: Pipes) {
    super(port, options, pipes);
    this.#pipes = pipes;
    port.select(pipes.status as number, ERL_DRV_READ | ERL_DRV_USE_NO_CALLBACK, true);
  }

  /** Last of all that can fail. Why a file could not be executed is its exit status, as Erlang tells it. */
  run(image: Image): void {
    const { options } = this;
    try {
      const report = this.#pipes.report as number;
      this.port.set_os_pid(startProgram({ ...image, stdio: stdio(options, this.#pipes), report }));
    } catch (error) {
      const { syscall, errno } = error as NodeJS.ErrnoException;
      if ((syscall !== 'execve' && syscall !== 'chdir') || errno === undefined) throw error;
      this.#status = -errno;
      this.#notWaiting();
    }
  }

  override ready_input(fd: number): void {
    if (fd !== this.#pipes.status) super.ready_input(fd);
    else if (this.#hasExited() && this.options.exitStatus) this.#endWhenOver();
  }

  /** Only for a command: where one that was queued finds nobody, Erlang does not ask how the program has ended. */
  protected override catchUp(): void {
    this.#hasExited();
    super.catchUp();
  }

  protected override eof(): void {
    this.#isEof = true;
    if (this.options.exitStatus) this.#endWhenOver();
    else super.eof();
  }

  override stop(): void {
    super.stop();
    this.#notWaiting();
    this.#pipes.closeOurs();
  }

  #hasExited(): boolean {
    if (this.#status !== undefined) return true;
    const status = new Int32Array(1);
    try {
      readSync(this.#pipes.status as number, status);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return false;
      throw error;
    }
    this.#status = status[0];
    this.#notWaiting();
    return true;
  }

  #notWaiting(): void {
    this.port.select(this.#pipes.status as number, ERL_DRV_READ | ERL_DRV_USE_NO_CALLBACK, false);
  }

  /** When it has exited its children may still write, and when they have closed its output it may still run. */
  #endWhenOver(): void {
    if (!this.#isEof || this.#status === undefined) return;
    this.port.output_term([this.port.id, ['exit_status', this.#status]]);
    super.eof();
  }
}

/** Raises badarg for what cannot be passed to a program, and enoent, eacces ... for a file that cannot be executed. */
function imageOf(options: PortOptions): Image {
  const { opened, given } = options;
  const isExecutable = opened === 'spawn_executable';
  const { args = [], arg0 = isExecutable ? given : 'sh', cd = '' } = options;
  const rest = isExecutable ? args : ['-c', Buffer.concat([toBytes('exec '), toBytes(given)])];
  return {
    file: isExecutable ? executable(given) : toBytes('/bin/sh'),
    args: [arg0, ...rest].map(toBytes),
    env: environment(options.env),
    cwd: toBytes(cd),
  };
}

/** The path of what is to be run, if there is a file that may be. */
function executable(given: Text): Buffer {
  const file = toBytes(given);
  accessSync(file, constants.X_OK);
  return file;
}

function stdio(options: PortOptions, { stdin, stdout }: Pipes): number[] {
  if (!options.useStdio) return [0, 1, 2, stdin ?? -1, stdout ?? -1];
  const output = stdout ?? 1;
  return [stdin ?? 0, output, options.stderrToStdout ? output : 2];
}

/** That of this OS process with the changes; a variable that is set to nothing is unset, as in Erlang. */
function environment(changes: PortOptions['env']): Uint8Array[] {
  // Of latin1 every byte is a character, so that names are the same when their bytes are.
  const variables = new Map<string, Buffer>();
  for (const [name, value = ''] of Object.entries(process.env)) {
    variables.set(Buffer.from(name).toString('latin1'), Buffer.from(value));
  }
  for (const [name, value] of changes) {
    const key = toBytes(name).toString('latin1');
    const bytes = toBytes(value || '');
    if (key === '' || bytes.length === 0) variables.delete(key);
    else variables.set(key, bytes);
  }
  return [...variables].map(([name, value]) => Buffer.concat([Buffer.from(`${name}=`, 'latin1'), value]));
}

function toBytes(text: Text): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.includes(0)) throw badarg('a text has a zero byte');
  return bytes;
}
