/** What a pid accepts, and what a receive answers. Only the compiler reads this: nothing here runs. */
import { expectTypeOf } from 'expect-type';
import { isMatching, P } from 'ts-pattern';
import type { Pid, Port, Reference } from '#actors/identifiers';
import {
  type DownMessage,
  type ExitMessage,
  isDown,
  isExit,
  isTagged,
  isTimeout,
  type TimeoutMessage,
} from '#actors/messages';
import { isTuple } from '#actors/term';
import type { Domain } from '#lib/domain';
import { isData, type TubeMessage } from '#lib/tube';
import type { Self } from '#ports/self';

type Ping = ['ping', from: Pid<Pong>, n: number];
type Pong = ['pong', n: number];

export function sending(self: Self, ping: Pid<Ping>, both: Pid<Ping | Pong>, any: Pid, port: Port): void {
  self.send(both, ['pong', 1]);
  self.send(ping, ['ping', self.pid, 1]);
  self.send(ping, ['ping', both, 1]);
  // @ts-expect-error a pong is no ping
  self.send(ping, ['pong', 1]);
  // @ts-expect-error a number is wanted
  self.send(both, ['pong', 'one']);
  // @ts-expect-error whoever answers has to accept pongs
  self.send(ping, ['ping', ping, 1]);
  // @ts-expect-error with options as without
  self.send(ping, ['pong', 1], ['nosuspend']);
  // @ts-expect-error nor so
  self.send_nosuspend(ping, ['pong', 1]);

  self.send(any, ['pong', 1]);
  self.send('name', ['pong', 1]);
  self.send(['name', 'node@host'], ['pong', 1]);
  self.send(port, [self.pid, 'close']);
  expectTypeOf(self.send(any, 'text' as const)).toEqualTypeOf<'text'>();
  expectTypeOf(self.send('name', 5, [])).toEqualTypeOf<'ok' | 'nosuspend'>();
}

export function variance(ping: Pid<Ping>, both: Pid<Ping | Pong>, any: Pid, ref: Reference<Ping>): void {
  expectTypeOf(both).toExtend<Pid<Ping>>();
  expectTypeOf(ping).not.toExtend<Pid<Ping | Pong>>();
  expectTypeOf(ping).toExtend<Pid>();
  expectTypeOf(any).toExtend<Pid<Ping>>();
  expectTypeOf(ref).toExtend<Reference>();
  expectTypeOf(ref).not.toExtend<Pid>();
  expectTypeOf(ping).not.toExtend<Port>();
}

export function untypedUses(self: Self, ping: Pid<Ping>): void {
  self.link(ping);
  self.unlink(ping);
  self.exit(ping, 'kill');
  self.register('ping', ping);
  self.is_process_alive(ping);
  self.group_leader(ping, ping);
  expectTypeOf(self.monitor('process', ping)).toEqualTypeOf<Reference>();
  expectTypeOf(self.whereis('ping')).toEqualTypeOf<Pid | Port | 'undefined'>();
}

export function aliases(self: Self<Pong>, other: Self): void {
  const alias: Reference<Pong> = self.alias();
  other.send(alias, ['pong', 1]);
  // @ts-expect-error as to the pid
  other.send(alias, 'ping');
}

export function timers(self: Self, ping: Pid<Ping>, ticked: Pid<Ping | TimeoutMessage<'tick'>>): void {
  self.send_after(1, ping, ['ping', self.pid, 1]);
  // @ts-expect-error a pong is no ping
  self.send_after(1, ping, ['pong', 1]);
  self.start_timer(1, ticked, 'tick');
  // @ts-expect-error it is told of ticks alone
  self.start_timer(1, ticked, 'tock');
  // @ts-expect-error it takes no timeouts
  self.start_timer(1, ping, 'tick');
  self.start_timer(1, self.pid, { any: 'thing' });
  self.start_timer(1, 'name', 'tick');
}

export function spawning(self: Self, typed: Self<Ping>, domain: Domain): void {
  const body = (_self: Self<Ping>): void => {};
  expectTypeOf(domain.spawn(body)).toEqualTypeOf<Pid<Ping>>();
  expectTypeOf(self.spawn(body)).toEqualTypeOf<Pid<Ping>>();
  expectTypeOf(self.spawn_link(body)).toEqualTypeOf<Pid<Ping>>();
  expectTypeOf(self.spawn_monitor(body)).toEqualTypeOf<[Pid<Ping>, Reference]>();
  expectTypeOf(self.spawn((_: Self<Pong>, n: number, s: string) => n + s, 1, 'a')).toEqualTypeOf<Pid<Pong>>();
  // @ts-expect-error what the body takes besides has to be given
  self.spawn((_: Self<Pong>, n: number) => n);

  // What says nothing of its messages is not taken to receive its parent's.
  expectTypeOf(typed.spawn((child) => expectTypeOf(child).toEqualTypeOf<Self>())).toEqualTypeOf<Pid>();
  domain.spawn((child) => expectTypeOf(child).toEqualTypeOf<Self>());

  expectTypeOf(self.spawn_opt(body, [])).toEqualTypeOf<Pid<Ping>>();
  expectTypeOf(self.spawn_opt(body, ['link', ['priority', 'high']])).toEqualTypeOf<Pid<Ping>>();
  expectTypeOf(self.spawn_opt(body, ['link', 'monitor'])).toEqualTypeOf<[Pid<Ping>, Reference]>();
  expectTypeOf(self.spawn_opt(body, [['monitor', [['alias', 'demonitor']]]])).toEqualTypeOf<
    [Pid<Ping>, Reference]
  >();
  const options: ('link' | 'monitor')[] = [];
  expectTypeOf(self.spawn_opt(body, options)).toEqualTypeOf<Pid<Ping> | [Pid<Ping>, Reference]>();
  // @ts-expect-error no option
  self.spawn_opt(body, ['unlink']);
}

