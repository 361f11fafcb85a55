/** A domain that has come to a limit of its OS process: what it asks for is refused with a reason, what it has goes on. */
import fs from 'node:fs';
import { type Domain, isData, ok, tube } from 'ling-tubes';
import { Box } from '../support/box';
import type { Program, World } from '../support/program';
import { run } from '../support/run';

const LARGE = 2 ** 23;
/** Less than a pair of the largest rings, and more than all else needs for a while, in bytes. */
const ROOM = 14 * 2 ** 20;
const MANY = 20;

let box: Box;
let domain: Domain;
beforeEach(async () => {
  box = new Box();
  domain = await box.boot({ tubeRing: LARGE });
  // Who asks for a tube gets one.
  domain.spawn(async (self) => {
    for (;;) ok(await tube.accept(self));
  });
});
afterEach(() => box.close());

/** Sends back what comes, takes all descriptors or gives them back, and opens so many tubes, one after the other. */
async function limited({ ling, say, listen }: World, peer: number): Promise<void> {
  const fs = require('node:fs') as typeof import('node:fs');
  const { isData, ok, tube, xenstore } = ling;
  const domain = await ling.boot({ name: 'limited' });
  domain.on('disconnected', () => say('disconnected'));
  domain.on('crash', (crash) => say(String(crash)));
  say(domain.domid);
  domain.spawn(async (self) => {
    const t = ok(await tube.accept(self));
    for (;;) self.port_command(t, (await self.receive(isData(t)))[1][1]);
  });
  const held: number[] = [];
  await domain.run(async (self) => {
    for (let tid = 0; ; ) {
      const [what, count, ring] = (await listen()) as ['hold' | 'release' | 'open', number, number];
      if (what === 'open') {
        const answers: unknown[] = [];
        while (answers.length < count) {
          const [tag, opened] = await tube.open(self, peer, tid++, [['ring', ring]]);
          if (tag === 'ok') await tube.close(self, opened);
          answers.push(tag === 'ok' ? tag : opened);
        }
        say([answers, await xenstore.read(self, 'name')]);
      } else {
        while (what === 'hold') {
          try {
            held.push(fs.openSync('/dev/null', 'r'));
          } catch {
            break;
          }
        }
        if (what === 'release') for (const fd of held.splice(0)) fs.closeSync(fd);
        say(what);
      }
    }
  });
}

/** What it is answered, while numbers go to it and come back through a tube that it had before. */
async function openMeanwhile(program: Program, count: number, ring: number, exchange: () => Promise<void>) {
  program.tell(['open', count, ring]);
  let answered = false;
  const answers = program.hear().finally(() => {
    answered = true;
  });
  do await exchange();
  while (!answered);
  for (let i = 0; i < 1000; i++) await exchange();
  return answers;
}

/** Runs `body` with a program that has a tube, and with what sends a number through that and waits for it. */
function withTube(body: (program: Program, exchange: () => Promise<void>) => Promise<void>): Promise<void> {
  const program = box.run(limited, domain.domid);
  return domain.run(async (self) => {
    const t = ok(await tube.open(self, await program.hear<number>(), 0));
    let number = 0;
    const exchange = async (): Promise<void> => {
      const packet = Buffer.alloc(8);
      packet.writeDoubleLE(number++);
      self.port_command(t, packet);
      expect((await self.receive(isData(t)))[1][1]).toEqual(packet);
    };
    await body(program, exchange);
  });
}

test('without descriptors it is emfile, as often as it asks; its tube and its Xenstore go on', async () => {
  await withTube(async (program, exchange) => {
    const { pid } = program;
    await run('prlimit', ['--pid', String(pid), '--nofile=100:']);
    program.tell(['hold']);
    await program.hear();
    const before = fs.readdirSync(`/proc/${pid}/fd`).length;
    const refused = [Array.from({ length: MANY }, () => 'emfile'), ['ok', 'limited']];
    expect(await openMeanwhile(program, MANY, 2 ** 17, exchange)).toEqual(refused);
    expect(fs.readdirSync(`/proc/${pid}/fd`).length).toBe(before);
    program.tell(['release']);
    await program.hear();
    const opened = [Array.from({ length: MANY }, () => 'ok'), ['ok', 'limited']];
    expect(await openMeanwhile(program, MANY, 2 ** 17, exchange)).toEqual(opened);
  });
});

test('without memory it is enomem, as often as it asks; its tube and its Xenstore go on', async () => {
  await withTube(async (program, exchange) => {
    const limit = (bytes: number | 'unlimited') =>
      run('prlimit', ['--pid', String(program.pid), `--as=${bytes}:`]);
    for (let i = 0; i < 1000; i++) await exchange();
    const status = fs.readFileSync(`/proc/${program.pid}/status`, 'utf8');
    await limit(Number(/^VmSize:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024 + ROOM);
    const refused = [Array.from({ length: MANY }, () => 'enomem'), ['ok', 'limited']];
    expect(await openMeanwhile(program, MANY, LARGE, exchange)).toEqual(refused);
    await limit('unlimited');
    const opened = [Array.from({ length: MANY }, () => 'ok'), ['ok', 'limited']];
    expect(await openMeanwhile(program, MANY, LARGE, exchange)).toEqual(opened);
  });
});
