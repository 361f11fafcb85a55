/**
 * The native core, declared once. Everything is implemented in C++ beside this file.
 *
 * Whatever fails in the operating system throws an Error with `code` (ENOENT ...), `errno` and `syscall`;
 * nonsense from the outside throws one with code EINVAL. Descriptors are plain numbers, and whoever gets one has to
 * pass it on or close it, with {@link closeFd}; those of a worker thread that is terminated are closed with it.
 */
import path from 'node:path';

/** Which end of a tube: the acceptor allocates and grants the pages, the opener maps them. */
export type Side = 'acceptor' | 'opener';

/** Pages of memory shared with another process; unmapped by close(), or when collected. */
export interface SharedPages {
  close(): void;
}

/**
 * Waits on descriptors with one epoll and calls `onReady` with the tokens of those that want attention.
 *
 * Watches are edge-triggered and one-shot: arm, look once more, sleep. An event on a watch that is not armed
 * is dropped. Waiting is done by {@link runReactor} on a worker thread, or by the event loop after attach().
 */
export interface Reactor {
  /** What {@link runReactor} takes, on whatever thread of this OS process. */
  readonly number: number;
  /** Watches a descriptor; the token is never used again. Call remove() before closing the descriptor. */
  add(fd: number): number;
  remove(token: number): void;
  arm(token: number): void;
  /** Whether room to write is an event as well; not at first. */
  wantRoom(token: number, want: boolean): void;
  /**
   * Instead of arm() and wantRoom(): the descriptor is an event, once, when it can be read or written now or later, as
   * asked; errors and hang-ups always are.
   */
  armFor(token: number, input: boolean, room: boolean): void;
  /** Lets this thread's event loop do the waiting; false where the host has no libuv to ask. */
  attach(): boolean;
  /**
   * What {@link runReactor} takes as well, on a worker thread: it takes packets out of the packed rings of tubes that are
   * made with this reactor from here on, when this thread is too late to do so.
   */
  startRelief(): number;
  /**
   * Ends the waiting, on whatever thread; nothing is called any more, and nothing can be added. Until then the event
   * loop is kept alive.
   */
  stop(): void;
}

/** What one end of a tube has counted. */
export interface TubeCounters {
  sentPackets: number;
  sentBytes: number;
  /** Packets not sent because the ring was full. */
  droppedPackets: number;
  receivedPackets: number;
  receivedBytes: number;
}

/** One end of a tube. BROKEN (-1) from any method: the peer wrote nonsense into the shared pages; close it. */
export interface TubeEnd {
  /** Tokens of the reactor that become ready when packets wait, and when the peer has made room; maybe the same. */
  readonly packetsToken: number;
  readonly roomToken: number;
  /** How many packets of the largest size fit into an empty ring: 31 as LING lays it out. */
  readonly slots: number;
  /**
   * Copies one packet, the first `size` bytes (all of them if it is not given), 1 to 4096, into the ring: 1 when written, WRITTEN_LAST when another one may not fit any
   * more, 0 when there was no room (counted as a drop), or BROKEN. The peer may learn of it only with the next flush().
   */
  write(bytes: Uint8Array, size?: number): number;
  /** Wakes the peer if anything has been written that it was not told of, and it sleeps. */
  flush(): void;
  /** How many packets can be written now, whatever their sizes, or BROKEN. */
  freeSlots(): number;
  /** Whether what finds no room is lost; if it is, the peer is told when there is little left. At first it is. */
  setDrops(drops: boolean): void;
  /**
   * Copies waiting packets, oldest first and each behind the one before, into the slab from the offset on, and for each
   * its offset from there and its length into `places`, until the ring is empty, `places` is full, or less than
   * {@link LARGEST_RECORD} bytes of the slab are left. Returns their number or BROKEN; 0 also while another thread does that in
   * this one's place.
   */
  read(slab: Uint8Array, offset: number, places: Uint32Array): number;
  /** Whether more than half of the ring was in use at any read since the last question. */
  wasPressed(): boolean;
  /** Whether packets may be taken out of the ring ahead when this thread is late. At first they are not. */
  setTakesAhead(takes: boolean): void;
  /** The peer has gone: nothing is read that it has not written until now. */
  hangUp(): void;
  /** Arms packetsToken, then says whether any packets wait: when any do, do not sleep. Or BROKEN. */
  armPackets(): number;
  /** Arms roomToken for when there is room for so many, then says for how many there is now, or BROKEN. */
  armRoom(slots: number): number;
  counters(): TubeCounters;
  /** Flushes, unmaps the pages, closes the descriptors. Nothing but close() and flush() may be called afterwards. */
  close(): void;
}

