/** The first words of a domain to lingd: it is new, or it comes back after a lingd that has ended. */
import { setTimeout as sleep } from 'node:timers/promises';
import { closeFd, LOST_FD } from '../native/index.js';
import type { Watcher } from '../native/watcher.js';
import {
  decodeNumbers,
  encodeNumbers,
  HYPERCALL_HELLO,
  HYPERCALL_RESUME,
  SECRET_BYTES,
} from './hypercall.js';
import type { Domid } from './hypervisor.js';
import { ownUid } from './own-user.js';
import { RunDirectoryError } from './run-directory.js';
import { connectToLingd, type LingdPlace, noAnswer, PATIENCE } from './start-lingd.js';
import { UnixChannel } from './unix-channel.js';
import { type Answer, errorOf } from './xenstore/client.js';
import { XenstoreError } from './xenstore/errors.js';
import type { Renewal } from './xenstore/lasting-channel.js';

export interface Membership {
  readonly domid: Domid;
  /** By which lingd will know the domain again; none from a lingd that is older than that. */
  readonly secret: Buffer | undefined;
  /** A descriptor: as long as it is open, a lingd knows that there still is the domain. None from an older one either. */
  readonly lease: number | undefined;
  readonly channel: UnixChannel;
  /** Whether it is another user's lingd. */
  readonly isForeign: boolean;
}

interface Place extends LingdPlace {
  readonly watcher: Watcher;
  /** How long lingd may be silent, in milliseconds, which it is when it has been stopped; {@link PATIENCE} by default. */
  readonly patience?: number;
}

/** How often a lingd may be leaving just when a domain joins. */
const TRIES = 5;
/** How long a domain tries to come back, in milliseconds, and how long it waits at first and at most in between. */
const PERSISTENCE = 30_000;
const FIRST_PAUSE = 10;
const LONGEST_PAUSE = 1000;

/**
 * Becomes a new domain. Throws what connectToLingd throws, or lingd's refusal: `EACCES` where this user may not, `EDQUOT`
 * where it has as many as it may.
 */
export async function enterLingd(place: Place & { readonly name: string }): Promise<Membership> {
  for (let tries = 1; ; tries++) {
    try {
      const { channel, payload, fds, isForeign } = await introduce(
        place,
        HYPERCALL_HELLO,
        Buffer.from(place.name),
      );
      if (fds.includes(LOST_FD)) {
        channel.close();
        throw outOfDescriptors();
      }
      const secret = payload.length === 4 + SECRET_BYTES ? payload.subarray(4) : undefined;
      return { domid: payload.readUInt32LE(), secret, lease: fds[0], channel, isForeign };
    } catch (error) {
      const refusal = error instanceof XenstoreError && REFUSALS[error.code];
      if (refusal) {
        const message = `${error.code}: user ${ownUid()} ${refusal}, says the policy of the lingd in ${place.directory}`;
        throw new XenstoreError(error.code, message, { cause: error });
      }
      // A lingd that was just leaving took the connection with it; the next one is ours.
      if ((error as XenstoreError).code !== 'ECONNRESET' || tries === TRIES) throw error;
    }
  }
}

/**
 * Becomes the domain that it was. Throws `ECONNRESET` when lingd does not know it any more, and what was wrong last when
 * the directory is not to be trusted, when it could not be done for 30 seconds, and when the signal is aborted.
 */
export async function returnToLingd(
  place: Place & { readonly domid: Domid; readonly secret: Buffer | undefined },
): Promise<Renewal> {
  const { domid, secret, signal } = place;
  if (!secret) throw new XenstoreError('ECONNRESET', 'ECONNRESET: lingd has gone');
  const deadline = Date.now() + PERSISTENCE;
  for (let pause = FIRST_PAUSE; ; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
    try {
      const words = Buffer.concat([encodeNumbers(domid), secret]);
      const { channel, payload } = await introduce(
        // To leave a lingd that was asked is to end, so there is no second try.
        { ...place, patience: Math.max(0, deadline - Date.now()) },
        HYPERCALL_RESUME,
        words,
      );
      return { connection: channel, done: new Set(decodeNumbers(payload)?.slice(1)) };
    } catch (error) {
      if (error instanceof XenstoreError && UNKNOWN.has(error.code)) {
        const message = `ECONNRESET: lingd does not know domain ${domid} any more`;
        throw new XenstoreError('ECONNRESET', message, { cause: error });
      }
      const isFinal = error instanceof RunDirectoryError || signal?.aborted;
      if (isFinal || Date.now() + pause > deadline) throw error;
    }
    await sleep(pause, undefined, { signal });
  }
}

/** What lingd means by a refusal of a newcomer. */
const REFUSALS: Readonly<Record<string, string>> = {
  EACCES: 'may not become a domain',
  EDQUOT: 'has as many domains as it may',
};

/** That domid is not this domain's (any more). */
const UNKNOWN: ReadonlySet<string> = new Set(['ENOENT', 'EACCES']);

/** Connects, says one thing and gives the answer; `ECONNRESET` when lingd ends meanwhile. */
async function introduce(
  place: Place,
  type: number,
  payload: Buffer,
): Promise<Answer & { channel: UnixChannel; isForeign: boolean }> {
  const { directory, watcher, signal, patience = PATIENCE } = place;
  const { fd, isForeign, letGo } = await connectToLingd(place);
  if (signal?.aborted) {
    await letGo();
    closeFd(fd);
    throw signal.reason;
  }
  const channel = new UnixChannel(watcher, fd);
  let hasEnded = false;
  let answer: Answer | undefined;
  let abandon = (): void => {};
  let silence: NodeJS.Timeout | undefined;
  try {
    answer = await new Promise<Answer>((resolve, reject) => {
      channel.onPacket = (packet, fds) => {
        if (packet.type === type) return resolve({ payload: packet.payload, fds });
        fds.forEach(closeFd);
        reject(errorOf(packet, type));
      };
      channel.onClose = (error) => {
        hasEnded = true;
        reject(new XenstoreError('ECONNRESET', undefined, { cause: error }));
      };
      abandon = () => reject(signal?.reason);
      signal?.addEventListener('abort', abandon);
      silence = setTimeout(() => reject(noAnswer(directory)), patience);
      channel.send({ type, reqId: 0, txId: 0, payload });
      channel.start();
    });
    await letGo();
    // It may have ended right behind its answer.
    if (hasEnded) throw new XenstoreError('ECONNRESET');
    return { ...answer, channel, isForeign };
  } catch (error) {
    if (!answer) await letGo();
    answer?.fds.forEach(closeFd);
    channel.close();
    throw error;
  } finally {
    clearTimeout(silence);
    signal?.removeEventListener('abort', abandon);
  }
}

/** Something came with a descriptor that this OS process had no number for. */
export function outOfDescriptors(): XenstoreError {
  return new XenstoreError('EMFILE', 'EMFILE: there is no number left for a descriptor that lingd has sent');
}
