/** The scripts of programs.escript: what is done with a port of a program, and what Erlang/OTP 25 has made of it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Port } from '#actors/identifiers';
import { isList, isTuple, list } from '#actors/term';
import type { Self } from '#ports/self';
import { parseObserved } from '../support/erlang-world';
import { chars } from './port-world';
import { ProgramWorld } from './program-world';

export interface Script {
  readonly id: string;
  readonly name: unknown;
  readonly options: unknown;
  readonly steps: readonly unknown[];
  readonly observed: unknown;
}

export const scripts: readonly Script[] = readFileSync(
  join(__dirname, '../fixtures/erlang/programs.jsonl'),
  'utf8',
)
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line));

/** Milliseconds for what has to come, from programs that share the machine with others. */
const PATIENCE = 15_000;

/** What our port makes of it, that is expected to make `expected` of it. */
export function play({ name, options, steps }: Script, expected: readonly unknown[]): Promise<unknown> {
  return ProgramWorld.observe(async (w, self) => {
    w.trap();
    const opened = (await w.ex(() =>
      self.open_port(argument(name) as never, argument(options) as never),
    )) as [string, Port];
    if (opened[0] !== 'ok') return opened;
    const port = w.name(opened[1], 'Port');
    const results = list<unknown>('ok');
    for (const [i, step] of steps.entries()) {
      results.push(await take(w, self, port, parseObserved(step), expected[i + 1]));
    }
    return results;
  });
}

/** A term as open_port takes it here: text where Erlang has lists of characters, arrays for options. */
function argument(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(argument);
  if (typeof json === 'number') return json;
  const { str, tuple } = json as { str?: string; tuple?: unknown[] };
  return str ?? tuple?.map(argument) ?? parseObserved(json);
}

async function take(
  w: ProgramWorld,
  self: Self,
  port: Port,
  step: unknown,
  expected: unknown,
): Promise<unknown> {
  const [what, value] = (isTuple(step) ? step : [step]) as [string, never];
  switch (what) {
    case 'command':
      return w.ex(() => self.port_command(port, value));
    case 'big':
      return w.ex(() => self.port_command(port, Buffer.alloc(value, 'x')));
    case 'nosuspend':
    case 'force':
      return w.ex(() => self.port_command(port, value, [what]));
    case 'bang':
      self.send(port, [self.pid, value]);
      return 'sent';
    case 'bang_big':
      self.send(port, [self.pid, ['command', Buffer.alloc(value, 'x')]]);
      return 'sent';
    case 'exit':
      return self.exit(port, value);
    case 'close':
      return w.ex(() => self.port_close(port));
    case 'control':
      return w.ex(() => self.port_control(port, 1, 'x'));
    case 'call':
      return w.ex(() => self.port_call(port, 1, 'x'));
    case 'monitor':
      w.name(self.monitor('port', port), 'Mon');
      return 'ok';
    case 'unlink':
      return self.unlink(port);
    case 'is_open':
      return w.isOpen(port);
    case 'is_listed':
      return self.ports().includes(port);
    case 'info': {
      const info = self.port_info(port, value as string);
      // Our text is Erlang's list of characters.
      return isTuple(info) && typeof info[1] === 'string' && info[0] === 'name'
        ? [info[0], chars(info[1])]
        : info;
    }
    case 'os_pid':
      return typeof (self.port_info(port, 'os_pid') as unknown[])[1] === 'number';
    case 'spin':
      // Nothing else runs meanwhile.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, value);
      return 'spun';
    case 'sleep':
      await sleep(value);
      return 'slept';
    case 'size': {
      const [, [, data]] = (await w.rcv(self, PATIENCE)) as [Port, ['data', Buffer]];
      return ['size', data.length];
    }
    case 'rcv':
      return expected === 'timeout' ? w.rcv() : w.rcv(self, PATIENCE);
    case 'mbox': {
      const messages = list<unknown>();
      while (messages.length < (expected as unknown[]).length) messages.push(await w.rcv(self, PATIENCE));
      messages.push(...((await w.mbox()) as unknown[]));
      return messages;
    }
    default:
      throw new Error(`an unknown step: ${isList(step) ? [...step] : String(step)}`);
  }
}
