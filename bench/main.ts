/** `npm run bench`: how fast, how soon, how big; see docs of each question in the file of its name. */
import { aligner } from './aligner.js';
import { benchmark } from './benchmark.js';
import { footprint } from './footprint.js';
import { links } from './links.js';
import { offered } from './offered.js';
import { opening } from './opening.js';
import { portProgram } from './port-program.js';
import { ports } from './ports.js';
import { restart } from './restart.js';
import { roundTrip } from './round-trip.js';
import { SIZES } from './sizes.js';
import { TARGETS } from './targets.js';
import { throughput } from './throughput.js';
import { versions } from './versions.js';

void benchmark({
  name: 'bench',
  description: 'Measures tubes beside what one would use instead, each side in an OS process of its own.',
  questions: [
    throughput,
    links,
    offered,
    roundTrip,
    footprint,
    opening,
    portProgram,
    ports,
    restart,
    aligner,
  ],
  notes: versions(),
  rounds: 3,
  sizes: SIZES,
  targets: TARGETS,
});