/** Who an OS process is to the operating system. */
export interface Credentials {
  readonly uid: number;
  readonly gid: number;
  /** 0 for one that cannot be seen from here. */
  readonly pid: number;
}

/** What {@link startProgram} starts. Texts are bytes without a zero among them. */
export interface ProgramToStart {
  /** Its path, absolute or from here. */
  readonly file: Uint8Array;
  /** The first is what it is told that it is called. */
  readonly args: readonly Uint8Array[];
  /** NAME=value, all of them. */
  readonly env: readonly Uint8Array[];
  /** Where it runs; empty: here. */
  readonly cwd: Uint8Array;
  /** What its descriptors 0, 1, 2 ... are; -1 for one that is closed. */
  readonly stdio: readonly number[];
  /** Where 4 bytes are written when it has ended: its exit status, or 128 + n for signal n, as an int32 of this machine. */
  readonly report: number;
}

interface Native {
  Reactor: new (onReady: (tokens: number[]) => void) => Reactor;
  /**
   * With rings of so many bytes each, a power of two from {@link LEAST_RING} to {@link MOST_RING}: native/packed_layout.h; the
   * two doorbells are for this thread and for its relief. With 0, as LING lays out a tube: for the ring this side writes, and for
   * the one it reads. They and the pages are taken over.
   */
  TubeEnd: new (
    reactor: Reactor,
    side: Side,
    pages: SharedPages,
    doorbells: readonly [number, number],
    ringSize: number,
  ) => TubeEnd;
  /**
   * Blocks this thread with the reactor of that number until its owner stops it. True, to be called again in a later
   * turn, when this thread's own event loop has something to do: it may be told to end.
   */
  runReactor(number: number): boolean;
  /** Zeroed pages in a memfd sealed against resizing, and its descriptor. */
  allocatePages(count: number): [pages: SharedPages, fd: number];
  /** Maps pages of memfds, given as [fd, page, fd, page ...], one behind the other. The descriptors stay the caller's. */
  mapPages(pages: readonly number[]): SharedPages;
  /** The grant references of the 64 buffers (tx, then rx), read once from the ring page that is the first of `pages`. */
  readGrefs(pages: SharedPages): number[];
  writeGrefs(pages: SharedPages, grefs: readonly number[]): void;
  /**
   * Of packed rings: the references in the control page, or those in the pages of which that has the references, read once.
   * They are of the pages behind it, or where they are more than {@link GREFS_IN_CONTROL_PAGE} of the pages that list these.
   */
  readPackedGrefs(pages: SharedPages, count: number, fromTables: boolean): number[];
  /** Those of all pages but the first. */
  writePackedGrefs(pages: SharedPages, ringSize: number, grefs: readonly number[]): void;
  /** Memory for received packets from a pool, to which it returns when nothing refers to it any more. */
  newSlab(): ArrayBuffer;
  /** The two ends of a doorbell: see native/os.h. */
  createDoorbell(): [one: number, other: number];
  listenUnix(path: string): number;
  connectUnix(path: string): number;
  /**
   * Makes a socket that was handed to this OS process one of those that {@link Native.acceptUnix} takes, and answers the
   * path that it is bound to. Throws, saying what the descriptor is instead (`is no socket`, `does not listen` ...), for
   * anything but a Unix stream socket with a path that listens.
   */
  adoptListener(fd: number): string;
  /** The next connection's descriptor, or -1 when there is none. */
  acceptUnix(listener: number): number;
  /**
   * Who the other side of a connection was when it connected (its effective ids), whatever it has become since, and whoever
   * has the socket now.
   */
  peerCredentials(socket: number): Credentials;
  /** A descriptor that can be read when that OS process has ended (pidfd_open). Throws ESRCH for one that is not there any more. */
  openProcess(pid: number): number;
  /** How many bytes the kernel took (0: no room now); the descriptors travel with the first byte, as duplicates. */
  sendWithFds(socket: number, bytes: Uint8Array, fds: readonly number[]): number;
  /**
   * `bytes` is 0 when nothing is there now, unless `closed`; the descriptors are the caller's from here on. The last is
   * {@link LOST_FD} where this OS process had no number for one or more.
   */
  receiveWithFds(socket: number, into: Uint8Array): { bytes: number; closed: boolean; fds: number[] };
  /** Sends one datagram to a Unix socket: its path, or `@` and its abstract name. Throws EAGAIN where it would wait. */
  sendDatagram(path: string, bytes: Uint8Array): void;
  /** Whether that is a memfd of ordinary pages, as {@link Native.allocatePages} makes it. */
  isMemory(fd: number): boolean;
  dupFd(fd: number): number;
  /** A pipe; both ends block, and programs that are started do not inherit them. */
  createPipe(): [readEnd: number, writeEnd: number];
  /**
   * For everybody who shares the open file. Answers whether it was non-blocking before. What a worker thread that is
   * terminated has set on a descriptor of somebody else is undone.
   */
  setNonBlocking(fd: number, on: boolean): boolean;
  /**
   * Starts a program, in a session of its own and with all signals at their defaults, and answers its process id; it is
   * reaped whether somebody asks or not. The descriptors stay the caller's. An error of the syscall execve or chdir is
   * the program's.
   */
  startProgram(program: ProgramToStart): number;
  closeFd(fd: number): void;
  /** Closes a connected socket that nobody else has, whatever the other side has left in it: see drain in native/os.h. */
  closeConnection(socket: number): void;
  /** Lets another thread that waits for this core run first. */
  yieldCore(): void;
  /** Locks a directory until the descriptor is closed, by whatever end of the OS process; -1 if another one holds it. */
  lockDirectory(path: string): number;
  /**
   * A file of which single bytes can be locked; it is made if it is not there, and need not have these bytes. Who is given
   * the descriptor can lock any of them, and write nothing.
   */
  openLocks(path: string): number;
  /** Locks a byte until the descriptor is closed; false when somebody else has it, who has opened the file as well. */
  lockByte(fd: number, offset: number): boolean;
  isByteLocked(fd: number, offset: number): boolean;
  isAnyByteLocked(fd: number): boolean;
}

