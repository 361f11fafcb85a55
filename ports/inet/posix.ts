/** Errors of Node as Erlang calls them. */
const NAMES: Readonly<Record<string, string>> = {
  ENOTFOUND: 'nxdomain',
  EAI_AGAIN: 'try_again',
  EAI_FAIL: 'no_recovery',
  ERR_SOCKET_BAD_PORT: 'einval',
  ERR_SOCKET_DGRAM_NOT_RUNNING: 'closed',
  ERR_STREAM_DESTROYED: 'closed',
  ERR_STREAM_WRITE_AFTER_END: 'closed',
  ERR_INVALID_ARG_TYPE: 'einval',
};

export function posix(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (typeof code !== 'string') return 'einval';
  return NAMES[code] ?? (code.startsWith('ERR_') ? 'einval' : code.toLowerCase());
}
