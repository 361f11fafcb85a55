/** Wrong with inputs that begin with four letters, which have to be found one by one. */
export const watches = ['faulty/deep'];
export const seeds = ['x'];
export const dictionary = ['-'];

export function run(input: Buffer): void {
  let depth = 0;
  if (input[0] === 0x64) depth++;
  if (depth === 1 && input[1] === 0x65) depth++;
  if (depth === 2 && input[2] === 0x65) depth++;
  if (depth === 3 && input[3] === 0x70) throw new Error('too deep');
}
