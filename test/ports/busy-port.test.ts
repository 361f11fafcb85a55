/**
 * The order of what one process does to a busy port, and what becomes of it when that process ends. In Erlang a sender
 * is suspended, so nothing it does later comes before; here a program may go on without awaiting that.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Pid, Port } from '#actors/identifiers';
import { isTuple } from '#actors/term';
import type { Driver, DriverPort } from '#ports/driver';
import { PortRuntime } from '#ports/port-runtime';
import type { Self } from '#ports/self';
import { runProcess } from '../support/run-process';

let runtime: PortRuntime;
let port: DriverPort;
/** What the driver has been given. */
let heard: string[];
beforeEach(() => {
  runtime = new PortRuntime({ onCrash: () => {} });
  heard = [];
});
afterEach(() => runtime.stop());

const run = <T>(body: (self: Self) => T) => runProcess(runtime, body);

/** A busy port; data that begin with B make it busy again. */
function openBusy(self: Self, more: Partial<Driver> = {}): Port {
  runtime.addDriver({
    name: 'test',
    ...more,
    start(given) {
      port = given;
      given.set_busy(true);
      return {
        output(data) {
          const text = String(Buffer.from(data));
          heard.push(text);
          if (text.startsWith('B')) given.set_busy(true);
        },
      };
    },
  });
  return self.open_port('test', ['binary']);
}

const pause = (ms = 2): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function freed(): Promise<void> {
  port.set_busy(false);
  await pause();
}

const HOW: Record<string, (self: Self, id: Port, owner: Pid, data: string) => unknown> = {
  port_command: (self, id, _, data) => self.port_command(id, data),
  '!': (self, id, owner, data) => self.send(id, [owner, ['command', data]]),
  'send with options': (self, id, owner, data) => self.send(id, [owner, ['command', data]], []),
};
const ways = Object.keys(HOW);

/** How a program can end that has not awaited what it sent, and the reason of its process. */
const ENDS: Record<string, { end: (self: Self, sent: unknown) => unknown; reason: unknown }> = {
  'returns at once': { end: () => undefined, reason: 'normal' },
  'returns later': { end: () => pause(1), reason: 'normal' },
  'awaits it': { end: (_, sent) => sent, reason: 'normal' },
  'exits normally': { end: (self) => self.exit('normal'), reason: 'normal' },
  'exits with a reason': { end: (self) => self.exit('done'), reason: 'done' },
  'hibernates and returns': {
    end: (self) => {
      self.send(self.pid, 'go on');
      return self.hibernate(() => undefined);
    },
    reason: 'normal',
  },
};

