import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { acceptUnix, closeFd, connectUnix, createDoorbell, listenUnix, sendWithFds } from '#native';
import { Watcher } from '#native/watcher';
import { UnixChannel } from '#xen/unix-channel';
import { encodePacket } from '#xen/xenstore/wire';
import { changesSince, eventually, holdings } from '../support/residue';

/** What one read of a channel takes at most. */
const CHUNK = 64 * 1024;

const packet = (reqId: number, length: number): Buffer =>
  encodePacket({ type: 2, reqId, txId: 0, payload: Buffer.alloc(length) });

test.each([1, 15, 16, 17, 35])(
  'descriptors belong to the packet they came with, also when a read ends %i bytes into it',
  async (split) => {
    const before = holdings();
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'lt-channel-'));
    const listener = listenUnix(path.join(directory, 's'));
    const client = connectUnix(path.join(directory, 's'));
    const watcher = Watcher.onLoop();
    const channel = new UnixChannel(watcher, acceptUnix(listener));
    const got: [number, number][] = [];
    channel.onPacket = ({ reqId }, fds) => {
      got.push([reqId, fds.length]);
      fds.forEach(closeFd);
    };

    // Fifteen large packets and one that leaves `split` bytes of the first chunk to the next.
    for (let i = 0; i < 15; i++) sendWithFds(client, packet(0, 4096), []);
    sendWithFds(client, packet(0, CHUNK - split - 15 * (4096 + 16) - 16), []);
    const given = createDoorbell();
    sendWithFds(client, packet(1, 20), given);
    sendWithFds(client, packet(2, 20), []);
    sendWithFds(client, packet(3, 20), given.slice(0, 1));
    channel.start();
    await eventually(
      () => got.slice(16),
      [
        [1, 2],
        [2, 0],
        [3, 1],
      ],
    );

    channel.close();
    await watcher.close();
    for (const fd of [listener, client, ...given]) closeFd(fd);
    fs.rmSync(directory, { recursive: true });
    await eventually(() => changesSince(before), []);
  },
);

test('a packet that is too long to be sent takes its descriptors along into nothing', async () => {
  const before = holdings();
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'lt-channel-'));
  const listener = listenUnix(path.join(directory, 's'));
  const watcher = Watcher.onLoop();
  const channel = new UnixChannel(watcher, connectUnix(path.join(directory, 's')));
  const long = { type: 2, reqId: 1, txId: 0, payload: Buffer.alloc(4097) };
  expect(() => channel.send(long, createDoorbell())).toThrow(expect.objectContaining({ code: 'E2BIG' }));
  channel.close();
  channel.send({ ...long, payload: Buffer.alloc(0) }, createDoorbell());
  await watcher.close();
  closeFd(listener);
  fs.rmSync(directory, { recursive: true });
  await eventually(() => changesSince(before), []);
});
