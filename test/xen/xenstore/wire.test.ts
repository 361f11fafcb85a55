import fc from 'fast-check';
import {
  encodePacket,
  FIRST_HYPERCALL,
  HEADER_SIZE,
  joinStrings,
  onlyString,
  PAYLOAD_MAX,
  type Packet,
  PacketDecoder,
  splitStrings,
} from '#xen/xenstore/wire';

const packet = (type: number, payload: Buffer | string, reqId = 1, txId = 0): Packet => ({
  type,
  reqId,
  txId,
  payload: Buffer.from(payload),
});

function decodeIn(pieces: readonly Uint8Array[]): Packet[] {
  const decoder = new PacketDecoder();
  return pieces.flatMap((piece) => decoder.push(piece));
}

function cut(bytes: Buffer, size: number): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
  return pieces;
}

test('a packet is four little-endian words and its payload', () => {
  expect(encodePacket(packet(2, '/a\0', 0x01020304, 5)).toString('hex')).toBe(
    ['02000000', '04030201', '05000000', '03000000', '2f6100'].join(''),
  );
});

describe('the decoder', () => {
  const stream = [
    packet(2, '/tool\0', 0),
    packet(11, Buffer.alloc(300, 7), 0xffff_ffff, 0xffff_ffff),
    packet(6, '', 3),
    packet(FIRST_HYPERCALL + 7, Buffer.from([0, 255, 0]), 9),
    packet(0xffff_ffff, 'x'),
  ];
  const bytes = Buffer.concat(stream.map(encodePacket));

  test('gives the same packets, in whatever pieces of one size they come', () => {
    for (let size = 1; size <= bytes.length; size += 1) expect(decodeIn(cut(bytes, size))).toEqual(stream);
  });

  test('gives the same packets, wherever the stream is cut in two', () => {
    for (let at = 0; at <= bytes.length; at += 1) {
      expect(decodeIn([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(stream);
    }
  });

  test('gives back any packets, cut anywhere', () => {
    const word = fc.integer({ min: 0, max: 0xffff_ffff });
    const payload = fc.uint8Array({ maxLength: 64 }).map((array) => Buffer.from(array));
    const packets = fc.array(fc.record({ type: word, reqId: word, txId: word, payload }), { maxLength: 6 });
    const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 });
    fc.assert(
      fc.property(packets, sizes, (sent, pieceSizes) => {
        const all = Buffer.concat(sent.map(encodePacket));
        const pieces: Buffer[] = [];
        for (let at = 0, i = 0; at < all.length; i += 1) {
          const size = pieceSizes[i % pieceSizes.length]!;
          pieces.push(all.subarray(at, at + size));
          at += size;
        }
        expect(decodeIn(pieces)).toEqual(sent);
      }),
      { numRuns: 100 },
    );
  });

  for (const length of [0, 1, PAYLOAD_MAX - 1, PAYLOAD_MAX]) {
    test(`takes a payload of ${length} bytes`, () => {
      const sent = packet(11, Buffer.alloc(length, 'v'));
      expect(decodeIn(cut(encodePacket(sent), 1000))).toEqual([sent]);
    });
  }

  for (const length of [PAYLOAD_MAX + 1, 0x8000_0000, 0xffff_ffff]) {
    test(`refuses a payload of ${length} bytes as soon as its header is there`, () => {
      const header = encodePacket(packet(2, ''));
      header.writeUInt32LE(length, 12);
      const before = packet(2, '/\0');
      const decoder = new PacketDecoder();
      expect(decoder.push(header.subarray(0, HEADER_SIZE - 1))).toEqual([]);
      expect(() => decoder.push(header.subarray(HEADER_SIZE - 1))).toThrow(
        expect.objectContaining({ code: 'EPROTO', packets: [] }),
      );
      expect(() => new PacketDecoder().push(Buffer.concat([encodePacket(before), header]))).toThrow(
        expect.objectContaining({ code: 'EPROTO', packets: [before] }),
      );
    });
  }

  test('does not hand out views of the chunk, nor of what it reuses', () => {
    const chunk = encodePacket(packet(2, 'abc'));
    const decoder = new PacketDecoder();
    const [first] = decoder.push(chunk);
    chunk.fill(0);
    decoder.push(encodePacket(packet(2, 'xyz')));
    expect(first!.payload.toString()).toBe('abc');
  });

  test('knows whether a packet is under way', () => {
    const decoder = new PacketDecoder();
    const sent = encodePacket(packet(2, 'abc'));
    expect(decoder.partial).toBe(false);
    decoder.push(sent.subarray(0, 5));
    expect(decoder.partial).toBe(true);
    decoder.push(sent.subarray(5));
    expect(decoder.partial).toBe(false);
  });
});

test('a payload of more than 4096 bytes cannot be encoded', () => {
  expect(encodePacket(packet(11, Buffer.alloc(PAYLOAD_MAX)))).toHaveLength(HEADER_SIZE + PAYLOAD_MAX);
  expect(() => encodePacket(packet(11, Buffer.alloc(PAYLOAD_MAX + 1)))).toThrow(
    expect.objectContaining({ code: 'E2BIG' }),
  );
});

describe('strings in a payload', () => {
  test.each([
    ['', []],
    ['\0', ['']],
    ['a\0', ['a']],
    ['a\0b\0', ['a', 'b']],
    ['a\0\0', ['a', '']],
    ['a\0junk', ['a']],
    ['junk', []],
  ])('%j holds %j', (payload, strings) => {
    expect(splitStrings(Buffer.from(payload))).toEqual(strings);
  });

  test.each([
    ['', undefined],
    ['a', undefined],
    ['a\0', 'a'],
    ['\0', ''],
    ['a\0b', undefined],
    ['a\0\0', undefined],
    ['a\0b\0', undefined],
  ])('%j is the one string %j', (payload, string) => {
    expect(onlyString(Buffer.from(payload))).toBe(string);
  });

  test('any bytes but NUL survive the way there and back', () => {
    const token = Buffer.from(Array.from({ length: 255 }, (_, i) => i + 1));
    const [string] = splitStrings(Buffer.concat([token, Buffer.of(0)]));
    expect(joinStrings([string!])).toEqual(Buffer.concat([token, Buffer.of(0)]));
  });
});
