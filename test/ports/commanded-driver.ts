/** A driver that does what the data say, and logs its callbacks: as the one that the recorded cases used. */
import { readSync, writeSync } from 'node:fs';
import path from 'node:path';
import { ErlangError } from '#actors/errors';
import { list } from '#actors/term';
import { closeFd, createDoorbell } from '#native';
import {
  type Driver,
  type DriverInstance,
  type DriverMonitor,
  type DriverPort,
  ERL_DRV_READ,
  ERL_DRV_USE,
  PORT_CONTROL_FLAG_BINARY,
} from '#ports/driver';

export type Log = string[];

interface Variant {
  readonly binaryControl?: boolean;
  readonly softBusy?: boolean;
  /** Which it has; all of them but outputv when not given. */
  readonly callbacks?: readonly (keyof Commanded & keyof DriverInstance)[];
}

export function commandedDriver(
  name: string,
  log: Log,
  { binaryControl = false, softBusy = false, callbacks = ALL }: Variant = {},
): Driver {
  return {
    name,
    binaryControl,
    softBusy,
    start(port, command) {
      const [tag = '-', ...words] = command.split(' ');
      log.push(`${tag}:start`);
      const commanded = new Commanded(port, tag, words, log);
      for (const word of [tag, ...words]) {
        const reason = START_ERRORS[word];
        if (reason !== undefined) throw new ErlangError(reason);
      }
      if (words.includes('hello')) port.output(Buffer.from('hello'));
      if (words.includes('binctl')) port.set_control_flags(PORT_CONTROL_FLAG_BINARY);
      if (words.includes('busy0')) port.set_busy(true);
      return Object.fromEntries(
        callbacks.map((key) => [key, (commanded[key] as (...args: unknown[]) => unknown).bind(commanded)]),
      );
    },
  };
}

const START_ERRORS: Record<string, string> = {
  fail_general: 'einval',
  fail_errno: 'eacces',
  fail_badarg: 'badarg',
};

const ALL = [
  'output',
  'control',
  'call',
  'flush',
  'timeout',
  'ready_input',
  'ready_async',
  'process_exit',
  'stop_select',
  'stop',
] as const;

const SELECT = ERL_DRV_READ + ERL_DRV_USE;

class Commanded implements DriverInstance {
  #event: number | undefined = undefined;
  #button = -1;
  #monitor: DriverMonitor | undefined = undefined;

  constructor(
    private readonly port: DriverPort,
    private readonly tag: string,
    private readonly words: readonly string[],
    private readonly log: Log,
  ) {}

  output(data: Uint8Array): void {
    this.#note(`output(${data.length})`);
    this.#obey(Buffer.from(data));
  }

  outputv(data: readonly Uint8Array[], size: number): void {
    this.#note(`outputv(${size})`);
    this.#obey(Buffer.concat(data));
  }

  control(operation: number, data: Uint8Array): Uint8Array | undefined {
    this.#note(`control(${operation})`);
    const answer = this.#control(operation, Buffer.from(data).toString('latin1'));
    return answer === undefined ? undefined : Buffer.from(answer, 'latin1');
  }

  call(operation: number, argument: unknown): unknown {
    this.#note(`call(${operation})`);
    if (operation === 2) throw new ErlangError('badarg');
    return operation === 3 ? undefined : argument;
  }

