/** What a person gave us that cannot be read. The message is one line: `file:line: expected this, found that`. */
export class InputError extends Error {
  readonly code = 'bad_input';

  constructor(
    readonly file: string,
    /** Counted from 1; absent where the file as a whole is the trouble. */
    readonly line: number | undefined,
    trouble: string,
  ) {
    super(`${printable(file)}${line === undefined ? '' : `:${line}`}: ${trouble}`);
    this.name = 'InputError';
  }
}

/** A result that cannot be written. The message is one line that begins with the file's name. */
export class OutputError extends Error {
  readonly code = 'cannot_write';

  constructor(
    readonly file: string,
    trouble: string,
    cause?: unknown,
  ) {
    super(`${printable(file)}: ${trouble}`, { cause });
    this.name = 'OutputError';
  }
}

/** Says what stands where something else was expected: short, on one line, fit for any terminal. */
export function found(text: Uint8Array): string {
  if (text.length === 0) return 'an empty line';
  if (text[0] === 0x1f && text[1] === 0x8b) return 'gzip data (unpack it first)';
  const start = Buffer.from(text.subarray(0, LONGEST_QUOTE)).toString('latin1');
  return `'${printable(start)}${text.length > LONGEST_QUOTE ? '...' : ''}'`;
}

/** A sentence for an error of the operating system, such as `no such file or directory`. */
export function osTrouble(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  // Node says "ENOENT: no such file or directory, open '/some/file'".
  return /^[A-Z0-9]+: ([^,]+)/.exec(message)?.[1] ?? code ?? printable(message);
}

const LONGEST_QUOTE = 20;

function printable(text: string): string {
  return text.replace(/[^ -~]/g, (letter) => {
    const code = letter.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : letter;
  });
}
