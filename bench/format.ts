/** Numbers as people read them, three significant digits. */
export function count(value: number): string {
  return scaled(value, ['', 'k', 'M', 'G']);
}

export function perSecond(value: number): string {
  return `${count(value)}/s`;
}

export function bytesPerSecond(value: number): string {
  return scaled(value, [' B/s', ' kB/s', ' MB/s', ' GB/s']);
}

export function nanoseconds(value: number): string {
  return scaled(value, [' ns', ' us', ' ms', ' s']);
}

/** Of something small, in full. */
export function bytes(value: number): string {
  return `${Math.round(value)} B`;
}

/** In MiB, as memory is meant. */
export function mebibytes(value: number): string {
  return `${(value / 1024 / 1024).toFixed(1)} MiB`;
}

/** The same, in KiB where it is less. */
export function memory(value: number): string {
  return value < 1024 * 1024 ? `${(value / 1024).toFixed(1)} KiB` : mebibytes(value);
}

export function whole(value: number): string {
  return String(Math.round(value));
}

function scaled(value: number, units: readonly string[]): string {
  let rest = value;
  let unit = 0;
  for (; rest >= 1000 && unit < units.length - 1; unit++) rest /= 1000;
  const digits = Number.isInteger(rest) || rest >= 100 ? 0 : rest >= 10 ? 1 : 2;
  return rest.toFixed(digits) + units[unit];
}
