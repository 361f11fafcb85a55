import type { Rival } from '../rival.js';
import { lingTubes } from './ling-tubes.js';
import { nact } from './nact.js';
import { promises } from './promises.js';

/** In JavaScript; ours first: ratios are the first one's to each of the others. */
export const RIVALS: readonly Rival[] = [lingTubes, nact, promises];
