/** `npm run bench:actors`: our processes beside those of Erlang and others; see docs/performance.md. */
import { call, flood, pingPong, ring, select, spawn } from './actors/operations.js';
import { idle, million } from './actors/population.js';
import { NOTES } from './actors/sides.js';
import { benchmark } from './benchmark.js';

void benchmark({
  name: 'bench:actors',
  description:
    'Measures processes beside those of real Erlang and what else there is, each side in an OS process of its own.',
  questions: [pingPong, flood, spawn, ring, select, call, idle, million],
  notes: NOTES,
  rounds: 5,
});
