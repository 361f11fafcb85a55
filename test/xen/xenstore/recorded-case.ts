import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One line of what was recorded between a client and a real xenstored. */
export interface RecordedCase {
  readonly id: string;
  readonly desc: string;
  readonly steps: readonly Step[];
}

export type Step = Note | RecordedPacket;

/** Something done to the daemon by other means than a packet. */
export interface Note {
  readonly note: string;
}

export interface RecordedPacket {
  /** The connection: s1, s2 are sockets (domain 0), dom5 is the ring of domain 5. */
  readonly c: string;
  readonly d: '>' | '<';
  readonly t: string;
  readonly rid: number;
  readonly tx: number;
  /** `\xHH` is a byte, `{{text*count}}` a repetition. */
  readonly p: string;
  /** What the header's length field said, where that was not the truth. */
  readonly len_field?: number;
}

export function recordedCases(file: string): RecordedCase[] {
  const path = join(__dirname, '../../fixtures/xenstore', file);
  const lines = readFileSync(path, 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line));
}

export function isNote(step: Step): step is Note {
  return 'note' in step;
}

export function payloadOf({ p }: RecordedPacket): Buffer {
  const repeated = p.replace(/\{\{(.+?)\*(\d+)\}\}/g, (_, text: string, count: string) =>
    text.repeat(Number(count)),
  );
  const bytes = repeated.replace(/\\x([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(bytes, 'latin1');
}

export function typeOf({ t }: RecordedPacket): number {
  const type = TYPES.indexOf(t);
  return type === -1 ? Number(t) : type;
}

export function typeName(type: number): string {
  return TYPES[type] ?? String(type);
}

/** Written down again, apart from the constants of the code under test. */
const TYPES = [
  'CONTROL',
  'DIRECTORY',
  'READ',
  'GET_PERMS',
  'WATCH',
  'UNWATCH',
  'TRANSACTION_START',
  'TRANSACTION_END',
  'INTRODUCE',
  'RELEASE',
  'GET_DOMAIN_PATH',
  'WRITE',
  'MKDIR',
  'RM',
  'SET_PERMS',
  'WATCH_EVENT',
  'ERROR',
  'IS_DOMAIN_INTRODUCED',
  'RESUME',
  'SET_TARGET',
  'RESTRICT',
  'RESET_WATCHES',
  'DIRECTORY_PART',
  'GET_FEATURE',
  'SET_FEATURE',
  'GET_QUOTA',
  'SET_QUOTA',
];
