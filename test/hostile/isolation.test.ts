/** What one domain has is nobody else's: grants, channels, nodes, and what is in memory that was somebody's before. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { type Domain, xenstore } from 'ling-tubes';
import { closeFd } from '#native';
import {
  encodeNumbers,
  HYPERCALL_BIND_CHANNEL,
  HYPERCALL_CLOSE_CHANNEL,
  HYPERCALL_END_ACCESS,
  HYPERCALL_HELLO,
  HYPERCALL_MAP,
  HYPERCALL_RESUME,
} from '#xen/hypercall';
import { tubeKeys } from '#xen/tube-handshake';
import {
  XS_DIRECTORY,
  XS_GET_PERMS,
  XS_MKDIR,
  XS_READ,
  XS_RM,
  XS_SET_PERMS,
  XS_WRITE,
} from '#xen/xenstore/wire';
import { Box } from '../support/box';
import { HandMadePeer } from '../support/hand-made-peer';
import { RawClient } from '../support/raw-client';
import { eventually } from '../support/residue';
import { End, snapshot } from '../support/tube-ends';

let box: Box;
let a: Domain;
let b: Domain;
const strangers: RawClient[] = [];

beforeEach(async () => {
  box = new Box();
  a = await box.boot({ name: 'a' });
  b = await box.boot({ name: 'b' });
});
afterEach(async () => {
  for (const stranger of strangers.splice(0)) stranger.close();
  await box.close();
});

/** A domain of its own, and its number. */
async function stranger(): Promise<[RawClient, domid: number]> {
  const client = new RawClient(path.join(box.rundir, 'domain'));
  strangers.push(client);
  const answer = (await client.ask(HYPERCALL_HELLO, Buffer.from('stranger'))) as Buffer;
  return [client, answer.readUInt32LE()];
}

async function assertTubeWorks([one, other]: [End, End], text: string): Promise<void> {
  one.send(text);
  other.send(text);
  await eventually(() => [one.got.at(-1), other.got.at(-1)], [text, text]);
}

test('the pages and channels of an open tube are for its two domains, whatever a third one asks for', async () => {
  const ends = await End.pair(a, b, 1);
  const { tip } = tubeKeys(a.domid, b.domid, 1);
  const tool = box.client('socket');
  const keys = ['ring-ref', 'event-channel-tx', 'event-channel-rx'].map((key) =>
    tool.readString(`${tip}/${key}`),
  );
  const [ref, tx, rx] = (await Promise.all(keys)).map(Number) as [number, number, number];
  const [client] = await stranger();
  const ask = (type: number, ...numbers: number[]) => client.ask(type, encodeNumbers(...numbers));
  for (const domid of [a.domid, b.domid]) {
    for (let i = -1; i <= 66; i++) expect(await ask(HYPERCALL_MAP, domid, ref + i)).toBe('EACCES');
    for (let port = 0; port <= rx + 2; port++)
      expect(await ask(HYPERCALL_BIND_CHANNEL, domid, port)).toBe('EACCES');
    const secret = randomBytes(16);
    expect(await client.ask(HYPERCALL_RESUME, Buffer.concat([encodeNumbers(domid), secret]))).toBe('EISCONN');
    const another = new RawClient(path.join(box.rundir, 'domain'));
    strangers.push(another);
    expect(await another.ask(HYPERCALL_RESUME, Buffer.concat([encodeNumbers(domid), secret]))).toMatch(
      /^(EACCES|EBUSY)$/,
    );
  }
  // What it names is its own, of which it has none.
  expect(await ask(HYPERCALL_END_ACCESS, ref)).toBe('ENOENT');
  for (const port of [tx, rx]) expect(await ask(HYPERCALL_CLOSE_CHANNEL, port)).toBe('ENOENT');
  await assertTubeWorks(ends, 'still here');
});

