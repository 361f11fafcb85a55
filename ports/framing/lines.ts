/** A line, or a part of one that is longer than allowed; without the newline. */
export type Line = readonly [tag: 'eol' | 'noeol', text: Buffer];

const NEWLINE = 0x0a;
const RETURN = 0x0d;

/**
 * Bytes told by lines, as `{line, L}` of open_port does it, however they arrive.
 *
 * A line ends at LF or CR LF. Of one that is longer than L bytes each L bytes are a `noeol`, and what is left, 1 to L
 * bytes, is the `eol`. Nothing is told of a line before it is known to go on beyond L bytes: at most L + 1 are kept.
 */
export class LineReader {
  /** The start of a line, in pieces. */
  #pieces: Buffer[] = [];
  #size = 0;

  constructor(private readonly limit: number) {}

  /** The lines, and parts of lines, that more bytes have completed. What is kept are views on them. */
  push(bytes: Buffer): Line[] {
    const lines: Line[] = [];
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
      this.#keep(bytes.subarray(start, end));
      this.#endOfLine(lines);
      start = end + 1;
    }
    this.#keep(bytes.subarray(start));
    const more = bytes.at(-1) === RETURN ? 1 : 0;
    if (this.#size > this.limit + more) this.#keep(this.#cut(this.#take(), this.limit + more, lines));
    return lines;
  }

  /** What is left at the end, where the last line has none. */
  end(): Line[] {
    const lines: Line[] = [];
    const rest = this.#cut(this.#take(), this.limit, lines);
    if (rest.length > 0) lines.push(['noeol', rest]);
    return lines;
  }

  #endOfLine(lines: Line[]): void {
    const line = this.#take();
    const text = line.at(-1) === RETURN ? line.subarray(0, -1) : line;
    lines.push(['eol', this.#cut(text, this.limit, lines)]);
  }

  /** Tells parts until what is left, which it answers, is not longer than that. */
  #cut(text: Buffer, longest: number, lines: Line[]): Buffer {
    let start = 0;
    for (; text.length - start > longest; start += this.limit) {
      lines.push(['noeol', text.subarray(start, start + this.limit)]);
    }
    return text.subarray(start);
  }

  #keep(piece: Buffer): void {
    if (piece.length === 0) return;
    this.#pieces.push(piece);
    this.#size += piece.length;
  }

  #take(): Buffer {
    const [first] = this.#pieces;
    const line = first && this.#pieces.length === 1 ? first : Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#size = 0;
    return line;
  }
}
