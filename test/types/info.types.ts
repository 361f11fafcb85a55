/** What process_info, port_info, process_flag and sys answer. Only the compiler reads this: nothing here runs. */
import { expectTypeOf } from 'expect-type';
import type { Pid, Port } from '#actors/identifiers';
import type { Priority } from '#actors/process-options';
import type { List } from '#actors/term';
import { ok } from '#lib/result';
import * as sys from '#lib/sys';
import * as tube from '#lib/tube';
import type { Self } from '#ports/self';

export function ofProcesses(self: Self, pid: Pid): void {
  expectTypeOf(self.process_info(pid, 'links')).toEqualTypeOf<'undefined' | ['links', List<Pid | Port>]>();
  expectTypeOf(self.process_info(pid, 'message_queue_len')).toEqualTypeOf<
    'undefined' | ['message_queue_len', number]
  >();
  expectTypeOf(self.process_info(pid, 'registered_name')).toEqualTypeOf<
    'undefined' | ['registered_name', string] | List<never>
  >();
  const some = self.process_info(pid, ['trap_exit', 'priority']);
  expectTypeOf(some).toEqualTypeOf<'undefined' | List<['trap_exit', boolean] | ['priority', Priority]>>();
  // @ts-expect-error no item
  self.process_info(pid, 'colour');
  const all = self.process_info(pid);
  if (all === 'undefined') return;
  for (const [item, value] of all) if (item === 'trap_exit') expectTypeOf(value).toEqualTypeOf<boolean>();
}

export function ofPorts(self: Self, port: Port): void {
  expectTypeOf(self.port_info(port, 'connected')).toEqualTypeOf<'undefined' | ['connected', Pid]>();
  expectTypeOf(self.port_info(port, 'input')).toEqualTypeOf<'undefined' | ['input', number]>();
  expectTypeOf(self.port_info('name', 'registered_name')).toEqualTypeOf<
    'undefined' | ['registered_name', string] | List<never>
  >();
  const drops = self.port_info(port, 'drops');
  if (drops !== 'undefined') expectTypeOf(drops[1]).toEqualTypeOf<unknown>();
}

export async function ofTubes(self: Self): Promise<void> {
  const t = ok(await tube.open(self, 1));
  expectTypeOf(self.port_info(t, 'drops')).toEqualTypeOf<'undefined' | ['drops', number]>();
  expectTypeOf(self.port_info(t, 'packets')).toEqualTypeOf<'undefined' | ['packets', [number, number]]>();
  expectTypeOf(self.port_info(t, 'queue_size')).toEqualTypeOf<'undefined' | ['queue_size', number]>();
  const other = self.port_info(t, 'colour');
  if (other !== 'undefined') expectTypeOf(other[1]).toEqualTypeOf<unknown>();
}

export function flags(self: Self): void {
  expectTypeOf(self.process_flag('trap_exit', true)).toEqualTypeOf<boolean>();
  expectTypeOf(self.process_flag('priority', 'high')).toEqualTypeOf<Priority>();
  // @ts-expect-error each flag has its own values
  self.process_flag('trap_exit', 'high');
  // @ts-expect-error no flag
  self.process_flag('speed', 1);
}

export async function ofServers(self: Self, pid: Pid): Promise<void> {
  const [tag, who, [, module], items] = await sys.get_status(self, pid);
  expectTypeOf(tag).toEqualTypeOf<'status'>();
  expectTypeOf(who).toEqualTypeOf<Pid>();
  expectTypeOf(module).toEqualTypeOf<string>();
  const [dictionary, state, parent, , details] = items;
  for (const [key, value] of dictionary) expectTypeOf([key, value]).toEqualTypeOf<unknown[]>();
  expectTypeOf(state).toEqualTypeOf<'running' | 'suspended'>();
  expectTypeOf(parent).toEqualTypeOf<Pid>();
  for (const [kind, data] of details) if (kind === 'header') expectTypeOf(data).toEqualTypeOf<Buffer>();
  expectTypeOf(items).toExtend<List>();
}
