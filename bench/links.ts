import type { Link } from './programs/rival.js';
import type { Case, Question } from './question.js';
import type { Rival } from './rival.js';
import { STREAMS } from './rivals/index.js';
import { tubeRival } from './rivals/tube.js';
import { streamed } from './sides.js';
import { oneOf } from './sizes.js';
import type { Load } from './stream.js';
import { STREAM_MEASURES, STREAM_NOTES, streamTime } from './throughput.js';

export const links: Question = {
  name: 'links',
  title: 'Throughput without loss of several links between the same two OS processes',
  notes: [
    'Of a tube each link has a process at each end; of sockets each is a connection. Both directions: one link each way.',
    'In turn: one process sends packet by packet over so many tubes, each to a process of its own; a tube at its turn is often empty.',
    'Figures are those of all links together.',
    ...STREAM_NOTES,
  ],
  measures: STREAM_MEASURES,
  compared: ['packets'],
  charts: ['packets'],
  cases: (effort, sizes) => {
    const time = streamTime(effort);
    const asked = effort === 'full' ? sizes : [oneOf(sizes)];
    const most = effort === 'quick' ? 100 : 1000;
    return asked.flatMap((bytes) => [
      ...Object.entries(shapes({ bytes, ...time })).flatMap(([subject, links]) =>
        STREAMS.map((rival) => linked(`${bytes} B, ${subject}`, rival, bytes, links)),
      ),
      ...[1, 100, 1000]
        .filter((over) => over <= most)
        .map((over) =>
          linked(`${bytes} B, in turn over ${over}`, tubeRival, bytes, [
            { role: 'send', load: { bytes, ...time, over } },
          ]),
        ),
    ]);
  },
};

function shapes(load: Load): Readonly<Record<string, readonly Link[]>> {
  const forth: Link = { role: 'send', load };
  return {
    '1 link': [forth],
    '2 links': Array(2).fill(forth),
    '8 links': Array(8).fill(forth),
    'both directions': [forth, { role: 'receive', load }],
  };
}

function linked(subject: string, rival: Rival, bytes: number, links: readonly Link[]): Case {
  return { subject, who: rival.name, measure: (world) => streamed(world, rival, bytes, links) };
}
