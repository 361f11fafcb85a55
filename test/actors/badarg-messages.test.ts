/** Whatever is wrong with an argument is badarg, and says which it is and why. */
import { ErlangError } from '#actors/errors';
import type { Process } from '#actors/process';
import { Runtime } from '#actors/runtime';

let runtime: Runtime;
let self: Process;
beforeEach(() => {
  runtime = new Runtime();
  self = runtime.makeProcess();
});
afterEach(() => runtime.stop());

test.each<[fun: string, args: unknown[], message: string]>([
  ['register', ['x', 1], '1 is no pid and no port'],
  ['register', [7, 'self'], "7 is no name: that is a string, not 'undefined'"],
  ['unregister', ['nobody'], "nobody is registered as 'nobody'"],
  ['whereis', [1], '1 is no name'],
  ['link', [1], '1 is no pid and no port'],
  ['unlink', ['x'], "'x' is no pid and no port"],
  ['exit', [1, 'x'], '1 is no pid and no port'],
  ['monitor', ['process', {}], '{} is no pid, no name and no [name, node]'],
  ['monitor', ['port', 1], '1 is no port, no name and no [name, node]'],
  ['monitor', ['time_offset', 'clock'], "what is monitored is a 'process' or a 'port', not 'time_offset'"],
  ['monitor', ['process', 'x', [['alias', 'replyy']]], "[ 'alias', 'replyy' ] is no option of monitor"],
  ['monitor', ['process', 'x', ['alias']], "an option has to be [key, value], not 'alias'"],
  ['demonitor', [1], '1 is no reference'],
  ['unalias', ['x'], "'x' is no reference"],
  ['alias', [['replyy']], "'replyy' is no option here: these are explicit_unalias, reply"],
  ['alias', ['reply'], "the options have to be a list, not 'reply'"],
  [
    'process_flag',
    ['trap_exitt', true],
    "'trap_exitt' is no flag; the flags are trap_exit, priority, message_queue_data",
  ],
  ['process_flag', ['priority', 'highest'], "'highest' is no value of priority"],
  ['spawn', [1], '1'],
  ['spawn_opt', [() => {}, ['linkk']], "'linkk' is no option of spawn_opt"],
  ['spawn_opt', [() => {}, [['max_heap_size', 5]]], "[ 'max_heap_size', 5 ] is no option of spawn_opt"],
  ['process_info', ['x'], "'x' is no pid"],
  ['process_info', ['self', 'heap'], "'heap' is no item; the items are dictionary, "],
  ['is_process_alive', ['x'], "'x' is no pid"],
  ['group_leader', [1, 'self'], 'the leader 1 is no pid'],
  ['group_leader', ['self', 1], '1 is no process that runs'],
  ['send', [{ to: 1 }, 'x'], 'the destination { to: 1 } is no pid, port, alias or name'],
  ['send', ['nobody', 'x'], 'nobody is registered as nobody'],
  ['send_after', [-1, 'self', 'x'], 'the time has to be an integer of milliseconds, from 0 on, not -1'],
  ['send_after', [1.5, 'self', 'x'], 'the time has to be an integer of milliseconds, from 0 on, not 1.5'],
  ['send_after', [1, 7, 'x'], '7 is no pid and no name'],
  ['send_after', [1, 'x', 'x', [['abs', 1]]], "[ 'abs', 1 ] is no option here: these are ['abs', boolean]"],
  ['cancel_timer', ['x'], "'x' is no reference"],
  [
    'cancel_timer',
    ['ref', [['asyncc', true]]],
    "[ 'asyncc', true ] is no option here: these are ['async', boolean], ['info', boolean]",
  ],
  ['read_timer', [1], '1 is no reference'],
  ['monotonic_time', ['hour'], "'hour' is no unit of time: these are second, "],
  ['hibernate', ['x'], "'x'"],
])('%s(%j)', (fun, args, message) => {
  const functions = self as unknown as Record<string, (...args: unknown[]) => unknown>;
  const given = args.map((arg) => (arg === 'self' ? self.pid : arg === 'ref' ? self.make_ref() : arg));
  let raised: unknown;
  try {
    functions[fun]!.call(self, ...given);
  } catch (error) {
    raised = error;
  }
  expect(raised).toBeInstanceOf(ErlangError);
  expect((raised as ErlangError).reason).toBe('badarg');
  expect((raised as ErlangError).message).toMatch(/^badarg: /);
  expect((raised as ErlangError).message).toContain(message);
});

test('one that has exited cannot be registered', () => {
  const other = runtime.makeProcess();
  other.exit(self.pid, 'kill');
  expect(() => other.register('x', self.pid)).toThrow(`badarg: ${self.pid} has exited`);
});
