import { randomUUID } from 'node:crypto';
import { type FileHandle, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { OutputError, osTrouble } from './errors.js';

/**
 * Writes a file that is there whole or not at all: it grows under a temporary name beside its target, and takes
 * the target's place when it is finished. A file that was there before stays until then.
 * Writes are in the order of the calls. Every method throws {@link OutputError}.
 */
export class SamWriter {
  #file: FileHandle | undefined;
  #buffered = '';
  #writing: Promise<void> = Promise.resolve();

  private constructor(
    readonly target: string,
    readonly temporary: string,
    file: FileHandle,
  ) {
    this.#file = file;
  }

  /** Begins a file. Only a regular file can be replaced: a device, a pipe or a directory is refused. */
  static async open(target: string): Promise<SamWriter> {
    return attempt(target, async () => {
      const path = await existing(target);
      const temporary = `${path}.${randomUUID()}.tmp`;
      return new SamWriter(path, temporary, await open(temporary, 'wx', 0o666));
    });
  }

  /** Adds text; the promise slows the caller down to the speed of the disk. */
  async write(text: string): Promise<void> {
    if (this.#file === undefined) throw new OutputError(this.target, 'already finished');
    this.#buffered += text;
    if (this.#buffered.length >= FLUSH_LENGTH) await this.#flush();
  }

  /** Writes the rest and gives the file its name. If that fails nothing is left behind. */
  async close(): Promise<void> {
    const file = this.#file;
    if (file === undefined) throw new OutputError(this.target, 'already finished');
    try {
      await this.#flush();
      this.#file = undefined;
      await attempt(this.target, async () => {
        await file.close();
        await rename(this.temporary, this.target);
      });
    } catch (error) {
      this.#file ??= file;
      await this.abort();
      throw error;
    }
  }

  /** Gives up: removes the temporary file and leaves the target as it was. After the end it does nothing. */
  async abort(): Promise<void> {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    this.#buffered = '';
    // The write under way, if it fails, has failed for whoever called write.
    await this.#writing.catch(() => undefined);
    await file.close().catch(() => undefined);
    await attempt(this.target, () => rm(this.temporary, { force: true }));
  }

  #flush(): Promise<void> {
    const bytes = Buffer.from(this.#buffered, 'latin1');
    this.#buffered = '';
    this.#writing = this.#writing.then(() =>
      attempt(this.target, async () => {
        await this.#file?.writeFile(bytes);
      }),
    );
    return this.#writing;
  }
}

const FLUSH_LENGTH = 256 * 1024;

/** Where a target really is, which a symbolic link to it does not say. */
async function existing(target: string): Promise<string> {
  const status = await stat(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (status === undefined) return target;
  if (!status.isFile()) throw new OutputError(target, 'expected a regular file or a new name to write to');
  return realpath(target);
}

async function attempt<T>(target: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof OutputError) throw error;
    throw new OutputError(target, `cannot write: ${osTrouble(error)}`, error);
  }
}
