/**
 * Bytes that wait to get out, in pieces that are kept as they came: no byte is copied. Both ends are near, however
 * many pieces there are:
 *
 *     #pieces:   free  free | first  ...  last |
 *                           ^ #start
 */
export class PortQueue {
  #pieces: Uint8Array[] = [];
  #start = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The first so many pieces, in order; valid until the next change. */
  peek(count = Number.POSITIVE_INFINITY): readonly Uint8Array[] {
    if (count < this.#pieces.length - this.#start) {
      return this.#pieces.slice(this.#start, this.#start + count);
    }
    this.#fillUp();
    return this.#pieces;
  }

  /** At the end; without the first `skip` bytes. */
  append(pieces: readonly Uint8Array[], skip = 0): void {
    for (const piece of withoutFirst(pieces, skip)) {
      this.#pieces.push(piece);
      this.#size += piece.length;
    }
  }

  /** In front, in the order given. */
  prepend(pieces: readonly Uint8Array[], skip = 0): void {
    const added = withoutFirst(pieces, skip);
    if (added.length > this.#start) this.#makeRoom(added.length);
    this.#start -= added.length;
    let at = this.#start;
    for (const piece of added) {
      this.#pieces[at++] = piece;
      this.#size += piece.length;
    }
  }

  /** Takes bytes off the front; false, and nothing happens, where there are not so many. */
  drop(size: number): boolean {
    if (!(Number.isInteger(size) && size >= 0 && size <= this.#size)) return false;
    this.#size -= size;
    for (let left = size; left > 0; ) {
      const first = this.#pieces[this.#start] as Uint8Array;
      if (first.length > left) {
        this.#pieces[this.#start] = first.subarray(left);
        break;
      }
      left -= first.length;
      // The bytes are not ours any more.
      this.#pieces[this.#start++] = NOTHING;
    }
    // Not as soon as it is half of them, or one that is given back in front would have to have room made again.
    if (this.#start > (this.#pieces.length * 3) / 4) this.#fillUp();
    return true;
  }

  clear(): void {
    this.#pieces = [];
    this.#start = 0;
    this.#size = 0;
  }

  /** For twice as many as there are: so each is moved a few times only, whatever comes. */
  #makeRoom(count: number): void {
    const room = this.#pieces.length + count;
    this.#pieces = new Array<Uint8Array>(room).fill(NOTHING).concat(this.#pieces);
    this.#start += room;
  }

  #fillUp(): void {
    if (this.#start > 0) this.#pieces.splice(0, this.#start);
    this.#start = 0;
  }
}

const NOTHING = new Uint8Array();

/** The same bytes but for the first `skip`, and no empty pieces. */
export function withoutFirst(pieces: readonly Uint8Array[], skip: number): Uint8Array[] {
  const rest: Uint8Array[] = [];
  let left = skip;
  for (const piece of pieces) {
    if (piece.length > left) rest.push(left === 0 ? piece : piece.subarray(left));
    left = Math.max(0, left - piece.length);
  }
  return rest;
}
