/** Never comes back from an input that begins with a byte above 127. */
export const watches = ['faulty/endless'];
export const seeds = ['x'];
export const dictionary = ['-'];

export function run(input: Buffer): void {
  while (input[0]! > 127) {}
}