export async function receiving(self: Self<Ping | Pong>, untyped: Self): Promise<void> {
  expectTypeOf(self.pid).toEqualTypeOf<Pid<Ping | Pong>>();
  expectTypeOf(self.receive()).toEqualTypeOf<Ping | Pong | Promise<Ping | Pong>>();
  expectTypeOf(await self.receive()).toEqualTypeOf<Ping | Pong>();
  expectTypeOf(await self.receive({ after: 1 })).toEqualTypeOf<Ping | Pong | undefined>();
  expectTypeOf(await self.receive(undefined, { after: 1 })).toEqualTypeOf<Ping | Pong | undefined>();

  // The compiler sees by itself what a guard like this one leaves.
  expectTypeOf(await self.receive((message) => message[0] === 'pong')).toEqualTypeOf<Pong>();
  expectTypeOf(await self.receive(([tag]) => tag === 'pong')).toEqualTypeOf<Ping | Pong>();
  expectTypeOf(await self.receive((message) => message[0] === 'pong', { after: 0 })).toEqualTypeOf<
    Pong | undefined
  >();
  // @ts-expect-error nothing of that name comes
  await self.receive((message) => message[0] === 'pang');

  expectTypeOf(await untyped.receive()).toEqualTypeOf<unknown>();
  expectTypeOf(await untyped.receive({ after: 1 })).toEqualTypeOf<unknown>();
  expectTypeOf(await untyped.receive(isTuple)).toEqualTypeOf<unknown[]>();
  expectTypeOf(await untyped.receive((message) => typeof message === 'string')).toEqualTypeOf<string>();
}

export async function tags(
  self: Self<Ping | Pong | 'stop' | readonly [Reference, number]>,
  untyped: Self,
  ref: Reference,
): Promise<void> {
  expectTypeOf(await self.receive(isTagged('pong'))).toEqualTypeOf<Pong>();
  expectTypeOf(await self.receive(isTagged('pong'), { after: 1 })).toEqualTypeOf<Pong | undefined>();
  expectTypeOf(await self.receive(isTagged(ref))).toEqualTypeOf<readonly [Reference, number]>();
  expectTypeOf(await untyped.receive(isTagged('pong'))).toEqualTypeOf<readonly ['pong', ...unknown[]]>();
  // Where there are texts beside the tuples, the compiler does not find out what this leaves.
  expectTypeOf(await self.receive((message) => message[0] === 'pong')).not.toEqualTypeOf<Pong>();
}

export async function signals(
  self: Self<Ping>,
  all: Self<Ping | ExitMessage | TubeMessage>,
  tube: Port,
): Promise<void> {
  expectTypeOf(await self.receive(isDown())).toEqualTypeOf<DownMessage>();
  expectTypeOf(await self.receive(isExit(tube), { after: 1 })).toEqualTypeOf<ExitMessage | undefined>();
  expectTypeOf(await self.receive(isTimeout())).toEqualTypeOf<TimeoutMessage>();
  expectTypeOf(await self.receive(isData(tube))).toEqualTypeOf<TubeMessage>();
  expectTypeOf(await all.receive(isData(tube))).toEqualTypeOf<TubeMessage>();
  const message = await all.receive();
  if (message[0] === 'EXIT') expectTypeOf(message).toEqualTypeOf<ExitMessage>();
  else if (message[0] === 'ping') expectTypeOf(message).toEqualTypeOf<Ping>();
  else expectTypeOf(message).toEqualTypeOf<TubeMessage>();
}

export async function patterns(self: Self<Ping | Pong>, untyped: Self): Promise<void> {
  const isAnyPong = isMatching(['pong', P.number]);
  expectTypeOf(await untyped.receive(isAnyPong)).toEqualTypeOf<['pong', number]>();
  expectTypeOf(await untyped.receive(isMatching(['pong', P._]))).toEqualTypeOf<['pong', unknown]>();
  expectTypeOf(await untyped.receive(isMatching({ name: P.string }), { after: 1 })).toEqualTypeOf<
    { name: string } | undefined
  >();
  // A process that says what it receives knows more than the pattern does.
  expectTypeOf(await self.receive(isAnyPong)).toEqualTypeOf<Pong>();
  expectTypeOf(await self.receive(isMatching(['pong', P._]))).toEqualTypeOf<Pong>();
  expectTypeOf(await self.receive(isMatching([P.string, ...P.array()]))).toEqualTypeOf<Ping | Pong>();
  // What its type does not tell of is as the pattern says.
  expectTypeOf(await self.receive(isMatching(P.union(['pong', P._], ['DOWN', P.any])))).toEqualTypeOf<
    Pong | ['DOWN', unknown]
  >();
}
