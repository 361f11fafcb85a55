import type { Rival } from '../rival.js';
import { tubeRival } from './tube.js';
import { unixSocket } from './unix-socket.js';

/** Ours first: ratios are the first one's to each of the others. */
export const RIVALS: readonly Rival[] = [tubeRival, unixSocket];
