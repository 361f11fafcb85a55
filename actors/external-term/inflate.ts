import { inflateSync } from 'node:zlib';
import { malformed } from './byte-reader.js';

/** What a compressed term may grow to. Its terms need many times the memory, which a short message must not demand. */
const MAX_INFLATED = 16 * 1024 * 1024;
/** Deflate cannot do better than this, so a larger claim is a lie. */
const MAX_DEFLATE_RATIO = 1032;
/** The bytes of a compressed term, without a version; raises `badarg` for anything that is not exactly one. */
export function inflate(bytes: Buffer): Buffer {
  if (bytes.length < 6) throw malformed('cut short', bytes.length);
  const size = bytes.readUInt32BE(2);
  const deflated = bytes.subarray(6);
  if (size > MAX_INFLATED) throw malformed(`inflates to ${size} bytes, more than ${MAX_INFLATED}`, 2);
  if (size === 0 || size > deflated.length * MAX_DEFLATE_RATIO)
    throw malformed(`cannot inflate to ${size} bytes`, 2);
  let result: { buffer: Buffer; engine: { bytesWritten: number } };
  try {
    // With `info`, which the types do not know the result of, trailing bytes can be told.
    result = inflateSync(deflated, { maxOutputLength: size, info: true }) as unknown as typeof result;
  } catch {
    throw malformed(`does not inflate to ${size} bytes`, 6);
  }
  if (result.buffer.length !== size)
    throw malformed(`inflates to ${result.buffer.length} bytes, not ${size}`, 6);
  const used = 6 + result.engine.bytesWritten;
  if (used !== bytes.length) throw malformed('more bytes after the term', used);
  return result.buffer;
}
