/** What programs do to their ports, and ports to their programs, beyond what is compared with Erlang. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Port } from '#actors/identifiers';
import { isTuple } from '#actors/term';
import { closeFd, createPipe, setNonBlocking } from '#native';
import type { PortRuntime } from '#ports/port-runtime';
import type { Self } from '#ports/self';
import { Box } from '../support/box';
import { changesSince, eventually, holdings, kill } from '../support/residue';
import { runProcess } from '../support/run-process';
import { programRuntime } from './program-world';

let runtime: PortRuntime;
let before: string[];
let directory: string;

beforeEach(() => {
  before = holdings();
  runtime = programRuntime();
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'lt-program-'));
});
afterEach(async () => {
  runtime.stop();
  fs.rmSync(directory, { recursive: true });
  await eventually(() => changesSince(before), []);
});

/** The next message of that port, without it. */
async function next(self: Self, port: Port, after = 10_000): Promise<unknown> {
  const message = await self.receive((m): m is [Port, unknown] => isTuple(m) && m[0] === port, { after });
  return message?.[1];
}

async function nextData(self: Self, port: Port): Promise<Buffer> {
  const [, data] = (await next(self, port)) as ['data', Buffer];
  return data;
}

function osPid(self: Self, port: Port): number {
  return (self.port_info(port, 'os_pid') as [string, number])[1];
}

