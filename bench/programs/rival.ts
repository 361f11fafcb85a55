/** One side of a comparison, in an OS process of its own; says where it listens, if it does, then what it has seen. */
import type { Trips } from '../rival.js';
import { RIVALS } from '../rivals/index.js';
import { type Load, Sink, Source } from '../stream.js';
import { argument, say } from './parent.js';

export interface RivalProgram {
  readonly rival: string;
  readonly role: 'send' | 'receive' | 'ask' | 'answer';
  readonly path: string;
  readonly address?: unknown;
  readonly load?: Load;
  readonly trips?: Trips;
}

// Done, or of no use any more: either way what is left of it goes.
process.once('disconnect', () => process.exit());
void main();

async function main(): Promise<void> {
  const { role, load, trips, ...rest } = argument<RivalProgram & { rundir: string }>();
  const rival = RIVALS.find(({ name }) => name === rest.rival);
  if (!rival) throw new Error(`there is no rival ${rest.rival}`);
  const place = { ...rest, address: rest.address, listening: say };
  if (role === 'send') {
    const source = new Source(load as Load);
    await rival.send(place, source, load as Load);
    say(source.seen);
  } else if (role === 'receive') {
    const sink = new Sink(load as Load);
    await rival.receive(place, sink, load as Load);
    say(sink.seen);
  } else if (role === 'ask') {
    say(await rival.ask(place, trips as Trips));
  } else {
    await rival.answer(place);
  }
  if (process.connected) process.disconnect();
}
