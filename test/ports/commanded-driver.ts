/** A driver that does what the data say, and logs its callbacks: as the one that the recorded cases used. */
import { ErlangError } from '#actors/errors';
import type { Driver, DriverInstance, DriverPort } from '#ports/driver';

export type Log = string[];

interface Variant {
  readonly binaryControl?: boolean;
  /** Which it has; all of them when not given. */
  readonly callbacks?: readonly (keyof DriverInstance)[];
}

export function commandedDriver(
  name: string,
  log: Log,
  { binaryControl = false, callbacks }: Variant = {},
): Driver {
  return {
    name,
    binaryControl,
    start(port, command) {
      const [tag = '-', ...words] = command.split(' ');
      const note = (what: string): void => {
        log.push(`${tag}:${what}`);
      };
      note('start');
      for (const word of words) {
        const reason = START_ERRORS[word];
        if (reason !== undefined) throw new ErlangError(reason);
      }
      const all: DriverInstance = {
        output(data) {
          note(`output(${data.length})`);
          obey(port, Buffer.from(data));
        },
        control(operation, data) {
          note(`control(${operation})`);
          return control(port, operation, Buffer.from(data), note);
        },
        call(operation, argument) {
          note(`call(${operation})`);
          if (operation !== 1) throw new ErlangError('badarg');
          return argument;
        },
        stop: () => note('stop(q=0)'),
      };
      if (callbacks === undefined) return all;
      return Object.fromEntries(callbacks.map((key) => [key, all[key]]));
    },
  };
}

const START_ERRORS: Record<string, string> = {
  fail_general: 'einval',
  fail_errno: 'eacces',
  fail_badarg: 'badarg',
};

/** The first byte says what to do. */
function obey(port: DriverPort, data: Buffer): void {
  const rest = data.subarray(1);
  switch (data.toString('latin1', 0, 1)) {
    case '':
      port.output(Buffer.alloc(0));
      return;
    case 'e':
      port.output(rest);
      return;
    case 'x':
      return port.failure_eof();
    case 'a':
      return port.failure('my_atom');
    case 'I':
      return port.failure(17);
    case 'c':
      return tellCaller(port);
    case 'D':
      port.output(Buffer.from('before'));
      port.failure('my_atom');
      port.output(Buffer.from('after'));
  }
}

function control(port: DriverPort, operation: number, data: Buffer, note: (what: string) => void): Buffer {
  switch (operation) {
    case 1:
      return data;
    case 7:
      setTimeout(() => {
        note('timeout(q=0)');
        port.failure('timer_died');
      }, Number(data.toString()));
      break;
    case 16:
      port.failure('ctl_atom');
      break;
    case 18:
      port.failure_eof();
      break;
    case 30:
      tellCaller(port);
      break;
    default:
      throw new ErlangError('badarg');
  }
  return Buffer.from('ok');
}

function tellCaller(port: DriverPort): void {
  port.send_term(port.connected(), ['who', port.caller(), port.connected(), port.id]);
}
