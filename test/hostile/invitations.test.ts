/** Invitations to tubes that are none: whoever may write them may write anything. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Crash, type Domain, ok, tube } from 'ling-tubes';
import { MOST_ANSWERED } from '#lib/tube-invitations';
import { tubeKeys } from '#xen/tube-handshake';
import { Box } from '../support/box';
import { HandMadePeer } from '../support/hand-made-peer';
import { eventually } from '../support/residue';
import { End, snapshot } from '../support/tube-ends';

let box: Box;
let a: Domain;
let b: Domain;
let peer: HandMadePeer;
const crashes: Crash[] = [];

beforeEach(async () => {
  box = new Box();
  a = await box.boot();
  b = await box.boot({ tubeTimeout: 2000 });
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

describe('more than are answered at a time', () => {
  const MORE = 8;
  let patient: Domain;
  let silent: number;

  beforeEach(async () => {
    patient = await box.boot({ tubeTimeout: 60_000 });
    silent = patient.runtime.processes().length;
    for (let tid = 0; tid < MOST_ANSWERED + MORE; tid++) await peer.invite(patient.domid, tid, {});
  });

  /** The tubes of this peer for which the invited side has pages and channels. */
  async function offered(): Promise<number[]> {
    const rings = new RegExp(`/${patient.domid}/data/tip/${peer.domid}/(\\d+)/ring-ref$`);
    const tids = Object.keys(await snapshot(box)).flatMap((path) => rings.exec(path)?.slice(1) ?? []);
    return tids.map(Number).sort((one, other) => one - other);
  }

  function range(from: number, to: number): number[] {
    return Array.from({ length: to - from }, (_, n) => from + n);
  }

  async function takeBack(tid: number): Promise<void> {
    const { tip, nock } = tubeKeys(peer.domid, patient.domid, tid);
    for (const directory of [nock, tip]) await peer.hypervisor.xenstore.rm(directory);
  }

  test('wait for their turn, and take nothing meanwhile; with the peer all are over', async () => {
    await eventually(offered, range(0, MOST_ANSWERED));
    await sleep(100);
    expect(await offered()).toEqual(range(0, MOST_ANSWERED));
    expect(patient.runtime.openPorts.size).toBe(MOST_ANSWERED);
    // One that waits is taken back as well.
    await takeBack(MOST_ANSWERED);
    for (const tid of [0, 1]) await takeBack(tid);
    const turned = [...range(2, MOST_ANSWERED), MOST_ANSWERED + 1, MOST_ANSWERED + 2];
    await eventually(offered, turned);
    await peer.leave();
    await eventually(() => [patient.runtime.openPorts.size, patient.runtime.processes().length], [0, silent]);
    expect(await offered()).toEqual([]);
  });

  test('and for which nobody calls accept: another peer is accepted in its turn', async () => {
    await eventually(offered, range(0, MOST_ANSWERED));
    for (const tid of range(0, MOST_ANSWERED))
      await peer.hypervisor.xenstore.write(`${tubeKeys(peer.domid, patient.domid, tid).nock}/state`, '4');
    const opening = new End().start(a, (self) => tube.open(self, patient.domid));
    const { nock } = tubeKeys(a.domid, patient.domid, 0);
    await eventually(async () => (await snapshot(box))[`${nock}/state`], '4');
    // What it says is on its way to the other side.
    await sleep(100);
    const accepting = () => new End().start(patient, (self) => tube.accept(self));
    const ends = [await accepting(), await accepting()];
    const peers = ends.map((end) => end.self.port_info(end.tube, 'peer'));
    expect(peers).toContainEqual(['peer', a.domid]);
    expect(peers).toContainEqual(['peer', peer.domid]);
    // One that is accepted makes room.
    await eventually(offered, range(0, MOST_ANSWERED + 1));
    (await opening).send('still served');
    await eventually(() => ends.map(({ got }) => got), expect.arrayContaining([['still served']]));
  });

  test('by a peer that says nothing more: each times out', async () => {
    for (let tid = 0; tid < MOST_ANSWERED + MORE; tid++) await peer.invite(b.domid, tid, {});
    const before = a.runtime.processes().length;
    await eventually(() => [b.runtime.openPorts.size, b.runtime.processes().length], [0, before]);
    expect(crashes).toEqual([]);
    const [one, other] = await End.pair(a, b);
    one.send('still served');
    await eventually(() => other.got, ['still served']);
  });
});

function namesOf(tid: string): { tip: string; nock: string } {
  const { tip, nock } = tubeKeys(peer.domid, b.domid, 0);
  return { tip: tip.replace(/0$/, tid), nock: nock.replace(/0$/, tid) };
}
