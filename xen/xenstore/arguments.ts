/** What a request says in its payload. */
import { XenstoreError } from './errors.js';
import { leadingDomid } from './number.js';
import { onlyString, type Packet, splitStrings } from './wire.js';

/** The one string of a payload, or an error of that code. */
export function onlyArgument({ payload }: Packet, code: string): string {
  const argument = onlyString(payload);
  if (argument === undefined) throw new XenstoreError(code);
  return argument;
}

/** The one string of a payload as a domid; `EINVAL` when it is not one string. */
export function onlyDomid(request: Packet): number {
  return leadingDomid(onlyArgument(request, 'EINVAL'));
}

/** The strings of a payload; `EINVAL` when there are fewer or more. */
export function strings({ payload }: Packet, least: number, most = Number.POSITIVE_INFINITY): string[] {
  const parts = splitStrings(payload);
  if (parts.length < least || parts.length > most) throw new XenstoreError('EINVAL');
  return parts;
}
