import { ErlangError } from '../errors.js';

/** Bytes that cannot be trusted, one after the other: whatever is not there raises `badarg`. */
export class ByteReader {
  constructor(
    protected readonly bytes: Buffer,
    protected at: number,
  ) {}

  protected fail(what: string, at = this.at): never {
    throw malformed(what, at);
  }

  /** Steps over so many bytes and answers where they began. */
  protected take(count: number): number {
    const { at } = this;
    if (count > this.bytes.length - at) this.fail('cut short', this.bytes.length);
    this.at = at + count;
    return at;
  }

  /** Each of so many elements takes a byte at least, so a larger claim is refused before anything is made of it. */
  protected count(elements: number): number {
    if (elements > this.bytes.length - this.at) this.fail(`cut short: ${elements} elements to come`);
    return elements;
  }

  protected uint8(): number {
    return this.bytes[this.take(1)]!;
  }

  protected uint16(): number {
    const at = this.take(2);
    return (this.bytes[at]! << 8) | this.bytes[at + 1]!;
  }

  protected int32(): number {
    const at = this.take(4);
    const { bytes } = this;
    return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
  }

  protected uint32(): number {
    return this.int32() >>> 0;
  }
}

/** The error for bytes that make no term. */
export function malformed(what: string, at: number): ErlangError {
  return new ErlangError('badarg', `binary_to_term: ${what}, at byte ${at}`);
}
