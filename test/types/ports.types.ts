/** What guards make of the messages of ports. Only the compiler reads this: nothing here runs. */
import { expectTypeOf } from 'expect-type';
import type { Port } from '#actors/identifiers';
import type { List } from '#actors/term';
import { isClosed, isData, isEof, isExitStatus } from '#lib/port-messages';
import { ok } from '#lib/result';
import * as tube from '#lib/tube';
import type { PortOption, Self } from '#ports/self';

export async function data(self: Self, some: readonly PortOption[], unknown: Port): Promise<void> {
  const [, [, bytes]] = await self.receive(
    isData(self.open_port(['spawn', 'cat'], ['binary', ['packet', 4]])),
  );
  expectTypeOf(bytes).toEqualTypeOf<Buffer>();
  const [, [, numbers]] = await self.receive(isData(self.open_port(['spawn', 'cat'])));
  expectTypeOf(numbers).toEqualTypeOf<List<number>>();
  const [, [, more]] = await self.receive(isData(self.open_port(['spawn', 'cat'], ['eof', ['cd', '/']])));
  expectTypeOf(more).toEqualTypeOf<List<number>>();
  const [, [, line]] = await self.receive(isData(self.open_port(['spawn', 'cat'], ['binary', ['line', 80]])));
  expectTypeOf(line).toEqualTypeOf<[end: 'eol' | 'noeol', text: Buffer]>();
  const [, [, listed]] = await self.receive(isData(await self.openPortAsync('slow', [['line', 80]])));
  expectTypeOf(listed).toEqualTypeOf<[end: 'eol' | 'noeol', text: List<number>]>();
  const [, [, packet]] = await self.receive(isData(ok(await tube.accept(self))));
  expectTypeOf(packet).toEqualTypeOf<Buffer>();
  for (const port of [unknown, self.open_port('x', some)]) {
    const [, [, taken]] = await self.receive(isData(port));
    expectTypeOf(taken).toEqualTypeOf<Buffer>();
  }
}

export async function others(self: Self, port: Port): Promise<void> {
  const [, [, status]] = await self.receive(isExitStatus(port));
  expectTypeOf(status).toEqualTypeOf<number>();
  expectTypeOf(await self.receive(isEof(port))).toEqualTypeOf<[port: Port, 'eof']>();
  expectTypeOf(await self.receive(isClosed(port))).toEqualTypeOf<[port: Port, 'closed']>();
}
