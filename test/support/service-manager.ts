/** What a service manager does for lingd: it listens, hands the sockets down, and hears how lingd is. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { closeFd, listenUnix } from '#native';
import { LINGD } from './box';
import { eventually } from './residue';

/** Listens as systemd's socket unit does, whether or not a lingd runs. */
export class SocketUnit {
  readonly #fds: number[];

  constructor(readonly directory: string) {
    fs.mkdirSync(directory, { mode: 0o700 });
    this.#fds = ['socket', 'domain'].map((name) => listenUnix(path.join(directory, name)));
  }

  /** A lingd with these sockets, as the service unit has it. */
  start(env: Readonly<Record<string, string>> = {}, ...args: string[]): ChildProcess {
    return startWith(this.#fds, env, '--foreground', '--rundir', this.directory, ...args);
  }

  /** Nobody listens any more; what is left in the directory is a test's to look at before. */
  close(): void {
    this.#fds.splice(0).forEach(closeFd);
    for (const name of ['socket', 'domain']) fs.rmSync(path.join(this.directory, name), { force: true });
  }
}

/** lingd with these descriptors from 3 on; `env` may say otherwise of them. */
export function startWith(
  fds: readonly number[],
  env: Readonly<Record<string, string>>,
  ...args: string[]
): ChildProcess {
  // LISTEN_PID is that of lingd, which only the shell in its place knows before.
  const script = 'export LISTEN_PID="$' + '{LISTEN_PID:-$$}"; exec "$@"';
  return spawn('sh', ['-c', script, 'sh', process.execPath, LINGD, ...args], {
    env: { ...process.env, LISTEN_FDS: String(fds.length), ...env },
    stdio: ['ignore', 'pipe', 'pipe', ...fds],
  });
}

/** What comes to a socket of datagrams, in the order in which it comes; lines in one are joined by `|`. */
export class NotifySocket {
  readonly #child: ChildProcess;
  readonly heard: string[] = [];

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.heard.push(...text.split('\n').filter(Boolean));
    });
  }

  /** `@` and an abstract name, or a path. */
  static async at(address: string): Promise<NotifySocket> {
    const child = spawn('perl', ['-e', RECEIVE, address], { stdio: ['ignore', 'pipe', 'inherit'] });
    const socket = new NotifySocket(child);
    await eventually(() => socket.heard.splice(0), ['ready']);
    return socket;
  }

  async close(): Promise<void> {
    const closed = once(this.#child, 'close');
    this.#child.kill('SIGKILL');
    await closed;
  }
}

/** Node.js has no sockets of Unix datagrams. */
const RECEIVE = `
use Socket;
my $name = shift; $name =~ s/^@/\\0/;
my $s; socket($s, AF_UNIX, SOCK_DGRAM, 0) && bind($s, pack_sockaddr_un($name)) or die $!;
$| = 1; print "ready\\n";
while (defined recv($s, my $m, 4096, 0)) { $m =~ s/\\n/|/g; print "$m\\n" }`;
