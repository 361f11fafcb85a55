/** How packets get out of a tube: in all modes, which change, to processes that are busy at times. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isTuple, type Self, type Tube, type TubeOption, tube } from '../../lib/index.js';
import type { Book } from './books.js';
import type { Random } from './random.js';

/** Of a message: whether it was the end of the tube. */
type IsEnd = boolean;
type Receive = (self: Self, t: Tube, book: Book, random: Random) => Promise<IsEnd>;

/** Those that take longest have the fewest packets. */
const MODES: readonly Receive[] = [always, always, always, times, times, once, passive];

/** The shift of an owner. Answers whether the tube has ended. */
export async function receiveShift(self: Self, t: Tube, book: Book, random: Random): Promise<IsEnd> {
  for (let phases = random.between(1, 4); phases > 0; phases--) {
    if (await random.pick(MODES)(self, t, book, random)) return true;
    // Longer than it takes to fill the ring, and whatever is to be filled when that is full.
    if (random.oneIn(6)) await sleep(random.between(1, 50));
  }
  return false;
}

function always(self: Self, t: Tube, book: Book, random: Random): Promise<IsEnd> {
  activate(self, t, true);
  return take(self, t, book, random.magnitude(1, 200_000));
}

function once(self: Self, t: Tube, book: Book, random: Random): Promise<IsEnd> {
  activate(self, t, 'once');
  return take(self, t, book, random.between(1, 200), () => activate(self, t, 'once'));
}

function times(self: Self, t: Tube, book: Book, random: Random): Promise<IsEnd> {
  const active = random.magnitude(1, 10_000);
  activate(self, t, active);
  const again = (): void => activate(self, t, active);
  return take(self, t, book, random.magnitude(1, 30_000), undefined, again);
}

async function passive(self: Self, t: Tube, book: Book, random: Random): Promise<IsEnd> {
  activate(self, t, false);
  for (let left = random.between(1, 500); left > 0; left--) {
    // What was on its way before comes first.
    const message = await self.receive({ after: 0 });
    if (message !== undefined) {
      if (understand(message, t, book)) return true;
      continue;
    }
    const [tag, packet] = await tube.recv(self, t, random.oneIn(10) ? random.below(5) : 'infinity');
    if (tag === 'ok') book.take(packet);
    else if (packet === 'closed') return take(self, t, book, 1);
    else if (packet !== 'timeout') throw new Error(`recv has answered ${packet}`);
  }
  return false;
}

/** So many packets, unless the tube ends: `packet` is called after each, `ranOut` when that is what the tube says. */
async function take(
  self: Self,
  t: Tube,
  book: Book,
  count: number,
  packet?: () => void,
  ranOut?: () => void,
): Promise<IsEnd> {
  const end = book.received + count;
  while (book.received < end) {
    const answer = self.receive();
    const message = answer instanceof Promise ? await answer : answer;
    if (understand(message, t, book)) return true;
    if ((message as unknown[])[0] === t) packet?.();
    else ranOut?.();
  }
  return false;
}

/** @throws Error for what a tube does not say, or for an end that is not the one of a tube that its sender has closed */
function understand(message: unknown, t: Tube, book: Book): IsEnd {
  if (isTuple(message)) {
    const [kind, detail, reason] = message;
    if (kind === t) {
      book.take((detail as ['data', Buffer])[1]);
      return false;
    }
    if (kind === 'tube_passive' && detail === t) return false;
    if (kind === 'EXIT' && detail === t && reason === 'normal') return true;
  }
  throw new Error(`the owner of a tube was told ${String(message)}`);
}

type Active = Extract<TubeOption, readonly ['active', unknown]>[1];

/** What was left of a number is not added. */
function activate(self: Self, t: Tube, active: Active): void {
  const done = tube.setopts(self, t, [
    ['active', false],
    ['active', active],
  ]);
  // It has closed: that has been said, or is about to be.
  if (done !== 'ok' && done[1] !== 'badarg') throw new Error(`setopts has answered ${done[1]}`);
}