function isRunning(pid: number): boolean {
  try {
    return !/\) Z /.test(fs.readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

describe('a program that does not read', () => {
  test('makes the port busy, and what is sent is kept with the senders', () =>
    runProcess(runtime, async (self) => {
      const port = self.open_port(['spawn', 'sleep 60']);
      const pid = osPid(self, port);
      const sent: number[] = [];
      const senders = Array.from({ length: 10 }, (_, i) =>
        self.spawn(async (sender) => {
          for (;;) {
            await sender.port_command(port, Buffer.alloc(100_000, 'x'));
            sent.push(i);
          }
        }),
      );
      await sleep(100);
      // The pipe and one command: everybody else waits.
      const [, queued] = self.port_info(port, 'queue_size') as [string, number];
      expect(queued).toBeGreaterThan(8192);
      expect(queued).toBeLessThan(200_000);
      expect(sent.length).toBeLessThan(3);
      for (const sender of senders) self.exit(sender, 'kill');
      self.unlink(port);
      self.exit(port, 'kill');
      kill(pid, 'SIGKILL');
    }));

  test('and then does gets everything, of each sender in order', () =>
    runProcess(runtime, async (self) => {
      const port = self.open_port(['spawn', "sh -c 'sleep 0.2; exec cat'"], ['binary', ['packet', 4]]);
      const senders = 5;
      const packets = 40;
      for (let s = 0; s < senders; s++) {
        self.spawn_link(async (sender) => {
          for (let i = 0; i < packets; i++) {
            await sender.port_command(port, [Buffer.of(s, i), Buffer.alloc(10_000 + i)]);
          }
        });
      }
      const seen = Array.from({ length: senders }, () => 0);
      for (let n = 0; n < senders * packets; n++) {
        const data = await nextData(self, port);
        const [s, i] = data as unknown as [number, number];
        expect([seen[s], data.length]).toEqual([i, 10_002 + i]);
        seen[s] = i + 1;
      }
      expect(self.port_info(port, 'queue_size')).toEqual(['queue_size', 0]);
    }));

  test('limits of the queue are those that the port was opened with', () =>
    runProcess(runtime, async (self) => {
      const port = self.open_port(['spawn', 'sleep 60'], [['busy_limits_port', [1000, 500_000]]]);
      const pid = osPid(self, port);
      let accepted = 0;
      while (await self.port_command(port, Buffer.alloc(50_000), ['nosuspend'])) accepted++;
      const [, queued] = self.port_info(port, 'queue_size') as [string, number];
      expect(queued).toBeGreaterThanOrEqual(500_000);
      expect(queued).toBeLessThan(550_000);
      expect(accepted).toBeGreaterThanOrEqual(10);
      self.unlink(port);
      self.exit(port, 'kill');
      kill(pid, 'SIGKILL');
    }));

  test('what a sender changes afterwards is not changed in the queue', () =>
    runProcess(runtime, async (self) => {
      const port = self.open_port(['spawn', "sh -c 'sleep 0.1; exec cat'"], ['binary', ['packet', 4]]);
      const packet = Buffer.alloc(200_000, 'a');
      await self.port_command(port, packet);
      packet.fill('b');
      expect((await nextData(self, port)).equals(Buffer.alloc(200_000, 'a'))).toBe(true);
    }));
});

describe('closing', () => {
  // The shell stays: the end of its output would be that of the port.
  const slow = (file: string) => `sh -c 'sleep 0.2; cat > ${file}; true'`;

  test('writes what is queued first', async () => {
    const file = path.join(directory, 'flushed');
    await runProcess(runtime, async (self) => {
      const port = self.open_port(['spawn', slow(file)]);
      await self.port_command(port, Buffer.alloc(300_000, 'x'));
      self.port_close(port);
      expect(self.ports().includes(port)).toBe(true);
    });
    await eventually(() => fs.existsSync(file) && fs.statSync(file).size, 300_000);
    await eventually(() => runtime.openPorts.size, 0);
  });

  test('by kill does not', async () => {
    const file = path.join(directory, 'killed');
    const pid = await runProcess(runtime, async (self) => {
      self.process_flag('trap_exit', true);
      const port = self.open_port(['spawn', slow(file)]);
      const pid = osPid(self, port);
      await self.port_command(port, Buffer.alloc(300_000, 'x'));
      self.exit(port, 'kill');
      expect(self.ports().includes(port)).toBe(false);
      return pid;
    });
    await eventually(() => isRunning(pid), false);
    expect(fs.statSync(file).size).toBeLessThan(300_000);
  });

  test('ends the input of the program, and does not kill it', async () => {
    const file = path.join(directory, 'done');
    const pid = await runProcess(runtime, async (self) => {
      const port = self.open_port(['spawn', `sh -c 'cat; sleep 0.3; echo done > ${file}'`]);
      const pid = osPid(self, port);
      self.port_close(port);
      await sleep(50);
      expect(isRunning(pid)).toBe(true);
      return pid;
    });
    await eventually(() => isRunning(pid), false);
    expect(fs.readFileSync(file, 'utf8')).toBe('done\n');
  });

  test('stops a program that writes for ever, and others run meanwhile', async () => {
    const pid = await runProcess(runtime, async (self) => {
      const port = self.open_port(['spawn', 'yes'], ['binary', ['line', 80]]);
      let ticks = 0;
      const timer = setInterval(() => ticks++, 5);
      for (let i = 0; i < 20_000; i++)
        expect(await next(self, port)).toEqual(['data', ['eol', Buffer.from('y')]]);
      await sleep(30);
      clearInterval(timer);
      expect(ticks).toBeGreaterThan(1);
      const pid = osPid(self, port);
      self.port_close(port);
      return pid;
    });
    await eventually(() => isRunning(pid), false);
  });
});

test('many programs at once, each with its own answers', () =>
  runProcess(runtime, async (self) => {
    const ports = Array.from({ length: 40 }, () =>
      self.open_port(['spawn', 'cat'], ['binary', ['packet', 2]]),
    );
    for (const [i, port] of ports.entries()) await self.port_command(port, `number ${i}`);
    for (const [i, port] of ports.entries()) expect(String(await nextData(self, port))).toBe(`number ${i}`);
    expect(new Set(ports.map((port) => osPid(self, port))).size).toBe(40);
  }));

test('programs that are called as the drivers of programs and descriptors are programs', () =>
  runProcess(runtime, async (self) => {
    for (const name of ['spawn', 'fd']) {
      const port = self.open_port(
        ['spawn', `${name} 2>/dev/null`],
        ['exit_status', ['env', [['PATH', '/']]]],
      );
      expect(await next(self, port)).toEqual(['exit_status', 127]);
      expect(() => self.open_port(name)).toThrow('badarg');
      expect(() => self.open_port(['spawn_driver', `${name} x`])).toThrow('badarg');
    }
  }));

test('bytes are passed to a program as they are', () =>
  runProcess(runtime, async (self) => {
    const bytes = Buffer.from([0x61, 0xff, 0x62]);
    const there = Buffer.concat([Buffer.from(`${directory}/`), bytes]);
    fs.mkdirSync(there);
    const port = self.open_port(
      ['spawn_executable', '/bin/sh'],
      [
        ['args', ['-c', 'printf "$0|$1|$LT_A|"; pwd', bytes, bytes]],
        ['env', [['LT_A', bytes]]],
        ['cd', there],
        'binary',
        'exit_status',
      ],
    );
    let data = Buffer.alloc(0);
    for (;;) {
      const [what, value] = (await next(self, port)) as ['data' | 'exit_status', never];
      if (what === 'exit_status') break;
      data = Buffer.concat([data, value]);
    }
    const bar = Buffer.from('|');
    expect(data).toEqual(Buffer.concat([bytes, bar, bytes, bar, bytes, bar, there, Buffer.from('\n')]));
  }));

test('a command, and the name of a file, may be bytes that are no text', () =>
  runProcess(runtime, async (self) => {
    const file = Buffer.concat([Buffer.from(`${directory}/`), Buffer.of(0xff)]);
    fs.symlinkSync('/bin/echo', file);
    const said = Buffer.concat([Buffer.of(0xfe), Buffer.from('\n')]);
    const command = Buffer.concat([Buffer.from('exec "$LT_F" '), Buffer.of(0xfe)]);
    const shell = self.open_port(
      ['spawn', Buffer.concat([Buffer.from("sh -c '"), command, Buffer.from("'")])],
      ['binary', ['env', [['LT_F', file]]]],
    );
    expect(await next(self, shell)).toEqual(['data', said]);
    const echo = self.open_port(['spawn_executable', file], ['binary', ['args', [Buffer.of(0xfe)]]]);
    expect(await next(self, echo)).toEqual(['data', said]);
  }));

test('no shell reads the arguments that are given to a file', () =>
  runProcess(runtime, async (self) => {
    const said = '$(id) `id`; id | id > x & * ~ "\'\\ $HOME\nid';
    const port = self.open_port(['spawn_executable', '/bin/echo'], [['args', [said]], 'binary']);
    expect(String(((await next(self, port)) as ['data', Buffer])[1])).toBe(`${said}\n`);
  }));

test('a zero byte cannot be passed to a program', () =>
  runProcess(runtime, (self) => {
    const open = (...options: Parameters<Self['open_port']>[1] & object[]) =>
      self.open_port(['spawn_executable', '/bin/true'], options);
    expect(() => open(['args', ['a\0b']])).toThrow('badarg');
    expect(() => open(['arg0', Buffer.of(0)])).toThrow('badarg');
    expect(() => open(['cd', 'a\0b'])).toThrow('badarg');
    expect(() => open(['env', [['A\0', false]]])).toThrow('badarg');
    for (const opened of ['spawn', 'spawn_executable'] as const) {
      expect(() => self.open_port([opened, Buffer.from('true\0')])).toThrow('badarg');
    }
    expect(self.ports()).toHaveLength(0);
  }));

test('a variable that is set to nothing is unset, and one without a name is none', () =>
  runProcess(runtime, async (self) => {
    const variables = [
      ['HOME', ''],
      ['', 'x'],
      ['', false],
    ] as const;
    const port = self.open_port(
      ['spawn', `sh -c 'echo "\${HOME-unset}$(env | grep ^=)"'`],
      ['binary', ['env', variables]],
    );
    expect(await next(self, port)).toEqual(['data', Buffer.from('unset\n')]);
  }));

describe('an OS process', () => {
  let box: Box;

  beforeEach(() => {
    box = new Box();
  });
  afterEach(() => box.close());

  test('ends when its domain has stopped, whatever a program does whose port is closed', async () => {
    const program = box.run(async ({ ling, say }) => {
      const domain = await ling.boot();
      const pid = await domain.run((self) => {
        const port = self.open_port(['spawn', 'sleep 60 2>/dev/null']);
        const [, pid] = self.port_info(port, 'os_pid') as [string, number];
        self.port_close(port);
        return pid;
      });
      await domain.stop();
      say(pid);
    });
    const pid = await program.hear<number>();
    expect(await program.end()).toBe(0);
    expect(isRunning(pid)).toBe(true);
    kill(pid, 'SIGKILL');
  });

  test('that is killed leaves programs that see the end of their input', async () => {
    const program = box.run(async ({ ling, say, listen }) => {
      const domain = await ling.boot();
      domain.spawn(async (self) => {
        const port = self.open_port(['spawn', 'cat 2>/dev/null']);
        say((self.port_info(port, 'os_pid') as [string, number])[1]);
        await self.receive(() => false);
      });
      await listen();
    });
    const pid = await program.hear<number>();
    expect(isRunning(pid)).toBe(true);
    await program.kill();
    await eventually(() => isRunning(pid), false);
  });
});

describe('descriptors', () => {
  test('are read and written as they are, and stay open, blocking as before', async () => {
    const [input, theirOutput] = createPipe();
    const [theirInput, output] = createPipe();
    await runProcess(runtime, async (self) => {
      const port = self.open_port(['fd', input, output], ['binary', ['packet', 2], 'eof']);
      expect(self.port_info(port, 'name')).toEqual(['name', `${input}/${output}`]);
      expect(self.port_info(port, 'os_pid')).toEqual(['os_pid', 'undefined']);
      await self.port_command(port, 'hello');
      const into = Buffer.alloc(7);
      expect(fs.readSync(theirInput, into)).toBe(7);
      expect(into).toEqual(Buffer.from('\0\x05hello'));
      fs.writeSync(theirOutput, into);
      expect(await next(self, port)).toEqual(['data', Buffer.from('hello')]);
      closeFd(theirOutput);
      expect(await next(self, port)).toBe('eof');
      self.port_close(port);
    });
    expect([input, output].map((fd) => setNonBlocking(fd, false))).toEqual([false, false]);
    for (const fd of [input, output, theirInput]) closeFd(fd);
  });

  test('of files are read to their end', async () => {
    const file = path.join(directory, 'file');
    fs.writeFileSync(file, 'a\n'.repeat(100_000));
    const fd = fs.openSync(file, 'r');
    await runProcess(runtime, async (self) => {
      const port = self.open_port(['fd', fd, fd], ['in', 'binary', 'eof']);
      let size = 0;
      for (let message = await next(self, port); message !== 'eof'; message = await next(self, port)) {
        size += (message as ['data', Buffer])[1].length;
      }
      expect(size).toBe(200_000);
      self.port_close(port);
    });
    fs.closeSync(fd);
  });

  test('that fail to be read end the port, with the error as the reason', async () => {
    const fd = fs.openSync(directory, 'r');
    await runProcess(runtime, async (self) => {
      self.process_flag('trap_exit', true);
      const port = self.open_port(['fd', fd, fd], ['in']);
      expect(await self.receive()).toEqual(['EXIT', port, 'eisdir']);
    });
    fs.closeSync(fd);
  });

  test('are given back as they were when the last port that uses their file closes', async () => {
    const [input, output] = createPipe();
    await runProcess(runtime, async (self) => {
      const first = self.open_port(['fd', output, output], ['out']);
      const second = self.open_port(['fd', output, output], ['out']);
      self.port_close(first);
      expect(setNonBlocking(output, true)).toBe(true);
      await self.port_command(second, 'x');
      expect(fs.readSync(input, Buffer.alloc(2))).toBe(1);
      self.port_close(second);
    });
    expect(setNonBlocking(output, false)).toBe(false);
    for (const fd of [input, output]) closeFd(fd);
  });

  test('of which one is not open are left as they were', async () => {
    const [input, output] = createPipe();
    await runProcess(runtime, (self) => {
      expect(() => self.open_port(['fd', input, 9999])).toThrow(expect.objectContaining({ reason: 'ebadf' }));
    });
    expect(setNonBlocking(input, false)).toBe(false);
    for (const fd of [input, output]) closeFd(fd);
  });

  // As Erlang: driver_select takes it from the other.
  test('are read by the last port that was opened on them', async () => {
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation();
    const [input, output] = createPipe();
    await runProcess(runtime, async (self) => {
      const open = () => self.open_port(['fd', input, input], ['in', 'binary']);
      const first = open();
      const second = open();
      expect(warn.mock.calls).toEqual([[`descriptor ${input} is taken over by another port`, 'PortWarning']]);
      warn.mockRestore();
      fs.writeSync(output, 'a');
      expect(await next(self, second)).toEqual(['data', Buffer.from('a')]);
      self.port_close(first);
      fs.writeSync(output, 'b');
      expect(await next(self, second)).toEqual(['data', Buffer.from('b')]);
      self.port_close(second);
      const third = open();
      fs.writeSync(output, 'c');
      expect(await next(self, third)).toEqual(['data', Buffer.from('c')]);
      self.port_close(third);
    });
    for (const fd of [input, output]) closeFd(fd);
  });

  test('whose number was given to another file meanwhile are of the port that was opened on that', async () => {
    const [input, output] = createPipe();
    await runProcess(runtime, async (self) => {
      const open = (fd: number) => self.open_port(['fd', fd, fd], ['in', 'binary']);
      const old = open(input);
      closeFd(input);
      const [again, other] = createPipe();
      expect(again).toBe(input);
      const warn = jest.spyOn(process, 'emitWarning').mockImplementation();
      const port = open(again);
      expect(warn).toHaveBeenCalledTimes(1);
      warn.mockRestore();
      self.port_close(old);
      fs.writeSync(other, 'x');
      expect(await next(self, port)).toEqual(['data', Buffer.from('x')]);
      self.port_close(port);
      expect(setNonBlocking(again, false)).toBe(false);
      for (const fd of [again, other]) closeFd(fd);
    });
    closeFd(output);
  });

  test('that are not open are refused', () =>
    runProcess(runtime, (self) => {
      expect(() => self.open_port(['fd', 9999, 9999])).toThrow(expect.objectContaining({ reason: 'ebadf' }));
      expect(() => self.open_port(['fd', 0, 1], ['exit_status'])).toThrow('badarg');
      expect(() => self.open_port(['fd', 0, 1], [['args', ['a']]])).toThrow('badarg');
    }));
});
