import { boot, type Domain, type Self } from '../lib/index.js';

let running: Promise<Domain> | undefined;
let users = 0;

/** Runs `body` in a process of a domain that all that run here at the same time share, and that ends with the last. */
export async function inDomain<T>(
  rundir: string,
  body: (self: Self, domain: Domain) => Promise<T>,
): Promise<T> {
  users++;
  running ??= boot({ rundir });
  const booted = running;
  try {
    const domain = await booted;
    return await domain.run((self) => body(self, domain));
  } finally {
    if (--users === 0) {
      running = undefined;
      await (await booted).stop();
    }
  }
}
