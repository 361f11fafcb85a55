import fc from 'fast-check';
import { PacketReader, packetHeader } from '#ports/framing/packets';

const SIZES = [1, 2, 4] as const;

/** A stream cut at these places. */
function cut(stream: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...new Set(places.map((place) => place % (stream.length + 1)))].sort((a, b) => a - b);
  return [...ends, stream.length].map((end, i) => stream.subarray(i === 0 ? 0 : ends[i - 1], end));
}

describe.each(SIZES)('packets with %d bytes of length', (size) => {
  const framed = (packets: readonly Uint8Array[]) =>
    Buffer.concat(packets.flatMap((packet) => [packetHeader(size, packet.length) as Buffer, packet]));

  test('come out as they went in, wherever the stream is cut', () => {
    const packets = fc.array(fc.uint8Array({ maxLength: size === 1 ? 255 : 600 }), { maxLength: 12 });
    fc.assert(
      fc.property(packets, fc.array(fc.nat()), (sent, places) => {
        const reader = new PacketReader(size);
        const got = cut(framed(sent), places).flatMap((piece) => reader.push(piece));
        expect(got).toEqual(sent.map((packet) => Buffer.from(packet)));
      }),
    );
  });

  test('come out of single bytes, as soon as they are complete', () => {
    const sent = [Buffer.from('abc'), Buffer.alloc(0), Buffer.from('d')];
    const reader = new PacketReader(size);
    const counts = [...framed(sent)].map((byte) => reader.push(Buffer.of(byte)).length);
    const moments = sent.flatMap(({ length }) => [...Buffer.alloc(size + length - 1), 1]);
    expect(counts).toEqual(moments);
  });

  test('are as long as their length can say, and no longer', () => {
    const longest = 2 ** (8 * size) - 1;
    expect(packetHeader(size, longest)).toEqual(Buffer.alloc(size, 0xff));
    expect(packetHeader(size, longest + 1)).toBeUndefined();
    expect(packetHeader(size, 0)).toEqual(Buffer.alloc(size));
  });
});

test('a stream has no header', () => {
  expect(packetHeader(0, 0)).toEqual(Buffer.alloc(0));
  expect(packetHeader(0, 2 ** 33)).toEqual(Buffer.alloc(0));
});

test('a packet that is announced but does not come takes no memory', () => {
  const reader = new PacketReader(4);
  const before = process.memoryUsage().arrayBuffers;
  expect(reader.push(Buffer.from('ffffffff00', 'hex'))).toEqual([]);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20);
});
