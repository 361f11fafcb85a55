/** The veth pair: what tubes were invented to replace. Node.js has no packet sockets, so both ends are C++. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { compiled, compilerVersion } from './compiler.js';
import type { Blocked, SideSeen } from './programs/rival.js';
import type { Case, Sample } from './question.js';
import { type Flow, flowOf } from './sides.js';
import type { Load, Seen } from './stream.js';

const NAME = 'veth';
/** Far more than any measurement takes, in milliseconds. */
const PATIENCE = 120_000;

export function vethNote(): string {
  const { missing } = findVeth();
  if (missing !== undefined) return `${NAME} is missing here: ${missing}`;
  return `${NAME}: packet sockets (SOCK_DGRAM, up to 64 packets for a system call) of two network namespaces, each with a veth pair to the bridge of a third, MTU 9000; C++ at both ends; full: drops, so without loss there is no figure`;
}

/** A case of what its packets come to; none where the machine does not allow it. */
export function vethCases(
  subject: string,
  load: Load,
  sample: (flow: Flow) => Sample,
  blocked?: Blocked,
): readonly Case[] {
  const { file } = findVeth();
  if (file === undefined) return [];
  return [{ subject, who: NAME, measure: async () => sample(flowOf({}, await run(file, load, blocked))) }];
}

/** As veth/veth.cc prints it. */
interface Veth {
  readonly sent: Seen;
  readonly received: Seen;
}

async function run(
  file: string,
  { bytes, warmUp, seconds, rate = 0 }: Load,
  { ms, every }: Blocked = { ms: 0, every: 0 },
): Promise<[SideSeen, SideSeen]> {
  const args = [bytes, warmUp, seconds, rate, ms, every].map(String);
  const { stdout } = await promisify(execFile)(file, args, { timeout: PATIENCE });
  const { sent, received } = JSON.parse(stdout) as Veth;
  if (received.packets > sent.packets) throw new Error('more packets have come than were sent');
  return [
    { sent: [sent], received: [], times: [] },
    { sent: [], received: [received], times: [] },
  ];
}

interface Found {
  readonly file?: string;
  readonly missing?: string;
}

let found: Found | undefined;

/** Whether namespaces, bridges and packet sockets can be had only shows when they are made. */
function findVeth(): Found {
  found ??= tryVeth();
  return found;
}

function tryVeth(): Found {
  if (compilerVersion() === undefined) return { missing: 'it takes a C++ compiler' };
  const directory = mkdtempSync(path.join(os.tmpdir(), 'ling-tubes-veth-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  const file = compiled(NAME, directory);
  const { status, stderr } = spawnSync(file, { encoding: 'utf8' });
  return status === 0 ? { file } : { missing: stderr.trim() };
}
