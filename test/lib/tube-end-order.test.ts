/** What a peer that is about to attach finds of a tube that ends meanwhile, whenever it looks. */
import type { Domain, Pid } from 'ling-tubes';
import { tubeKeys } from '#xen/tube-handshake';
import { Box } from '../support/box';
import { HandMadePeer } from '../support/hand-made-peer';

const TIDS = [...Array(8).keys()];

let box: Box;
let acceptor: Domain;
let peer: HandMadePeer;

beforeEach(async () => {
  box = new Box();
  acceptor = await box.boot({ tubeTimeout: 60_000 });
  peer = await HandMadePeer.join(box.rundir);
});
afterEach(async () => {
  await peer.leave();
  await box.close();
});

const ENDS: Record<string, () => Promise<unknown>> = {
  'tube_server is killed': () =>
    acceptor.run((self) => self.exit(self.whereis('tube_server') as Pid, 'kill')),
  'the domain stops': () => acceptor.stop(),
};

test.each(Object.entries(ENDS))(
  'when %s, who finds its pages gone finds its directory gone',
  async (_, end) => {
    const offers = new Map<number, number>();
    for (const tid of TIDS) {
      await peer.invite(acceptor.domid, tid, {});
      offers.set(tid, Number((await peer.offer(acceptor.domid, tid))['ring-ref']));
    }
    const ended = end();
    while (offers.size > 0) {
      const looks = [...offers].map(async ([tid, ref]) => ({ tid, ...(await look(tid, ref)) }));
      for (const { tid, pages, directory } of await Promise.all(looks)) {
        if (pages === 'there') continue;
        expect({ pages, directory }).toEqual({ pages: 'EACCES', directory: 'ENOENT' });
        offers.delete(tid);
      }
    }
    await ended;
  },
);

/** First at the pages that were offered, then at the directory. */
async function look(tid: number, ref: number): Promise<{ pages: string; directory: string }> {
  const { hypervisor } = peer;
  const { tip } = tubeKeys(peer.domid, acceptor.domid, tid);
  const pages = outcome(hypervisor.map(acceptor.domid, [ref]).then((mapped) => mapped.close()));
  const directory = outcome(hypervisor.xenstore.readString(`${tip}/state`));
  return { pages: await pages, directory: await directory };
}

function outcome(looked: Promise<unknown>): Promise<string> {
  return looked.then(
    () => 'there',
    ({ code }) => code as string,
  );
}
