/** Bytes that have come and wait to be taken: by packets, lines, or so many at a time. */
export interface Taking {
  readonly packet: 0 | 1 | 2 | 4 | 'line';
  /** Of a stream: exactly so many bytes; 0: all there are. */
  readonly length: number;
  /** Longest packet or line; 0: no limit. */
  readonly packetSize: number;
  /** A longer line is told in parts. */
  readonly longestLine: number;
  readonly delimiter: number;
}

export class Incoming {
  #pieces: Buffer[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(piece: Buffer): void {
    if (piece.length === 0) return;
    this.#pieces.push(piece);
    this.#size += piece.length;
  }

  clear(): void {
    this.#pieces = [];
    this.#size = 0;
  }

  /** The next of what is asked for; undefined when it is not complete, emsgsize for a packet that is too long. */
  take(taking: Taking): Buffer | undefined | 'emsgsize' {
    const { packet } = taking;
    if (packet === 'line') return this.#takeLine(taking);
    if (packet === 0) return this.#takeBytes(taking.length);
    if (this.#size < packet) return undefined;
    const header = this.#joined(packet);
    const length = header.readUIntBE(0, packet);
    if (taking.packetSize > 0 && length > taking.packetSize) return 'emsgsize';
    // Erlang's length is an int: what would not fit is refused, not waited for.
    if (length > MOST) return 'emsgsize';
    if (this.#size < packet + length) return undefined;
    return this.#cut(packet + length).subarray(packet);
  }

  #takeBytes(length: number): Buffer | undefined {
    if (this.#size === 0 || this.#size < length) return undefined;
    return this.#cut(length === 0 ? this.#size : length);
  }

  #takeLine({ delimiter, longestLine, packetSize }: Taking): Buffer | undefined | 'emsgsize' {
    let before = 0;
    for (const piece of this.#pieces) {
      const at = piece.indexOf(delimiter);
      if (at !== -1) {
        const length = before + at + 1;
        return packetSize > 0 && length > packetSize ? 'emsgsize' : this.#cut(Math.min(length, longestLine));
      }
      before += piece.length;
      if (packetSize > 0 && before > packetSize) return 'emsgsize';
      if (before >= longestLine) return this.#cut(longestLine);
    }
    return undefined;
  }

  /** The first piece, made to have at least so many bytes. */
  #joined(size: number): Buffer {
    let [first] = this.#pieces as [Buffer];
    for (let count = 2; first.length < size; count++) first = Buffer.concat(this.#pieces.slice(0, count));
    while (first !== this.#pieces[0]) {
      let absorbed = 0;
      let pieces = 0;
      while (absorbed < first.length) absorbed += (this.#pieces[pieces++] as Buffer).length;
      this.#pieces.splice(0, pieces, first);
    }
    return first;
  }

  #cut(size: number): Buffer {
    const taken: Buffer[] = [];
    let missing = size;
    let count = 0;
    let rest: Buffer | undefined;
    while (missing > 0) {
      const piece = this.#pieces[count++] as Buffer;
      taken.push(piece.subarray(0, missing));
      if (piece.length > missing) rest = piece.subarray(missing);
      missing -= Math.min(missing, piece.length);
    }
    this.#pieces.splice(0, count, ...(rest ? [rest] : []));
    this.#size -= size;
    return taken.length === 1 ? (taken[0] as Buffer) : Buffer.concat(taken);
  }
}

/** The largest int. */
const MOST = 0x7fff_ffff;