/** A packet that would not be one: rings carry 1 to MAX_PACKET bytes. */
export const MAX_PACKET = 4096;
/** What such a packet takes in a packed ring, and in a slab. */
export const LARGEST_RECORD = 4104;
export const TUBE_PAGES = 65;
export const PAGE_SIZE = 4096;
export const BROKEN = -1;
/** Written, and another packet may not fit. */
export const WRITTEN_LAST = 2;
/** Sizes of packed rings, in bytes; the least takes as many pages as LING's tubes. */
export const LEAST_RING = 128 * 1024;
export const MOST_RING = 8 * 1024 * 1024;
export const GREFS_IN_CONTROL_PAGE = 768;
export const GREFS_IN_TABLE_PAGE = 1024;
/** Stands for descriptors that have been sent and could not be received: EMFILE. It need not be closed, but may be. */
export const LOST_FD = -1;

/** There is no addon for this platform. */
export class AddonError extends Error {
  readonly code = 'ERR_ADDON';
}

const addon = loadAddon();

function loadAddon(): Native {
  // Compiled code lies in dist/native, the addon where node-gyp and prebuildify put it: in native/.
  const directory = path.join(__dirname, '../../native');
  try {
    return require('node-gyp-build')(directory) as Native;
  } catch (error) {
    const { platform, arch } = process;
    throw new AddonError(
      `ling-tubes has no addon for ${platform} on ${arch} with this C library: build it from the repository, with npm ci && npm run build`,
      { cause: error },
    );
  }
}

export const {
  Reactor,
  TubeEnd,
  runReactor,
  allocatePages,
  mapPages,
  readGrefs,
  writeGrefs,
  readPackedGrefs,
  writePackedGrefs,
  newSlab,
  createDoorbell,
  listenUnix,
  connectUnix,
  adoptListener,
  acceptUnix,
  peerCredentials,
  openProcess,
  sendWithFds,
  receiveWithFds,
  sendDatagram,
  isMemory,
  dupFd,
  createPipe,
  setNonBlocking,
  startProgram,
  closeFd,
  closeConnection,
  yieldCore,
  lockDirectory,
  openLocks,
  lockByte,
  isByteLocked,
  isAnyByteLocked,
} = addon;
