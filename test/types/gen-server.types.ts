/** Calls, request by request. Only the compiler reads this: nothing here runs. */
import { expectTypeOf } from 'expect-type';
import type { Pid } from '#actors/identifiers';
import * as gen_server from '#lib/gen-server';
import { ok } from '#lib/result';
import type { Self } from '#ports/self';

type Calls = ['get', number] | [['add', number], 'ok'] | [['name', 'short' | 'long'], string];
type Casts = 'reset' | ['set', number];

const counter: gen_server.Behaviour<number, Calls, Casts, { start: number }> = {
  init: ({ start }) => ['ok', start],
  handle_call(request, from, n, self) {
    gen_server.reply(self, from, 'ok');
    // @ts-expect-error no request has such a reply
    gen_server.reply(self, from, true);
    expectTypeOf(request).toEqualTypeOf<'get' | ['add', number] | ['name', 'short' | 'long']>();
    return request === 'get' ? ['reply', n, n] : ['reply', 'ok', n];
  },
  handle_cast(request, n) {
    expectTypeOf(request).toEqualTypeOf<Casts>();
    return ['noreply', request === 'reset' ? 0 : n + request[1]];
  },
};

export async function calls(self: Self, typed: Self<'mine'>): Promise<void> {
  const pid = ok(await gen_server.start_link(self, counter, { start: 0 }));
  expectTypeOf(pid).toEqualTypeOf<gen_server.Server<Calls, Casts>>();
  expectTypeOf(await gen_server.call(self, pid, 'get')).toEqualTypeOf<number>();
  expectTypeOf(await gen_server.call(self, pid, ['add', 1])).toEqualTypeOf<'ok'>();
  expectTypeOf(await gen_server.call(self, pid, ['name', 'long'], 100)).toEqualTypeOf<string>();
  expectTypeOf(await gen_server.call(typed, pid, 'get')).toEqualTypeOf<number>();
  // @ts-expect-error no request
  await gen_server.call(self, pid, 'put');
  // @ts-expect-error of the wrong argument
  await gen_server.call(self, pid, ['add', 'one']);
  // @ts-expect-error a cast is no call
  await gen_server.call(self, pid, 'reset');
  expectTypeOf(gen_server.cast(self, pid, ['set', 1])).toEqualTypeOf<'ok'>();
  // @ts-expect-error a call is no cast
  gen_server.cast(self, pid, 'get');
  // @ts-expect-error the server needs its argument
  await gen_server.start_link(self, counter, 0);
}

export async function names(self: Self, unknown: Pid): Promise<void> {
  // Of a name, or a pid that says nothing, anything can be asked.
  expectTypeOf(await gen_server.call(self, 'counter', ['any', 'thing'])).toEqualTypeOf<unknown>();
  expectTypeOf(await gen_server.call(self, unknown, ['any', 'thing'])).toEqualTypeOf<unknown>();
  // Who knows better says so.
  expectTypeOf(await gen_server.call<Calls, 'get'>(self, 'counter', 'get')).toEqualTypeOf<number>();
  const known: gen_server.Server<Calls, Casts> = unknown;
  expectTypeOf(await gen_server.call(self, known, 'get')).toEqualTypeOf<number>();
}

export async function named(self: Self): Promise<void> {
  const name = gen_server.named<Calls, Casts>('counter');
  expectTypeOf(await gen_server.call(self, name, ['add', 1])).toEqualTypeOf<'ok'>();
  expectTypeOf(gen_server.send_request(self, name, 'get')).toEqualTypeOf<gen_server.RequestId<number>>();
  gen_server.cast(self, name, 'reset');
  // @ts-expect-error no request
  await gen_server.call(self, name, 'put');
  // @ts-expect-error a call is no cast
  gen_server.cast(self, name, 'get');
  const remote = gen_server.named<Calls>(['counter', 'node@host']);
  expectTypeOf(await gen_server.call(self, remote, 'get')).toEqualTypeOf<number>();
}

export function replies(
  self: Self,
  both: gen_server.From<number | 'ok'>,
  number: gen_server.From<number>,
  any: gen_server.From,
): void {
  gen_server.reply(self, number, 1);
  // @ts-expect-error of another request
  gen_server.reply(self, number, 'ok');
  gen_server.reply(self, any, 'ok');
  // Who takes both takes the one, so callers can be kept by what they wait for.
  expectTypeOf(both).toExtend<gen_server.From<number>>();
  expectTypeOf(number).not.toExtend<gen_server.From<number | 'ok'>>();
  expectTypeOf(number).toExtend<gen_server.From>();
  expectTypeOf(any).toExtend<gen_server.From<number>>();
}

export function asPid(self: Self, server: gen_server.Server<Calls, Casts>): void {
  expectTypeOf(server).toExtend<Pid>();
  self.link(server);
  self.monitor('process', server);
  self.send(server, 'for handle_info');
  expectTypeOf<gen_server.Server<['get', number]>>().not.toExtend<gen_server.Server<['get', string]>>();
}
