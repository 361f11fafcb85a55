/** Bytes that wait to get out, in pieces that are kept as they came: no byte is copied. */
export class PortQueue {
  #pieces: Uint8Array[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** In order; valid until the next change. */
  get pieces(): readonly Uint8Array[] {
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
    this.#pieces = [...added, ...this.#pieces];
    for (const { length } of added) this.#size += length;
  }

  /** Takes bytes off the front; false, and nothing happens, where there are not so many. */
  drop(size: number): boolean {
    if (!(size >= 0 && size <= this.#size)) return false;
    let left = size;
    let whole = 0;
    for (const { length } of this.#pieces) {
      if (length > left) break;
      left -= length;
      whole++;
    }
    this.#pieces.splice(0, whole);
    if (left > 0) this.#pieces[0] = (this.#pieces[0] as Uint8Array).subarray(left);
    this.#size -= size;
    return true;
  }

  clear(): void {
    this.#pieces = [];
    this.#size = 0;
  }
}

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
