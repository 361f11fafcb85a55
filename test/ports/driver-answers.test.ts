/** What a driver answers to control and call, at once or later: its caller hears of it, and nobody else suffers. */
import { ErlangError } from '#actors/errors';
import type { Port } from '#actors/identifiers';
import { list } from '#actors/term';
import type { DriverInstance, DriverPort } from '#ports/driver';
import { PortRuntime } from '#ports/port-runtime';
import type { Self } from '#ports/self';
import { runProcess } from '../support/run-process';

let runtime: PortRuntime;
let end: DriverPort;
beforeEach(() => {
  runtime = new PortRuntime({ onCrash: () => {} });
});
afterEach(() => runtime.stop());

const BROKEN = new RangeError('broken');
const BADARG = new ErlangError('badarg');
const pending = () => new Promise(() => {});

/** What is answered, or raised; and then what the owner hears of the end of the port. */
interface Outcome {
  answers?: unknown;
  raises?: 'badarg';
  ends?: unknown;
}
const ERROR = { raises: 'badarg', ends: [['RangeError', Buffer.from('broken')], expect.anything()] } as const;
const NO_BYTES = {
  raises: 'badarg',
  ends: [['TypeError', expect.anything()], expect.anything()],
} as const;

/** By what the driver answers: for control, and for call. */
const ANSWERS: Record<string, [answer: () => unknown, control: Outcome, call: Outcome]> = {
  undefined: [() => undefined, { answers: list() }, { raises: 'badarg' }],
  null: [() => null, NO_BYTES, { answers: null }],
  bytes: [() => Buffer.of(1), { answers: list(1) }, { answers: Buffer.of(1) }],
  'no bytes': [() => new Uint8Array(), { answers: list() }, { answers: new Uint8Array() }],
  text: [() => 'x', NO_BYTES, { answers: 'x' }],
  'a number': [() => 1, NO_BYTES, { answers: 1 }],
  'a list': [() => list(1), NO_BYTES, { answers: list(1) }],
  'other numbers': [() => new Uint16Array([1]), NO_BYTES, { answers: new Uint16Array([1]) }],
  'what only looks like bytes': [
    () => Object.create(Uint8Array.prototype),
    NO_BYTES,
    { answers: expect.anything() },
  ],
  'an error': [
    () => {
      throw BROKEN;
    },
    ERROR,
    ERROR,
  ],
  badarg: [
    () => {
      throw BADARG;
    },
    { raises: 'badarg' },
    { raises: 'badarg' },
  ],
  'an error of its own after its end': [
    () => {
      end.failure_atom('mine');
      throw BROKEN;
    },
    { raises: 'badarg', ends: 'mine' },
    { raises: 'badarg', ends: 'mine' },
  ],
};

const WHEN: Record<string, (answer: () => unknown) => () => unknown> = {
  'at once': (answer) => answer,
  'as a promise': (answer) => async () => answer(),
  later: (answer) => () => new Promise((resolve) => setImmediate(resolve)).then(answer),
  'as what only has then': (answer) => () => ({
    // biome-ignore lint/suspicious/noThenProperty: that is the point of it
    then: (resolve: (value: unknown) => void, reject: (error: unknown) => void) =>
      Promise.resolve().then(answer).then(resolve, reject),
  }),
};

const CALLBACKS: Record<'control' | 'call', (self: Self, port: Port) => unknown> = {
  control: (self, port) => self.port_control(port, 0, ''),
  call: (self, port) => self.port_call(port, 0, 'x'),
};

/** What somebody hears who asks; `raises`, and the reason of the end of the port. */
async function ask(self: Self, name: 'control' | 'call', callback: () => unknown): Promise<Outcome> {
  self.process_flag('trap_exit', true);
  runtime.addDriver({
    name: 'answering',
    start(port): DriverInstance {
      end = port;
      return { [name]: callback };
    },
  });
  const port = self.open_port('answering');
  const outcome: Outcome = {};
  try {
    outcome.answers = await CALLBACKS[name](self, port);
  } catch (error) {
    expect(error).toBeInstanceOf(ErlangError);
    outcome.raises = (error as ErlangError).reason as 'badarg';
  }
  const exit = (await self.receive(undefined, { after: 1 })) as [string, Port, unknown] | undefined;
  if (exit !== undefined) outcome.ends = exit[2];
  expect(self.ports()).toEqual(exit === undefined ? list(port) : list());
  return outcome;
}

describe.each(Object.keys(CALLBACKS) as ('control' | 'call')[])('%s that answers', (name) => {
  describe.each(Object.keys(ANSWERS))('%s', (what) => {
    test.each(Object.keys(WHEN))('%s', async (when) => {
      const [answer, ...outcomes] = ANSWERS[what] ?? [];
      const callback = WHEN[when]?.(answer as () => unknown) as () => unknown;
      const outcome = await runProcess(runtime, (self) => ask(self, name, callback));
      expect(outcome).toEqual(outcomes[name === 'control' ? 0 : 1]);
    });
  });

  test('a promise that is never settled, of a port that it has ended', async () => {
    const callback = () => {
      end.failure_atom('mine');
      return pending();
    };
    const outcome = await runProcess(runtime, (self) => ask(self, name, callback));
    expect(outcome).toEqual({ raises: 'badarg', ends: 'mine' });
  });

  test('a promise that is settled already, of a port that it has ended', async () => {
    const callback = async () => {
      end.failure_atom('mine');
      return Buffer.of(1);
    };
    const outcome = await runProcess(runtime, (self) => ask(self, name, callback));
    expect(outcome).toEqual({ answers: name === 'control' ? list(1) : Buffer.of(1), ends: 'mine' });
  });

  test('a promise that is never settled, of a port that ends', async () => {
    const callback = () => {
      setImmediate(() => end.failure_atom('mine'));
      return pending();
    };
    const outcome = await runProcess(runtime, (self) => ask(self, name, callback));
    expect(outcome).toEqual({ raises: 'badarg', ends: 'mine' });
  });
});
