import { Runtime } from '#actors/runtime';
import { list } from '#actors/term';
import { runProcess } from '../support/run-process';

const runtime = new Runtime();
afterAll(() => runtime.stop());

describe('process_info without items', () => {
  test.each([true, false])('is the short ones, and the name only of who has one (%p)', (isNamed) =>
    runProcess(runtime, (self) => {
      const pid = self.spawn_link(async (other) => void (await other.receive((m) => m === 'go')));
      if (isNamed) self.register('somebody', pid);
      for (const message of ['a', 'b']) self.send(pid, message);
      expect(self.process_info(pid)).toEqual(
        list(
          ...(isNamed ? [['registered_name', 'somebody']] : []),
          ['initial_call', ['erlang', 'apply', 2]],
          ['status', expect.stringMatching(/^(runnable|waiting)$/)],
          ['message_queue_len', 2],
          ['links', list(self.pid)],
          ['dictionary', list()],
          ['trap_exit', false],
          ['priority', 'normal'],
          ['group_leader', self.group_leader()],
        ),
      );
      self.unlink(pid);
      self.exit(pid, 'kill');
    }),
  );

  test('is undefined of a process that has exited', () =>
    runProcess(runtime, async (self) => {
      const [pid] = self.spawn_monitor(() => {});
      await self.receive();
      expect(self.process_info(pid)).toBe('undefined');
    }));
});