describe.each(ways)('a process that sends by %s to a busy port', (way) => {
  const send = HOW[way] as (typeof HOW)[string];

  test.each(Object.keys(ENDS))('and %s: ends when that has been delivered', async (how) => {
    const { end, reason } = ENDS[how] as (typeof ENDS)[string];
    await run(async (self) => {
      const id = openBusy(self);
      const [sender, monitor] = self.spawn_monitor((me) => {
        const sent = [1, 2].map((i) => send(me, id, self.pid, `${i}`));
        return end(me, Promise.all(sent));
      });
      await pause(10);
      expect(self.process_info(sender, 'status')).toEqual(['status', 'suspended']);
      expect(heard).toEqual([]);
      await freed();
      expect(heard).toEqual(['1', '2']);
      expect(await self.receive()).toEqual(['DOWN', monitor, 'process', sender, reason]);
    });
  });

  test.each(['kill', 'other'])('and is ended by an exit signal, %s: has not sent', async (reason) => {
    await run(async (self) => {
      const id = openBusy(self);
      const [sender, monitor] = self.spawn_monitor((me) => void send(me, id, self.pid, 'x'));
      await pause();
      self.exit(sender, 'normal');
      expect(self.is_process_alive(sender)).toBe(true);
      self.exit(sender, reason);
      expect(await self.receive()).toEqual([
        'DOWN',
        monitor,
        'process',
        sender,
        reason === 'kill' ? 'killed' : reason,
      ]);
      await freed();
      expect(heard).toEqual([]);
    });
  });

  test('and crashes: ends at once, and has not sent', async () => {
    await run(async (self) => {
      const id = openBusy(self);
      const [, monitor] = self.spawn_monitor((me) => {
        send(me, id, self.pid, 'x');
        throw new RangeError('no');
      });
      const [tag, ref] = (await self.receive()) as unknown[];
      expect([tag, ref]).toEqual(['DOWN', monitor]);
      await freed();
      expect(heard).toEqual([]);
    });
  });

  test('and owns it, and returns: its end closes the port after that', async () => {
    await run(async (self) => {
      let id: Port | undefined;
      const [owner] = self.spawn_monitor((me) => {
        id = openBusy(me);
        send(me, id, me.pid, '1');
        send(me, id, me.pid, '2');
      });
      await pause();
      expect(self.port_info(id as Port, 'connected')).toEqual(['connected', owner]);
      await freed();
      expect(heard).toEqual(['1', '2']);
      expect(self.port_info(id as Port)).toBe('undefined');
      expect(self.is_process_alive(owner)).toBe(false);
    });
  });

  test('and returns: ends when the port does', async () => {
    await run(async (self) => {
      const id = openBusy(self);
      const [sender, monitor] = self.spawn_monitor((me) => void send(me, id, self.pid, 'x'));
      await pause();
      self.port_close(id);
      expect(await self.receive()).toEqual(['DOWN', monitor, 'process', sender, 'normal']);
      expect(heard).toEqual([]);
    });
  });

  const CLOSES: Record<string, (self: Self, id: Port, owner: Pid) => unknown> = {
    port_close: (self, id) => self.port_close(id),
    '{Owner, close}': (self, id, owner) => self.send(id, [owner, 'close']),
  };

  test.each(Object.keys(CLOSES))('and closes it by %s: that comes after', async (how) => {
    await run(async (self) => {
      self.process_flag('trap_exit', true);
      const id = openBusy(self);
      const close = CLOSES[how] as (typeof CLOSES)[string];
      const sent = ['1', 'B2', '3'].map((data) => send(self, id, self.pid, data));
      const closing = close(self, id, self.pid);
      expect(closing).toBeInstanceOf(Promise);
      const late = send(self, id, self.pid, 'late');
      await freed();
      expect(heard).toEqual(['1', 'B2']);
      expect(self.port_info(id, 'id')).not.toBe('undefined');
      await freed();
      expect(heard).toEqual(['1', 'B2', '3']);
      expect(await Promise.all(sent)).toHaveLength(3);
      expect(await closing).toEqual(how === 'port_close' ? true : [self.pid, 'close']);
      expect(await self.receive()).toEqual(['EXIT', id, 'normal']);
      if (way === 'port_command') await expect(late).rejects.toThrow('badarg');
      else await late;
    });
  });

  test('and closes it, as the last thing the port was busy for: that does not wait any more', async () => {
    await run(async (self) => {
      self.process_flag('trap_exit', true);
      const id = openBusy(self);
      send(self, id, self.pid, 'B');
      self.port_close(id);
      await freed();
      expect(heard).toEqual(['B']);
      expect(self.port_info(id)).toBe('undefined');
    });
  });

  test('and closes it, and is killed: it is not closed', async () => {
    await run(async (self) => {
      const id = openBusy(self);
      const sender = self.spawn(async (me) => {
        send(me, id, self.pid, 'x');
        await me.port_close(id);
      });
      await pause();
      self.exit(sender, 'kill');
      await freed();
      expect(heard).toEqual([]);
      expect(self.port_info(id, 'connected')).toEqual(['connected', self.pid]);
    });
  });

  test.each(['port_connect', '{Owner, {connect, New}}'])('and gives it away by %s: after', async (how) => {
    await run(async (self) => {
      const id = openBusy(self);
      const heir = self.spawn((me) => me.receive());
      send(self, id, self.pid, 'mine');
      const given =
        how === 'port_connect' ? self.port_connect(id, heir) : self.send(id, [self.pid, ['connect', heir]]);
      expect(self.port_info(id, 'connected')).toEqual(['connected', self.pid]);
      await freed();
      await given;
      expect(heard).toEqual(['mine']);
      expect(self.port_info(id, 'connected')).toEqual(['connected', heir]);
      expect(self.is_process_alive(heir)).toBe(true);
    });
  });

  test('and nosuspend after: is false as long as its own data wait', async () => {
    await run(async (self) => {
      const id = openBusy(self);
      send(self, id, self.pid, '1');
      port.set_busy(false);
      expect(self.port_command(id, 'no', ['nosuspend'])).toBe(false);
      expect(self.send(id, [self.pid, ['command', 'no']], ['nosuspend'])).toBe('nosuspend');
      expect(self.send(id, [self.pid, 'close'], ['nosuspend'])).toBe('nosuspend');
      await pause();
      expect(self.port_command(id, '2', ['nosuspend'])).toBe(true);
      expect(heard).toEqual(['1', '2']);
    });
  });

  test('and force after: comes after, and then does not wait for the port', async () => {
    await run(async (self) => {
      const id = openBusy(self, { softBusy: true });
      send(self, id, self.pid, 'B1');
      const forced = self.port_command(id, 'forced', ['force']);
      expect(heard).toEqual([]);
      await freed();
      expect(await forced).toBe(true);
      expect(heard).toEqual(['B1', 'forced']);
      expect(self.port_command(id, 'next', ['force'])).toBe(true);
      expect(heard).toEqual(['B1', 'forced', 'next']);
    });
  });

  test('does not hold up what others do', async () => {
    await run(async (self) => {
      self.process_flag('trap_exit', true);
      const id = openBusy(self, { softBusy: true });
      self.spawn((me) => send(me, id, self.pid, 'x'));
      await pause();
      expect(self.port_command(id, 'forced', ['force'])).toBe(true);
      expect(self.send(id, [self.pid, ['connect', self.pid]], ['nosuspend'])).toBe('ok');
      expect(self.port_connect(id, self.pid)).toBe(true);
      port.set_busy(false);
      expect(self.port_command(id, 'at once', ['nosuspend'])).toBe(true);
      expect(self.port_close(id)).toBe(true);
      expect(heard).toEqual(['forced', 'at once']);
    });
  });
});

