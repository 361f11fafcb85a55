import { createReadStream } from 'node:fs';
import { InputError, osTrouble } from './errors.js';

/**
 * The lines of a file as bytes, without their ends (LF or CRLF), in order, as many at a time as a chunk of the
 * file holds. A last line need not be ended; after a final LF there is no further, empty line. Memory: one
 * chunk and the longest line. Throws {@link InputError} when the file cannot be read.
 */
export async function* readLines(path: string): AsyncGenerator<Buffer[]> {
  // A line of many chunks is put together once, at its end: genomes come on one line of hundreds of megabytes.
  let unfinished: Buffer[] = [];
  for await (const chunk of readChunks(path)) {
    const lines: Buffer[] = [];
    let start = 0;
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, start)) {
      const piece = chunk.subarray(start, end);
      lines.push(withoutReturn(unfinished.length === 0 ? piece : Buffer.concat([...unfinished, piece])));
      unfinished = [];
      start = end + 1;
    }
    if (start < chunk.length) unfinished.push(chunk.subarray(start));
    yield lines;
  }
  if (unfinished.length > 0) yield [withoutReturn(Buffer.concat(unfinished))];
}

const LF = 10;
const CR = 13;
const CHUNK_BYTES = 256 * 1024;

async function* readChunks(path: string): AsyncGenerator<Buffer> {
  const stream = createReadStream(path, { highWaterMark: CHUNK_BYTES });
  try {
    yield* stream as AsyncIterable<Buffer>;
  } catch (error) {
    throw new InputError(path, undefined, osTrouble(error));
  } finally {
    stream.destroy();
  }
}

function withoutReturn(line: Buffer): Buffer {
  return line[line.length - 1] === CR ? line.subarray(0, -1) : line;
}
