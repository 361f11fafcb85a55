/** Who is replied what, and machines by name. Only the compiler reads this: nothing here runs. */
import { expectTypeOf } from 'expect-type';
import * as gen_statem from '#lib/gen-statem';
import type { Self } from '#ports/self';

type Events = { call: ['number', number] | [['text', string], string | null]; cast: 'go' };
type Waiting = gen_statem.From<number>[];

export const machine: gen_statem.StateFunctions<'a' | 'b', Waiting, Events> = {
  init: () => ['ok', 'a', []],
  states: {
    a([type, _content, from], waiting, self) {
      if (type !== 'call') return 'keep_state_and_data';
      expectTypeOf(from).toEqualTypeOf<gen_statem.From<number | string | null>>();
      gen_statem.reply(self, from, 1);
      // @ts-expect-error no request has such a reply
      gen_statem.reply(self, from, true);
      return ['keep_state', [...waiting, from], ['reply', from, 'text']];
    },
    b(_event, waiting, self) {
      const [first] = waiting;
      if (first === undefined) return 'keep_state_and_data';
      gen_statem.reply(self, first, 1);
      gen_statem.reply(self, ['reply', first, 1]);
      // @ts-expect-error it waits for a number
      gen_statem.reply(self, first, 'text');
      return ['stop_and_reply', 'normal', waiting.map((from) => ['reply', from, 1] as const)];
    },
  },
};

export const wrong: gen_statem.HandleEventFunction<null, Waiting, Events> = {
  init: () => ['ok', null, []],
  handle_event: (_event, _state, [first]) =>
    // @ts-expect-error who is kept waits for a number
    first === undefined ? 'keep_state_and_data' : ['keep_state_and_data', ['reply', first, 'text']],
};

export async function named(self: Self): Promise<void> {
  const name = gen_statem.named<Events>('machine');
  expectTypeOf(await gen_statem.call(self, name, 'number')).toEqualTypeOf<number>();
  const id = gen_statem.send_request(self, name, ['text', 'x']);
  expectTypeOf(id).toEqualTypeOf<gen_statem.RequestId<string | null>>();
  gen_statem.cast(self, name, 'go');
  // @ts-expect-error no request
  await gen_statem.call(self, name, 'go');
  // @ts-expect-error no event
  gen_statem.cast(self, name, 'number');
}

export function entering(self: Self): void {
  const { enter_loop: enter } = gen_statem;
  expectTypeOf(enter(self, machine, {}, 'a', [])).toEqualTypeOf<Promise<never>>();
  void enter(self, machine, {}, 'b', [], ['next_event', 'cast', 'go']);
  // @ts-expect-error no state of it
  void enter(self, machine, {}, 'c', []);
  // @ts-expect-error no data of it
  void enter(self, machine, {}, 'a', null);
  // @ts-expect-error no event of it
  void enter(self, machine, {}, 'a', [], ['next_event', 'cast', 'stop']);
}
