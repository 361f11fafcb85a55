/** `npm run bench`: how fast, how soon, how big; see docs of each question in the file of its name. */
import { benchmark } from './benchmark.js';
import { footprint } from './footprint.js';
import { portProgram } from './port-program.js';
import { ports } from './ports.js';
import { restart } from './restart.js';
import { roundTrip } from './round-trip.js';
import { throughput } from './throughput.js';

void benchmark(
  'bench',
  'Measures tubes beside what one would use instead, each side in an OS process of its own.',
  [throughput, roundTrip, footprint, portProgram, ports, restart],
);
