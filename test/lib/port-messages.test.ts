/** Each guard takes its message of its port, and nothing else. */
import { boot, isClosed, isData, isEof, isExitStatus, isTuple, type Port } from 'ling-tubes';
import { Box } from '../support/box';

const GUARDS = { data: isData, exit_status: isExitStatus, eof: isEof, closed: isClosed };

test('of all that a program and its port tell, each guard takes its own, of that port alone', async () => {
  const box = new Box();
  const domain = await boot({ rundir: box.rundir });
  await domain.run(async (self) => {
    const options = ['binary', ['line', 80], 'exit_status', 'eof'] as const;
    const port = self.open_port(['spawn', 'sh -c "echo hello; exit 3"'], options);
    const other = self.open_port('echo');
    const seen: unknown[] = [];
    for (let i = 0; i < 3; i++) seen.push(await self.receive((m) => isTuple(m) && m[0] === port));
    self.send(port, [self.pid, 'close']);
    seen.push(await self.receive((m) => isTuple(m) && m[0] === port));
    const taken = seen.map((message) => takers(port, message));
    expect(taken).toEqual([['data'], ['exit_status'], ['eof'], ['closed']]);
    expect(seen.flatMap((message) => takers(other, message))).toEqual([]);
    expect(seen.slice(0, 2)).toEqual([
      [port, ['data', ['eol', Buffer.from('hello')]]],
      [port, ['exit_status', 3]],
    ]);
    for (const message of [undefined, null, 7, [port], [port, 'data'], [port, ['other']], ['data', port]]) {
      expect(takers(port, message)).toEqual([]);
    }
  });
  await domain.stop();
  await box.close();
});

function takers(port: Port, message: unknown): string[] {
  return Object.entries(GUARDS).flatMap(([name, guard]) => (guard(port)(message) ? [name] : []));
}