/** Of the nodes of another domain those that everybody may read. */
const PUBLIC = /^\/local\/domain(\/\d+\/((name|domid|uid|gid|pid)|data\/(tip|nock)(\/.*)?))?$/;

test('the nodes of others can be read where they are for everybody, and changed nowhere', async () => {
  const ends = await End.pair(a, b, 1);
  await a.run((self) => xenstore.write(self, 'data/private', 'of a'));
  await b.run((self) => xenstore.write(self, 'data/tip/note', 'of b'));
  const before = await snapshot(box);
  const [client, domid] = await stranger();
  const ask = (type: number, ...strings: string[]) =>
    client.ask(type, Buffer.from(strings.map((string) => `${string}\0`).join('')));
  for (const node of Object.keys(before)) {
    for (const type of [XS_READ, XS_DIRECTORY, XS_GET_PERMS]) {
      const answer = await ask(type, node);
      expect([node, typeof answer]).toEqual([node, PUBLIC.test(node) ? 'object' : 'string']);
    }
    const changes = [
      await client.ask(XS_WRITE, Buffer.from(`${node}\0x`)),
      await client.ask(XS_WRITE, Buffer.from(`${node}/new\0x`)),
      await ask(XS_MKDIR, `${node}/new`),
      await ask(XS_SET_PERMS, node, `b${domid}`),
      await ask(XS_RM, node),
    ];
    expect([node, ...changes]).toEqual([node, ...changes.map(() => 'EACCES')]);
  }
  // What it may do is to invite, in its own name, and to take that back.
  const own = `/local/domain/${b.domid}/data/tip/${domid}`;
  for (const type of [XS_MKDIR, XS_RM]) expect((await ask(type, own)).toString()).toBe('OK\0');
  const after = await snapshot(box);
  const ofOthers = Object.entries(after).filter(([node]) => !node.startsWith(`/local/domain/${domid}`));
  expect(Object.fromEntries(ofOthers)).toEqual(before);
  await assertTubeWorks(ends, 'still here');
});

test('nothing of what others have said is in the memory, nor in the answers, that a newcomer gets', async () => {
  const secret = randomBytes(16).toString('hex');
  const packet = secret.repeat(100);
  const ends = await End.pair(a, b, 1);
  for (let i = 0; i < 200; i++) {
    ends[0].send(packet);
    ends[1].send(packet);
    await eventually(() => [ends[0].got.length, ends[1].got.length], [i + 1, i + 1]);
  }
  await a.run(async (self) => {
    for (let i = 0; i < 20; i++) await xenstore.write(self, `data/${i}`, packet);
    for (let i = 0; i < 20; i++) await xenstore.delete(self, `data/${i}`);
  });
  await b.stop();
  await eventually(() => ends[0].ended, 'normal');

  for (const ring of [undefined, 2 ** 17]) {
    const peer = await HandMadePeer.join(box.rundir);
    await peer.invite(a.domid, 1, ring === undefined ? {} : { ring: String(ring) });
    const offer = await peer.offer(a.domid, 1);
    const request = encodeNumbers(a.domid, Number(offer['ring-ref']));
    const { fds } = await peer.hypervisor.xenstore.request(HYPERCALL_MAP, request);
    const memory = Buffer.alloc(65 * 4096);
    expect(fs.readSync(fds[0] as number, memory, 0, memory.length, 0)).toBe(memory.length);
    expect(memory.includes(secret)).toBe(false);
    // All but the first page, which has the references.
    expect(memory.subarray(4096).every((byte) => byte === 0)).toBe(true);
    fds.forEach(closeFd);
    await peer.leave();
  }

  const [client] = await stranger();
  for (let type = 0; type < 0x10a; type += type === 22 ? 0x100 - 22 : 1) {
    for (const payload of ['', '\0', 'data\0', 'data\0\0', 'x'.repeat(4096)]) {
      const answer = await client.ask(type, Buffer.from(payload));
      expect(answer.includes(secret)).toBe(false);
    }
  }
});
