/** Places in source files, as stacks name them: `file:line:column`. */
import { dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where this is built, and what source maps say it was built from. */
export const ROOTS = [dirname(__dirname), dirname(dirname(__dirname))];
const FOREIGN = [
  'node:',
  ...ROOTS.flatMap((root) => ['actors', 'ports', 'lib'].map((layer) => join(root, layer) + sep)),
];

/** Whether a path is of the program's, and not of Node or of this package. */
export function isOfProgram(path: string): boolean {
  return !FOREIGN.some((start) => path.startsWith(start));
}

/** Without the `file:` that names of ES modules begin with. */
export function toPath(place: string): string {
  if (!place.startsWith('file:')) return place;
  const [, url = '', where = ''] = /^(.*?)((?::\d+)*)$/.exec(place) ?? [];
  return fileURLToPath(url) + where;
}
