/**
 * What a lingd has to remember beyond its own end: a file of lines that is written as things happen.
 *
 *     ["lingd",1,{"epoch":0,"madeDirectory":true, ...}]    first of all: StateHeader
 *     [["introduced",2],["node","/local/domain/2",...]]    what has happened to the Xenstore: StoreRecord
 *     [["joined",2,"cCY2...",1000]]                        who the domains are: RosterRecord
 *     [["node","/a","1",["n2"]],["done",2,[17]]]
 *     [["lastDomid",7]]                                    so that 8 will be next
 *
 * A line is what nobody has been told of before it was written. One that was not finished counts for nothing, so that
 * what happens together, a transaction and its commit, is remembered together.
 *
 * The file is made anew, under another name first, when lingd starts and when it has grown to much more than it says.
 * The end of a process loses nothing that was written, so nothing waits for a disk.
 */
import fs from 'node:fs';
import { type Domid, isDomid } from '../hypervisor.js';
import type { StoreRecord } from '../xenstore/record.js';
import type { RosterRecord } from './roster.js';

export interface StateHeader {
  /** How many lingds this directory has had since the first that a domain of now may remember. */
  readonly epoch: number;
  /** Whether a lingd has made the run directory, which is to be removed at the end then. */
  readonly madeDirectory: boolean;
  /** Which sockets the lingd has made, as of `socket-file.ts`; none of a service manager's. */
  readonly sockets?: readonly string[];
  /** The file with the policy, if there is one: who is started by a domain after a crash has to know it. */
  readonly policy?: string;
}

export type StateRecord = StoreRecord | RosterRecord | [kind: 'lastDomid', domid: Domid];

/** The file is not what a lingd writes. */
export class StateError extends Error {
  readonly code = 'ERR_LINGD_STATE';
}

const VERSION = 1;
/** What is added before the file is made anew, in characters: at least so much, and as much as it began with. */
const MUCH = 1024 * 1024;

/** What the last lingd has left; undefined when it ended cleanly. Throws StateError or what the system throws. */
export function readState(file: string): { header: StateHeader; records: StateRecord[] } | undefined {
  const status = fs.lstatSync(file, { throwIfNoEntry: false });
  if (!status) return undefined;
  if (!status.isFile()) throw new StateError(`${file} is no file`);
  const lines = fs.readFileSync(file, 'utf8').split('\n');
  // Where the last lingd was killed while it wrote; nobody had been told of that.
  lines.pop();
  const [header, ...batches] = lines.map((line, i) => {
    try {
      return JSON.parse(line) as unknown;
    } catch {
      throw new StateError(`${file} is damaged in line ${i + 1}`);
    }
  });
  if (!isHeader(header)) throw new StateError(`${file} is of no known version`);
  const bad = batches.findIndex((line) => !Array.isArray(line) || !line.every(isRecord));
  if (bad !== -1) throw new StateError(`${file} is damaged in line ${bad + 2}`);
  return { header: header[2], records: (batches as StateRecord[][]).flat() };
}

/** Also what a lingd that was killed has not finished. */
export function removeState(file: string): void {
  removeFile(nextOf(file));
  removeFile(file);
}

export class StateFile {
  readonly #file: string;
  readonly #all: () => [StateHeader, Iterable<StateRecord>];
  readonly #isOurs: () => boolean;
  readonly #onError: (error: Error) => void;
  #fd = -1;
  #unwritten: StateRecord[] = [];
  #isScheduled = false;
  #added = 0;
  #enough = 0;

  /**
   * `all` says what there is, whenever the file is made anew; `isOurs` whether its place is this lingd's still.
   * After an error, of which `onError` is told, there is none.
   */
  constructor(
    file: string,
    all: () => [StateHeader, Iterable<StateRecord>],
    isOurs: () => boolean,
    onError: (error: Error) => void,
  ) {
    this.#file = file;
    this.#all = all;
    this.#isOurs = isOurs;
    this.#onError = onError;
    this.#try(() => this.#renew());
  }

