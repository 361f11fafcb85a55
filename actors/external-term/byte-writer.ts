import { constants } from 'node:buffer';
import { NoTerm } from './no-term.js';

/** What a writer keeps between results; a larger result takes the buffer along. */
const SCRATCH = 64 * 1024;
const MAX_BYTES = Math.min(constants.MAX_LENGTH, 0xffff_ffff);

/** Bytes one after the other into one buffer that grows, and is used again for the next result. */
export class ByteWriter {
  protected bytes = Buffer.allocUnsafeSlow(SCRATCH);
  protected at = 0;

  /** Ready for another result. */
  reset(): void {
    this.at = 0;
    if (this.bytes.length > SCRATCH) this.bytes = Buffer.allocUnsafeSlow(SCRATCH);
  }

  /** What was written, in a buffer that this writer never touches again. */
  protected result(): Buffer {
    const { bytes, at } = this;
    if (bytes.length > SCRATCH && at > bytes.length / 2) return bytes.subarray(0, at);
    const result = Buffer.allocUnsafe(at);
    bytes.copy(result, 0, 0, at);
    return result;
  }

  /** Makes room for so many more bytes and answers where they begin. Raises {@link NoTerm} at 4 GiB. */
  protected reserve(count: number): number {
    const { at } = this;
    if (at + count > this.bytes.length) this.grow(at + count);
    this.at = at + count;
    return at;
  }

  private grow(needed: number): void {
    if (needed > MAX_BYTES) throw new NoTerm(`too large: more than ${MAX_BYTES} bytes`, 'system_limit');
    const larger = Buffer.allocUnsafeSlow(Math.min(MAX_BYTES, Math.max(needed, this.bytes.length * 2)));
    this.bytes.copy(larger, 0, 0, this.at);
    this.bytes = larger;
  }

  protected uint8(value: number): void {
    const at = this.reserve(1);
    this.bytes[at] = value;
  }

  protected tagged8(tag: number, value: number): void {
    const at = this.reserve(2);
    this.bytes[at] = tag;
    this.bytes[at + 1] = value;
  }

  protected tagged16(tag: number, value: number): void {
    const at = this.reserve(3);
    this.bytes[at] = tag;
    this.bytes[at + 1] = value >>> 8;
    this.bytes[at + 2] = value;
  }

  protected tagged32(tag: number, value: number): void {
    const at = this.reserve(5);
    this.bytes[at] = tag;
    this.put32(at + 1, value);
  }

  /** Of a larger value the lower 32 bits. */
  protected uint32(value: number): void {
    this.put32(this.reserve(4), value);
  }

  protected put32(at: number, value: number): void {
    const { bytes } = this;
    bytes[at] = value >>> 24;
    bytes[at + 1] = value >>> 16;
    bytes[at + 2] = value >>> 8;
    bytes[at + 3] = value;
  }
}
