import { Assembler, packetAt, packetCount } from '#examples/navel/chunks';

const SIZES = [0, 1, 3999, 4000, 4001, 7999, 8000, 8001, 31 * 4000, 31 * 4000 + 1, 1_000_000];

describe('chunks', () => {
  test.each(SIZES)('%i bytes come together again, with the number of packets that it takes', (size) => {
    const message = Buffer.alloc(size, 'abcdefg');
    const assembler = new Assembler(1_000_000);
    const count = packetCount(size);
    expect(count).toBe(Math.max(1, Math.ceil(size / 4000)));
    for (let i = 0; i < count; i++) {
      const packet = packetAt(message, i);
      expect(packet.length).toBeLessThanOrEqual(4001);
      expect(packet[0]).toBe(i === count - 1 ? 255 : 0);
      const whole = assembler.add(packet);
      expect(whole === undefined).toBe(i < count - 1);
      if (whole) expect(whole.equals(message)).toBe(true);
    }
  });

  test('a message may have as many bytes as the limit and no more, however it is cut', () => {
    for (const chunk of [1, 7, 100]) {
      const assembler = new Assembler(100);
      const add = (flag: number, length: number) => assembler.add(Buffer.alloc(1 + length, flag));
      for (let i = 0; i + chunk <= 100; i += chunk) add(0, chunk);
      expect(() => add(0, 100)).toThrow('at most 100 bytes');
      expect(add(255, 100 % chunk)).toHaveLength(100);
    }
  });

  test.each([1, 2, 127, 254])('a packet cannot begin with %i', (flag) => {
    expect(() => new Assembler(10).add(Buffer.of(flag, 1))).toThrow('expected a packet');
  });

  test('nor be empty', () => expect(() => new Assembler(10).add(Buffer.of())).toThrow('expected a packet'));
});