test('a sender that is killed by the delivery of its data: what it sent after them is not delivered, others go on', async () => {
  await run(async (self) => {
    let killed: Pid | undefined;
    runtime.addDriver({
      name: 'killer',
      start(given) {
        port = given;
        given.set_busy(true);
        return {
          output(data) {
            heard.push(String(Buffer.from(data)));
            if (killed === given.caller()) self.exit(killed as Pid, 'kill');
          },
        };
      },
    });
    const id = self.open_port('killer');
    for (const first of ['a', 'K', 'b']) {
      const sender = self.spawn((me) => {
        me.port_command(id, `${first}1`);
        if (first === 'K') me.port_close(id);
        me.port_command(id, `${first}2`);
      });
      if (first === 'K') killed = sender;
    }
    await pause();
    await freed();
    expect(heard).toEqual(['a1', 'a2', 'K1', 'b1', 'b2']);
    expect(self.port_info(id, 'connected')).toEqual(['connected', self.pid]);
    expect(self.port_command(id, 'c', ['nosuspend'])).toBe(true);
  });
});

test('what comes from outside of any process keeps its order, too', async () => {
  await run(async (self) => {
    self.process_flag('trap_exit', true);
    const id = openBusy(self);
    for (const data of ['1', '2']) runtime.send(id, [self.pid, ['command', data]]);
    runtime.send(id, [self.pid, 'close']);
    await freed();
    expect(heard).toEqual(['1', '2']);
    expect(await self.receive(isTuple)).toEqual(['EXIT', id, 'normal']);
  });
});

test('system_monitor hears of a process once, however much it sends without awaiting', async () => {
  await run(async (self) => {
    const id = openBusy(self);
    self.system_monitor(self.pid, ['busy_port']);
    const sender = self.spawn((me) => {
      for (let i = 0; i < 3; i++) me.port_command(id, 'x');
      me.port_close(id);
    });
    await pause();
    expect(await self.receive()).toEqual(['monitor', sender, 'busy_port', id]);
    expect(await self.receive(undefined, { after: 0 })).toBeUndefined();
  });
});

test('senders that are killed are forgotten at once, wherever they waited', async () => {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  const COUNT = 200;
  const gone: WeakRef<object>[] = [];
  await run(async (self) => {
    const id = openBusy(self);
    const senders = Array.from({ length: COUNT }, (_, i) =>
      self.spawn(async (me) => {
        const data = Buffer.from(`${i}`);
        gone.push(new WeakRef(data));
        await me.port_command(id, data);
      }),
    );
    await pause();
    for (const sender of senders) if (sender !== senders[7]) self.exit(sender, 'kill');
    for (let i = 0; i < 20 && gone.filter((ref) => ref.deref()).length > 1; i++) {
      await pause(5);
      gc();
    }
    expect(gone.filter((ref) => ref.deref())).toHaveLength(1);
    await freed();
    expect(heard).toEqual(['7']);
  });
});

test('no command waits but for a busy port: each has been delivered when its call returns, whatever the limits', async () => {
  await run(async (self) => {
    const id = openBusy(self);
    port.set_busy(false);
    expect(port.busy_msgq_limits([1, 1])).toEqual([1, 1]);
    for (let i = 0; i < 10; i++) {
      self.spawn((me) => {
        const before = heard.length;
        expect(me.port_command(id, Buffer.alloc(100_000))).toBe(true);
        me.send(id, [self.pid, ['command', Buffer.alloc(100_000)]]);
        expect(heard).toHaveLength(before + 2);
      });
    }
    await pause();
    expect(heard).toHaveLength(20);
  });
});