  flush(): void {
    this.#note(`flush(q=${this.port.sizeq()})`);
    if (this.#has('drain')) this.port.set_timer(10);
    else if (this.#has('flusheof')) this.port.failure_eof();
    else if (this.#has('flushatom')) this.port.failure_atom('flush_atom');
  }

  timeout(): void {
    const { port } = this;
    this.#note(`timeout(q=${port.sizeq()})`);
    if (this.#has('drain')) {
      this.#output('late');
      const size = port.sizeq();
      if (size === 0) return;
      if (port.deq(size > 3 && this.#has('drain2') ? 3 : size) > 0) port.set_timer(10);
    } else if (this.#has('dieatom')) port.failure_atom('timer_died');
    else port.output(Buffer.from('timeout'));
  }

  ready_input(event: number): void {
    readSync(event, Buffer.alloc(8));
    this.#note('ready_input');
    this.port.output(Buffer.from('ready'));
  }

  ready_async(result: unknown): void {
    this.#note('ready_async');
    this.port.output(Buffer.from(result as string));
  }

  process_exit(monitor: DriverMonitor): void {
    this.#note(`process_exit(${monitor === this.#monitor ? 'mine' : 'other'})`);
    this.#monitor = undefined;
    this.port.output(Buffer.from('proc_exit'));
  }

  stop_select(event: number): void {
    closeFd(event);
    this.log.push('stop_select');
  }

  stop(): void {
    this.#note(`stop(q=${this.port.sizeq()})`);
    if (this.#event === undefined) return;
    closeFd(this.#button);
    this.port.select(this.#event, SELECT, false);
  }

  #note(what: string): void {
    this.log.push(`${this.tag}:${what}`);
  }

  /** Anywhere in what it was opened with. */
  #has(word: string): boolean {
    return this.words.some((each) => each.includes(word));
  }

  #output(text: string | Buffer): void {
    this.#note(`out=${this.port.output(Buffer.from(text))}`);
  }

  /** The first byte says what to do. */
  #obey(data: Buffer): void {
    const { port } = this;
    const rest = data.subarray(1);
    switch (data.toString('latin1', 0, 1)) {
      case '':
        port.output(data);
        break;
      case 'e':
        return this.#output(rest);
      case 'b':
        port.output(rest);
        break;
      case 'h':
        port.output2(Buffer.from('HD'), rest);
        break;
      case 'q':
        return port.enq(rest);
      case 'B':
        return port.set_busy(true);
      case 'x':
        return port.failure_eof();
      case 'a':
        return port.failure_atom('my_atom');
      case 'p':
        return port.failure_posix('EPIPE');
      case 'I':
        return port.failure(17);
      case 'E':
        return port.exit(0);
      case 'F':
        return port.exit('EINVAL');
      case 'c':
        return this.#tellCaller();
      case 'D':
        port.output(Buffer.from('before'));
        port.failure_atom('my_atom');
        this.#output('after');
    }
  }

  #tellCaller(): void {
    const { port } = this;
    const result = port.output_term(['who', port.caller(), port.connected(), port.id]);
    // The recorded cases saw only that of a port without an owner.
    if (result !== 1) this.#note(`output_term=${result}`);
  }

  #control(operation: number, text: string): string | undefined {
    const { port } = this;
    const caller = port.caller() ?? port.connected();
    switch (operation) {
      case 1:
        return text;
      case 4:
        port.set_busy(true);
        return 'ok';
      case 5:
        port.set_busy(false);
        return 'ok';
      case 6:
        port.deq(port.sizeq());
        return 'ok';
      case 7:
        port.set_timer(Number(text));
        return 'ok';
      case 8:
        port.cancel_timer();
        return 'ok';
      case 9:
        return `rc=0 ${port.read_timer() > 0 ? 't>0' : 't=0'}`;
      case 10:
      case 12:
        this.#monitor = port.monitor_process(operation === 10 ? port.connected() : caller);
        return this.#monitor ? '0' : '1';
      case 11:
        return this.#monitor ? String(port.demonitor_process(this.#monitor)) : '1';
      case 13:
        return String(port.output_term(TERMS));
      case 14:
        return String(port.send_term(caller, ['sent', port.id]));
      case 15:
        port.async(undefined, { filename: JOBS, name: 'prefix', argument: text });
        return 'ok';
      case 16:
        port.failure_atom('ctl_atom');
        return 'ok';
      case 17:
        port.failure_posix('EINVAL');
        return 'ok';
      case 18:
        port.failure_eof();
        return 'ok';
      case 19:
        port.exit(0);
        return 'ok';
      case 20:
        return undefined;
      case 21:
        return 'z'.repeat(100);
      case 25: {
        const tag = `${this.tag}'`;
        const made = port.create_port(caller, 'made', (each) => new Commanded(each, tag, [tag], this.log));
        port.send_term(caller, ['created', made.id]);
        return 'ok';
      }
      case 26:
        [this.#event, this.#button] = createDoorbell();
        port.select(this.#event, SELECT, true);
        return 'ok';
      case 27:
        writeSync(this.#button, 'x');
        return 'ok';
      case 28:
        return String(port.sizeq());
      case 29:
        port.output(Buffer.from(text));
        return 'ok';
      case 30:
        this.#tellCaller();
        return 'ok';
      case 31:
        port.enq(Buffer.from(text));
        return String(port.sizeq());
      case 32:
        port.pushq(Buffer.from(text));
        return String(port.sizeq());
      case 33:
        return Buffer.concat(port.peekq()).toString();
      case 34:
        port.deq(Number(text));
        return String(port.sizeq());
      case 36:
        port.select(this.#event as number, SELECT, false);
        closeFd(this.#button);
        this.#event = undefined;
        return 'ok';
      case 37:
        port.set_timer(0);
        return 'ok';
      default:
        throw new ErlangError('badarg');
    }
  }
}

const JOBS = path.join(__dirname, '../fixtures/async-job.cjs');

const ABC = list(97, 98, 99);
const TERMS = [
  't',
  list(),
  -7,
  7,
  -5000000000,
  18446744073709551615n,
  1.5,
  ABC,
  list(9),
  ABC,
  Buffer.from('ab'),
  Buffer.from('xy'),
  [1, 2],
  new Map([['k', 1]]),
];
