import { type Command, InvalidArgumentError } from 'commander';

const MISUSED = 2;

/** Has a command line that makes no sense end with one line on stderr, which names what is wrong, and status 2. */
export function endOnMisuse(program: Command): void {
  for (const command of [program, ...program.commands]) {
    command
      .configureOutput({
        outputError: (text, write) =>
          write(
            `${program.name()}: ${text
              .replace(/^error: /, '')
              .trim()
              .replace(/\s+/g, ' ')}\n`,
          ),
      })
      .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : MISUSED));
  }
}

/** For an option that names a file or a directory. */
export function nonEmpty(text: string): string {
  if (text === '') throw new InvalidArgumentError('expected a name');
  return text;
}
