/** Keeps a little of every input. */
export const watches = ['faulty/hoarding'];
export const seeds = ['x'];
export const dictionary = ['-'];

const hoard: number[][] = [];

export function run(input: Buffer): void {
  hoard.push(new Array(100).fill(input.length));
}