  /** Remembers it, at the latest at the end of this turn; {@link flush} before anybody is told. */
  add(record: StateRecord): void {
    if (this.#fd === -1) return;
    this.#unwritten.push(record);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => this.flush());
  }

  /** Writes what was added. */
  flush(): void {
    this.#isScheduled = false;
    if (this.#unwritten.length === 0) return;
    const text = `${JSON.stringify(this.#unwritten)}\n`;
    this.#unwritten = [];
    this.#added += text.length;
    this.#try(() => (this.#added > this.#enough ? this.#renew() : fs.writeFileSync(this.#fd, text)));
  }

  /** Nothing is written any more. Unless it is to be kept for another lingd, the file is removed. */
  close(keep: boolean): void {
    if (keep) this.flush();
    this.#unwritten = [];
    if (this.#fd !== -1) fs.closeSync(this.#fd);
    this.#fd = -1;
    if (!this.#isOurs()) return;
    if (keep) removeFile(nextOf(this.#file));
    else removeState(this.#file);
  }

  #renew(): void {
    if (!this.#isOurs()) throw new StateError(`${this.#file} is not this lingd's any more`);
    const [header, records] = this.#all();
    const lines = [JSON.stringify(['lingd', VERSION, header])];
    for (const record of records) lines.push(JSON.stringify([record]));
    const text = `${lines.join('\n')}\n`;
    const next = nextOf(this.#file);
    removeFile(next);
    const fd = fs.openSync(next, 'ax', 0o600);
    try {
      fs.writeFileSync(fd, text);
      fs.renameSync(next, this.#file);
    } catch (error) {
      fs.closeSync(fd);
      throw error;
    }
    if (this.#fd !== -1) fs.closeSync(this.#fd);
    this.#fd = fd;
    this.#added = 0;
    this.#enough = Math.max(MUCH, text.length);
  }

  /** A file that is not whole any more is worse than none: domains would come back to what never was. */
  #try(write: () => void): void {
    try {
      write();
    } catch (error) {
      this.close(false);
      this.#onError(error as Error);
    }
  }
}

/** What is to take the place of the file when it is whole. */
function nextOf(file: string): string {
  return `${file}.new`;
}

/** Where something else is there, it is not ours. */
function removeFile(file: string): void {
  try {
    fs.unlinkSync(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'EISDIR') throw error;
  }
}

function isHeader(value: unknown): value is [string, number, StateHeader] {
  if (!Array.isArray(value) || value[0] !== 'lingd' || value[1] !== VERSION) return false;
  const { epoch, madeDirectory, policy, sockets = [] } = Object(value[2]) as Partial<StateHeader>;
  return (
    Number.isSafeInteger(epoch) &&
    (epoch as number) >= 0 &&
    typeof madeDirectory === 'boolean' &&
    (policy === undefined || isString(policy)) &&
    areStrings(sockets)
  );
}

/** Of which kinds the parts of each record are. */
const SHAPES: Readonly<Record<StateRecord[0], readonly ((part: unknown) => boolean)[]>> = {
  introduced: [isDomid],
  released: [isDomid],
  target: [isDomid, isDomid],
  node: [isString, isString, areStrings],
  removed: [isString],
  special: [isString, areStrings],
  quota: [isQuota],
  joined: [isDomid, isString, isUidOrNone],
  done: [isDomid, areNumbers],
  lastDomid: [isDomid],
};

function isRecord(value: unknown): value is StateRecord {
  if (!Array.isArray(value) || !Object.hasOwn(SHAPES, String(value[0]))) return false;
  const shape = SHAPES[value[0] as StateRecord[0]];
  return value.length <= shape.length + 1 && shape.every((is, i) => is(value[i + 1]));
}

function isString(value: unknown): value is string {
  return typeof value === 'string';
}

function isUidOrNone(value: unknown): boolean {
  return value === undefined || (Number.isInteger(value) && (value as number) >= 0);
}

function isQuota(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.values(value).every((limit) => limit >= 0);
}

function areNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every(Number.isSafeInteger);
}

function areStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(isString);
}
