import Table from 'cli-table3';
import type { Outcome } from './master.js';

/** What `--json` prints. Packets and bytes are those of all tubes, seen from the master. */
export interface Figures {
  readonly out: string;
  readonly workers: number;
  readonly workersLost: number;
  readonly reads: number;
  readonly mapped: number;
  readonly readsPerSecond: number;
  readonly packetsSent: number;
  readonly packetsReceived: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly drops: number;
  readonly indexSeconds: number;
  readonly alignSeconds: number;
}

export function toFigures(out: string, workers: number, outcome: Outcome): Figures {
  const { reads, mapped, lost, indexSeconds, alignSeconds, traffic } = outcome;
  const readsPerSecond = Math.round(reads / alignSeconds);
  return {
    out,
    workers,
    workersLost: lost,
    reads,
    mapped,
    readsPerSecond,
    ...traffic,
    indexSeconds: round(indexSeconds),
    alignSeconds: round(alignSeconds),
  };
}

export function toTable(figures: Figures): string {
  const table = new Table({ style: { head: [], border: [] } });
  const both = (sent: number, received: number) => `${count(sent)} sent, ${count(received)} received`;
  const lost = figures.workersLost === 0 ? '' : `, and ${figures.workersLost} that died and were replaced`;
  table.push(
    ['workers', `${figures.workers}${lost}`],
    ['reads', count(figures.reads)],
    ['mapped', `${count(figures.mapped)} (${((100 * figures.mapped) / figures.reads).toFixed(1)} %)`],
    ['reads/s', count(figures.readsPerSecond)],
    ['packets', both(figures.packetsSent, figures.packetsReceived)],
    ['bytes', both(figures.bytesSent, figures.bytesReceived)],
    ['drops', count(figures.drops)],
    ['time', `${figures.indexSeconds} s to start and index, ${figures.alignSeconds} s to align`],
    ['written to', figures.out],
  );
  return table.toString();
}

function count(number: number): string {
  return number.toLocaleString('en-US');
}

function round(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
