/** What has to be undone at the end, however that comes. */
export class CleanUp {
  readonly #undo: (() => Promise<unknown>)[] = [];
  #running: Promise<void> | undefined;

  /** Remembers it; when the end is here already it is done at once. */
  add(undo: () => Promise<unknown>): void {
    if (this.#running === undefined) this.#undo.push(undo);
    else this.#running = this.#running.then(undo).then(() => undefined);
  }

  /** Undoes the latest first. What goes wrong with one does not keep the others from it. */
  run(): Promise<void> {
    this.#running ??= this.#runAll();
    return this.#running;
  }

  async #runAll(): Promise<void> {
    for (const undo of this.#undo.reverse()) await undo().catch(() => undefined);
  }
}
