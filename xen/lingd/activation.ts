/** Sockets that a service manager listens on already, and hands to lingd: sd_listen_fds(3). */
import path from 'node:path';
import { adoptListener } from '../../native/index.js';
import { domainSocket, xenstoreSocket } from '../run-directory.js';

/** Listening sockets, which stay there when lingd ends. */
export interface HandedSockets {
  readonly directory: string;
  readonly socket: number;
  readonly domain: number;
}

export class ActivationError extends Error {
  readonly code = 'ERR_LINGD_ACTIVATION';
}

/** The first of them; the others follow. */
const FIRST_FD = 3;

const PLACES = { socket: xenstoreSocket, domain: domainSocket } as const;
type Role = keyof typeof PLACES;

/**
 * What `env` says is for the process `pid`; undefined when there is nothing for it. That is taken out of `env`, for no
 * program that is started is to take it for its own. A socket is known by its name, `socket` or `domain`, or where it has
 * another one, as systemd gives it from the unit's, by the path that it is bound to. Throws ActivationError, which says
 * what is wrong, unless there are these two in one directory, and nothing else.
 */
export function takeHandedSockets(env: NodeJS.ProcessEnv, pid: number): HandedSockets | undefined {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES } = env;
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete env[name];
  if (LISTEN_PID === undefined || LISTEN_FDS === undefined) return undefined;
  if (wholeNumber('LISTEN_PID', LISTEN_PID) !== pid) return undefined;
  const count = wholeNumber('LISTEN_FDS', LISTEN_FDS);
  if (count === 0) return undefined;
  const names = LISTEN_FDNAMES?.split(':') ?? [];
  if (LISTEN_FDNAMES !== undefined && names.length !== count) {
    throw new ActivationError(`LISTEN_FDNAMES has ${names.length} names for ${count} descriptors`);
  }
  return sort(Array.from({ length: count }, (_, i) => look(FIRST_FD + i, names[i])));
}

interface Handed {
  readonly fd: number;
  readonly role: Role;
  readonly directory: string;
}

function sort(handed: readonly Handed[]): HandedSockets {
  const [socket, domain] = (['socket', 'domain'] as const).map((role) => {
    const [first, ...more] = handed.filter((each) => each.role === role);
    if (!first) throw new ActivationError(`no socket '${role}' was handed over`);
    if (more.length > 0) throw new ActivationError(`more than one socket '${role}' was handed over`);
    return first;
  }) as [Handed, Handed];
  if (socket.directory !== domain.directory) {
    throw new ActivationError(`sockets in two directories: ${socket.directory} and ${domain.directory}`);
  }
  return { directory: socket.directory, socket: socket.fd, domain: domain.fd };
}

function look(fd: number, name: string | undefined): Handed {
  const title = name ? `descriptor ${fd} ('${name}')` : `descriptor ${fd}`;
  const bound = bindingOf(fd, title);
  if (!path.isAbsolute(bound)) throw new ActivationError(`${title} is bound to the relative path ${bound}`);
  const directory = path.dirname(bound);
  const role = name !== undefined && isRole(name) ? name : path.basename(bound);
  if (!isRole(role)) throw new ActivationError(`${title} is neither 'socket' nor 'domain': ${bound}`);
  // Clients look there.
  if (PLACES[role](directory) !== bound)
    throw new ActivationError(`${title} is not bound to a path of that name: ${bound}`);
  return { fd, role, directory };
}

function bindingOf(fd: number, title: string): string {
  try {
    return adoptListener(fd);
  } catch (error) {
    throw new ActivationError(`${title} ${(error as Error).message}`, { cause: error });
  }
}

function isRole(name: string): name is Role {
  return Object.hasOwn(PLACES, name);
}

function wholeNumber(name: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new ActivationError(`${name} is no number: ${text}`);
  return Number(text);
}
