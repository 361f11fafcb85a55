import { boot, type Domain, type Self } from '../lib/index.js';

/** Runs `body` in a process of a domain that is there for it alone. */
export async function inDomain<T>(
  rundir: string,
  body: (self: Self, domain: Domain) => Promise<T>,
): Promise<T> {
  const domain = await boot({ rundir });
  try {
    return await domain.run((self) => body(self, domain));
  } finally {
    await domain.stop();
  }
}
