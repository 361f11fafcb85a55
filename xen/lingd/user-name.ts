/** What the operating system calls its users. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';

/** No user has that id: it stands for "none". */
const NO_UID = 0xffff_ffff;
/** How long a directory service may take to say who somebody is, in milliseconds. */
const PATIENCE = 5000;

/** The id of a user, by name or as decimal digits; undefined when there is no such user. */
export function uidOf(name: string): number | undefined {
  return toUid(name) ?? listedUid(name) ?? toUid(askForUid(name));
}

function toUid(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) && Number(text) < NO_UID ? Number(text) : undefined;
}

function listedUid(name: string): number | undefined {
  const lines = fs.readFileSync('/etc/passwd', 'utf8').split('\n');
  const [, , uid] = lines.map((line) => line.split(':')).find(([listed]) => listed === name) ?? [];
  return uid === undefined ? undefined : toUid(uid);
}

/** A program, since other services may know users too, and only the C library knows them. */
function askForUid(name: string): string {
  try {
    return execFileSync('id', ['-u', '--', name], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: PATIENCE,
    }).trim();
  } catch {
    return '';
  }
}
