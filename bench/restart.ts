import { nanoseconds, whole } from './format.js';
import type { Flow, Moment, RestartProgram } from './programs/restart.js';
import type { Case, Effort, Question } from './question.js';
import { World } from './world.js';

const TUBES = 10;

export const restart: Question = {
  name: 'restart',
  title: `kill -9 of lingd while ${TUBES} tubes are busy`,
  notes: [
    'Busy: 8 packets of 64 bytes under way on each tube, a new one for each that comes back. Each domain is an OS process.',
    'back: from the kill until the last domain is. new tube: asked for right after the kill, until it has brought a packet back.',
    'pause: the longest of any of the tubes from the kill until a second after all are back; before: in as much time before it.',
    'lost: packets that were sent and have not come back.',
  ],
  measures: [
    { key: 'back', title: 'back', format: nanoseconds },
    { key: 'tube', title: 'new tube', format: nanoseconds },
    { key: 'pause', title: 'pause', format: nanoseconds },
    { key: 'before', title: 'before', format: nanoseconds },
    { key: 'lost', title: 'lost', format: whole },
  ],
  compared: [],
  cases: (effort) => [restartOf(1, effort), restartOf(TUBES, effort)],
};

/** The tubes are between so many pairs of domains. One more domain kills lingd and opens a tube. */
function restartOf(pairs: number, effort: Effort): Case {
  return {
    subject: `${TUBES} tubes`,
    who: `${2 * pairs + 1} domains`,
    async measure({ profiles }) {
      const world = await new World(profiles).ready();
      try {
        const start = (program: RestartProgram) => world.start('restart', program);
        const echoes = Array.from({ length: pairs }, () => start({ role: 'echo' }));
        const peers = await Promise.all(echoes.map((echo) => echo.hear<number>()));
        const asks = peers.map((peer) => start({ role: 'ask', peer, tubes: TUBES / pairs }));
        for (const ask of asks) await ask.hear();
        const killer = start({
          role: 'kill',
          peer: peers[0] as number,
          lingd: world.lingd.pid as number,
          after: effort === 'quick' ? 200 : 2000,
        });
        const [killed, works] = await killer.hear<[Moment, Moment]>();
        const backs = await Promise.all([...echoes, ...asks, killer].map((each) => each.hear<Moment>()));
        const flows = (await Promise.all(asks.map((ask) => ask.hear<Flow[]>()))).flat();
        const pauses = flows.flatMap((flow) => flow.pauses);
        const end = Math.max(...pauses.map(([at]) => at), killed);
        const longest = (from: Moment, to: Moment) =>
          Math.max(0, ...pauses.filter(([at]) => at > from && at <= to).map(([, length]) => length));
        return {
          back: Math.max(...backs) - killed,
          tube: works - killed,
          pause: longest(killed, end),
          before: longest(killed - (end - killed), killed),
          lost: flows.reduce((sum, { sent, received }) => sum + sent - received, 0),
        };
      } finally {
        await world.end();
      }
    },
  };
}
