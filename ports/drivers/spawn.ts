import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import os from 'node:os';
import { badarg } from '../../actors/errors.js';
import { closeFd, createPipe, setNonBlocking } from '../../native/index.js';
import type { Driver, DriverPort } from '../driver.js';
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
  start(port, command, options) {
    const file = options.opened === 'spawn_executable' ? executable(command) : SHELL;
    const pipes = new Pipes(options);
    try {
      return new Program(port, options, pipes, run(file, command, options, pipes));
    } catch (error) {
      pipes.closeOurs();
      throw error;
    } finally {
      pipes.closeTheirs();
    }
  },
};

const SHELL = '/bin/sh';

/** The two pipes of a program, as far as the options want them. */
class Pipes implements Ends {
  readonly input: number | undefined;
  readonly output: number | undefined;
  /** What the program reads from, and writes to. */
  readonly stdin: number | undefined;
  readonly stdout: number | undefined;

  constructor(options: PortOptions) {
    if (options.in) [this.input, this.stdout] = createPipe();
    try {
      if (options.out) [this.stdin, this.output] = createPipe();
      for (const ours of [this.input, this.output]) if (ours !== undefined) setNonBlocking(ours, true);
    } catch (error) {
      this.closeOurs();
      this.closeTheirs();
      throw error;
    }
  }

  closeOurs(): void {
    for (const fd of [this.input, this.output]) if (fd !== undefined) closeFd(fd);
  }

  closeTheirs(): void {
    for (const fd of [this.stdin, this.stdout]) if (fd !== undefined) closeFd(fd);
  }
}

class Program extends Descriptors {
  readonly #pipes: Pipes;
  readonly #child: ChildProcess | number;
  /** As the exit_status message says it. */
  #status: number | undefined;
  #isEof = false;

  constructor(port: DriverPort, options: PortOptions, pipes: Pipes, child: ChildProcess | number) {
    super(port, options, pipes);
    this.#pipes = pipes;
    this.#child = child;
    if (typeof child === 'number') {
      this.#status = child;
      return;
    }
    if (child.pid !== undefined) port.set_os_pid(child.pid);
    child.on('error', (error) => this.#exited(errno(error)));
    child.on('exit', (code, signal) =>
      this.#exited(code ?? 128 + os.constants.signals[signal as NodeJS.Signals]),
    );
  }

  protected override eof(): void {
    this.#isEof = true;
    if (this.options.exitStatus) this.#endWhenOver();
    else super.eof();
  }

  override stop(): void {
    super.stop();
    this.#pipes.closeOurs();
    // It may run for as long as it likes, which is no reason for this OS process to stay.
    if (typeof this.#child !== 'number') this.#child.unref();
  }

  #exited(status: number): void {
    this.#status = status;
    if (this.options.exitStatus) this.#endWhenOver();
  }

  /** When it has exited its children may still write, and when they have closed its output it may still run. */
  #endWhenOver(): void {
    if (!this.#isEof || this.#status === undefined) return;
    this.port.output_term([this.port.id, ['exit_status', this.#status]]);
    super.eof();
  }
}

/** What is to be run, if there is a file that may be. Raises badarg, or enoent, eacces ... */
function executable(command: string): string {
  if (command === '' || command.includes('\0')) throw badarg('that is no name of a file');
  accessSync(command, constants.X_OK);
  // Without a slash it would be looked for in $PATH.
  return command.includes('/') ? command : `./${command}`;
}

/** The program, or an error number as its exit status: that is how Erlang tells why a file could not be executed. */
function run(file: string, command: string, options: PortOptions, pipes: Pipes): ChildProcess | number {
  const isExecutable = options.opened === 'spawn_executable';
  const args = isExecutable ? (options.args ?? []).map(toText) : ['-c', `exec ${command}`];
  const argv0 = options.arg0 === undefined ? (isExecutable ? command : 'sh') : toText(options.arg0);
  const cwd = options.cd === undefined ? undefined : toText(options.cd);
  const env = environment(options.env);
  const texts = [command, argv0, cwd ?? '', ...args, ...Object.values(env)];
  if (texts.some((text) => text?.includes('\0'))) throw badarg('a text has a zero byte');
  try {
    // A session of its own: what is typed to stop this OS process is not meant for it.
    return spawn(file, args, { argv0, cwd, env, stdio: stdio(options, pipes), detached: true });
  } catch (error) {
    return errno(error as NodeJS.ErrnoException);
  }
}

function stdio(options: PortOptions, { stdin, stdout }: Pipes): StdioOptions {
  if (!options.useStdio) return ['inherit', 'inherit', 'inherit', stdin ?? 'ignore', stdout ?? 'ignore'];
  const output = stdout ?? 1;
  return [stdin ?? 'inherit', output, options.stderrToStdout ? output : 'inherit'];
}

/** That of this OS process with the changes; a variable that is set to nothing is unset, as in Erlang. */
function environment(changes: PortOptions['env']): NodeJS.ProcessEnv {
  const env = { ...process.env };
  for (const [name, value] of changes) {
    const text = value === false ? '' : toText(value);
    if (text === '') delete env[toText(name)];
    else env[toText(name)] = text;
  }
  return env;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** Node passes text to programs, and only as UTF-8: badarg for other bytes. */
function toText(text: Text): string {
  if (typeof text === 'string') return text;
  try {
    return UTF8.decode(text);
  } catch {
    throw badarg('that is not UTF-8');
  }
}

function errno(error: NodeJS.ErrnoException): number {
  if (error.errno === undefined) throw error;
  return -error.errno;
}
