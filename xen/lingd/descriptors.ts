import { closeFd } from '../../native/index.js';

/** Makes all of the descriptors or none: when one cannot be made, those before it are closed. */
export function makeDescriptors(makers: readonly (() => number)[]): number[] {
  const made: number[] = [];
  try {
    for (const make of makers) made.push(make());
    return made;
  } catch (error) {
    made.forEach(closeFd);
    throw error;
  }
}

/** Whether a call has failed with that code because lingd, or the system, has no more descriptors. */
export function isOutOfDescriptors(code: string | undefined): boolean {
  return code === 'EMFILE' || code === 'ENFILE';
}
