import fs from 'node:fs';
import { Watcher } from '#native/watcher';
import { connectXenstore } from '#xen/connect-xenstore';
import { DeviceChannel } from '#xen/device-channel';
import type { XenstoreClient } from '#xen/xenstore/client';
import { Box } from '../support/box';
import { Device } from '../support/device';
import { lingXenstore, xenTool } from '../support/ling-xenstore';
import { eventually } from '../support/residue';

let box: Box;
let device: Device;
let watcher: Watcher;

beforeEach(async () => {
  box = new Box();
  await box.boot({ name: 'a' });
  device = await Device.to(`${box.rundir}/socket`);
  watcher = Watcher.onLoop();
});
afterEach(async () => {
  await watcher.close();
  await device.unplug();
  await box.close();
});

const connect = (): XenstoreClient => connectXenstore(watcher, device.path);

test('a client talks through a device as through a socket', async () => {
  const client = connect();
  const events: string[] = [];
  await client.watch('/t', (path) => events.push(path));
  await client.transaction(async (tx) => {
    await client.write('/t/a', Buffer.from([0, 255, 10, 13, 3, 4]), tx);
    await client.mkdir('/t/b', tx);
  });
  expect(await client.read('/t/a')).toEqual(Buffer.from([0, 255, 10, 13, 3, 4]));
  expect(await client.directory('/t')).toEqual(['a', 'b']);
  await expect(client.read('/t/c')).rejects.toMatchObject({ code: 'ENOENT' });
  await eventually(() => events, ['/t', '/t/a', '/t/b']);
  client.close();
});

test('more than the device takes at once, and answers in pieces, are no trouble', async () => {
  const client = connect();
  const values = Array.from({ length: 200 }, (_, i) => Buffer.alloc(i * 10, i));
  await Promise.all(values.map((value, i) => client.write(`/t/${i}`, value)));
  expect(await Promise.all(values.map((_, i) => client.read(`/t/${i}`)))).toEqual(values);
  client.close();
});

test('the end of the device is the end of the client', async () => {
  const client = connect();
  await client.mkdir('/t');
  await device.unplug();
  await client.closed;
  await expect(client.read('/t')).rejects.toMatchObject({ code: 'ENOTCONN' });
});

test('what cannot be opened, or watched, is said, and leaves nothing', async () => {
  const descriptors = () => fs.readdirSync('/proc/self/fd').length;
  const before = descriptors();
  expect(() => new DeviceChannel(watcher, '/no/such')).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  expect(() => new DeviceChannel(watcher, __filename)).toThrow(expect.objectContaining({ code: 'EPERM' }));
  expect(descriptors()).toBe(before);
});

test("ling-xenstore and Xen's own tools print the same, given the device", async () => {
  const env = { XENSTORED_PATH: device.path };
  const ours = await lingXenstore(env, 'ls', '-p', '/local/domain');
  expect(ours).toMatchObject({ status: 0, stdout: expect.stringContaining('name = "a"') });
  expect(await xenTool(env, 'ls', '-p', '/local/domain')).toEqual(ours);
});
