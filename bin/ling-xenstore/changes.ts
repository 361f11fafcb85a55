/** Whether something has happened since somebody looked. */
export class Changes {
  #some = false;
  #wake = (): void => {};

  happen(): void {
    this.#some = true;
    this.#wake();
  }

  /** Resolves when there has been a change since the last call did, or after `timeout` milliseconds. */
  async next(timeout: number | undefined): Promise<void> {
    if (!this.#some) {
      await new Promise<void>((resolve) => {
        const timer = timeout === undefined ? undefined : setTimeout(resolve, timeout);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#some = false;
  }
}
