/** Ends the whole OS process with an input that begins with a byte above 127, as a fault in C++ would. */
export const watches = ['faulty/ending'];
export const seeds = ['x'];
export const dictionary = ['-'];

export function run(input: Buffer): void {
  if (input[0]! > 127) process.kill(process.pid, 'SIGSEGV');
}
