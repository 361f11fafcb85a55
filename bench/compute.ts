/** Holds up the event loop for so many milliseconds, as a long callback does. */
export function compute(milliseconds: number): void {
  for (const end = performance.now() + milliseconds; performance.now() < end; );
}
