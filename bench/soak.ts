/** `npm run soak`: whether tubes keep what they promise for as long as one likes, and how many of them. See docs/robustness.md. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { positiveInteger, refuseUnwritable, strictCommand } from './options.js';
import type { Mode } from './soak/books.js';
import { exact } from './soak/exact.js';
import { load } from './soak/load.js';
import { summary, writeReport } from './soak/report.js';
import { cellsOf, HEAD, type Sample } from './soak/sample.js';

interface ExactGiven {
  readonly mode: Mode;
  readonly packets?: number;
  readonly seconds?: number;
  readonly seed: number;
  readonly large: number;
  readonly longest: number;
  readonly every: number;
  readonly report?: string;
}

interface LoadGiven {
  readonly domains: number;
  readonly tubes: number;
  readonly peers: number;
  readonly storm: number;
  readonly together: number;
}

/** Of the columns. */
const WIDTHS = [6, 8, 9, 8, 6, 30, 16, 12];

const program = strictCommand('soak')
  .description('Tries to break tubes: for long, and with many.')
  .addHelpText('after', '\nWithout a command it is exact, which has more options: soak exact --help.');

program
  .command('exact', { isDefault: true })
  .description(
    'every packet is checked, and the books must balance; until it has been enough packets or seconds',
  )
  .addOption(new Option('--mode <mode>', 'of full tubes').choices(['lossless', 'drop']).default('lossless'))
  .option('--packets <n>', 'how many have to be received', positiveInteger)
  .option(
    '--seconds <n>',
    'how long it may take (default: 10, where no packets are asked for)',
    positiveInteger,
  )
  .option('--seed <n>', 'of all that is random but time', whole, 1)
  .option('--large <percent>', 'of the packets have 8 to 4096 bytes, the others 8 to 64', whole, 2)
  .option('--longest <packets>', 'through one tube', positiveInteger, 2_000_000)
  .option('--every <seconds>', 'a line is printed', positiveInteger, 10)
  .option('--report <directory>', 'write report.md there, with charts')
  .action(runExact);

program
  .command('load')
  .description('many domains and tubes, and storms of connections on lingd')
  .option('--domains <n>', 'that have tubes', positiveInteger, 20)
  .option('--tubes <n>', 'between them', positiveInteger, 100)
  .option('--peers <n>', 'that one domain opens to at once', positiveInteger, 40)
  .option('--storm <n>', 'connections', positiveInteger, 500)
  .option('--together <n>', 'domains in one OS process', positiveInteger, 25)
  .action(runLoad);

// Until all is said: where nothing is left to wait for, Node.js would end as if all had gone well.
process.exitCode = 1;
void program.parseAsync();

async function runExact(given: ExactGiven, command: Command): Promise<void> {
  refuseUnwritable(command, given);
  const { packets, seconds, report, ...settings } = given;
  const isAsked = packets !== undefined || seconds !== undefined;
  const limits = {
    packets: packets ?? Number.POSITIVE_INFINITY,
    seconds: seconds ?? (isAsked ? Number.POSITIVE_INFINITY : 10),
  };
  console.log(line(HEAD));
  let last: Sample | undefined;
  const soaked = await exact({ ...settings, ...limits }, (sample) => {
    console.log(line(cellsOf(sample, last)));
    last = sample;
  });
  console.log(`\n${summary(soaked, given.seed)}`);
  if (report !== undefined) writeReport(report, soaked, given.seed);
  process.exitCode = 0;
}

function line(cells: readonly string[]): string {
  return cells.map((cell, i) => cell.padStart(WIDTHS[i] as number)).join('  ');
}

async function runLoad(given: LoadGiven): Promise<void> {
  let began = performance.now();
  await load(given, (what, answers) => {
    const counts = Object.entries(answers).map(([answer, count]) => `${count} ${answer}`);
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    console.log(`${what}: ${counts.join(', ')} (${seconds} s)`);
    began = performance.now();
  });
  process.exitCode = 0;
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0)
    throw new InvalidArgumentError('expected 0 or a positive integer');
  return value;
}
