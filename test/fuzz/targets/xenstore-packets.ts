/** Xenstore's packets out of a stream of bytes: the same however it is cut, and the same bytes when they are written again. */
import assert from 'node:assert/strict';
import {
  encodePacket,
  HEADER_SIZE,
  joinStrings,
  onlyString,
  PAYLOAD_MAX,
  type Packet,
  PacketDecoder,
  splitStrings,
  transactionId,
  XenstoreProtocolError,
} from '#xen/xenstore/wire';

export const watches = ['xen/xenstore/wire'];

const packet = (type: number, payload: string): Buffer =>
  encodePacket({ type, reqId: 1, txId: 2, payload: Buffer.from(payload) });

export const seeds = [
  Buffer.concat([packet(2, '/tool\0'), packet(11, '/a\0value'), packet(6, ''), packet(0x107, 'a\0b\0')]),
  packet(6, '4294967295\0'),
];

export const dictionary = [
  '\0',
  '\0\0\0\0',
  '\x10\0\0\0',
  '\0\x10\0\0',
  '\x01\x10\0\0',
  '1\0',
  packet(2, ''),
  packet(1, '/\0'),
];

interface Decoded {
  readonly packets: Packet[];
  readonly isBroken: boolean;
  readonly isPartial: boolean;
}

export function run(input: Buffer): void {
  const whole = decode([input]);
  assert.deepEqual(decode(Array.from(input, (byte) => Buffer.of(byte))), whole);
  assert.deepEqual(decode(cut(input)), whole);

  const written = Buffer.concat(whole.packets.map(encodePacket));
  assert(written.equals(input.subarray(0, written.length)));
  const rest = input.subarray(written.length);
  const announced = rest.length >= HEADER_SIZE ? rest.readUInt32LE(12) : 0;
  assert.equal(whole.isBroken, announced > PAYLOAD_MAX);
  assert.equal(whole.isPartial, rest.length > 0);
  if (!whole.isBroken && rest.length >= HEADER_SIZE) assert(rest.length < HEADER_SIZE + announced);
  for (const { payload } of whole.packets) checkStrings(payload);
}

function decode(pieces: readonly Uint8Array[]): Decoded {
  const decoder = new PacketDecoder();
  const packets: Packet[] = [];
  let isBroken = false;
  try {
    for (const piece of pieces) packets.push(...decoder.push(piece));
  } catch (error) {
    if (!(error instanceof XenstoreProtocolError)) throw error;
    assert.equal(error.code, 'EPROTO');
    packets.push(...error.packets);
    isBroken = true;
  }
  return { packets, isBroken, isPartial: decoder.partial };
}

/** In pieces whose sizes are taken from the bytes themselves. */
function cut(bytes: Buffer): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += pieces.at(-1)!.length) {
    pieces.push(bytes.subarray(at, at + 1 + (bytes[at]! % 37)));
  }
  return pieces;
}

function checkStrings(payload: Buffer): void {
  const strings = splitStrings(payload);
  const joined = joinStrings(strings);
  assert(joined.equals(payload.subarray(0, joined.length)));
  assert(!payload.subarray(joined.length).includes(0));
  const isOne = strings.length === 1 && joined.length === payload.length;
  assert.equal(onlyString(payload), isOne ? strings[0] : undefined);
  const id = transactionId(payload);
  if (id !== undefined) assert(Number(strings[0]) === id && id > 0 && id < 2 ** 32);
}
