/** Invitations to tubes that are none: whoever may write them may write anything. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Crash, type Domain, ok, tube } from 'ling-tubes';
import { tubeKeys } from '#xen/tube-handshake';
import { Box } from '../support/box';
import { HandMadePeer } from '../support/hand-made-peer';
import { eventually } from '../support/residue';
import { End } from '../support/tube-ends';

let box: Box;
let a: Domain;
let b: Domain;
let peer: HandMadePeer;
const crashes: Crash[] = [];

beforeEach(async () => {
  box = new Box();
  a = await box.boot();
  b = await box.boot({ tubeTimeout: 500 });
  crashes.length = 0;
  b.on('crash', (crash) => crashes.push(crash));
  peer = await HandMadePeer.join(box.rundir);
});
afterEach(async () => {
  await peer.leave();
  await box.close();
});

/** Names of which the first alone can be that of a tube. */
const TIDS = ['4294967295', '4294967296', '9999999999', '99999999999', '00', '-1', '1e3', 'x', 'x/1', '@'];
const STATES = ['2', '', '0', '4', '2x', '-2', '99999999999999999999', 'x'.repeat(2000)];

test.each(TIDS)('to tube %s, whatever they say, harm nobody', async (tid) => {
  const [one, other] = await End.pair(a, b, 1);
  const { xenstore } = peer.hypervisor;
  await xenstore.mkdir('data/nock');
  await xenstore.setPerms('data/nock', [`r${peer.domid}`]);
  const { tip, nock } = namesOf(tid);
  for (const isRight of [true, false]) {
    for (const state of STATES) {
      await xenstore.write(`${nock}/state`, state);
      await xenstore.write(`${tip}/nock`, isRight ? nock : state);
      // Time enough for whoever believes it.
      await sleep(10);
      for (const directory of [tip, nock]) await xenstore.rm(directory);
    }
  }
  await eventually(() => [a, b].map(({ runtime }) => runtime.openPorts.size), [1, 1]);
  one.send('still here');
  await eventually(() => other.got, ['still here']);
  expect(crashes).toEqual([]);
  const opened = a.run(async (self) => ok(await tube.open(self, b.domid, 2)).constructor.name);
  await b.run(async (self) => ok(await tube.accept(self)));
  expect(await opened).toBe('Port');
});

function namesOf(tid: string): { tip: string; nock: string } {
  const { tip, nock } = tubeKeys(peer.domid, b.domid, 0);
  return { tip: tip.replace(/0$/, tid), nock: nock.replace(/0$/, tid) };
}
