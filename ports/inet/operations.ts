/**
 * What gen_tcp, gen_udp and inet ask their drivers, by port_call. The answer is `ok`, `{ok, Value}` or `{error, Reason}`.
 *
 * Those that may wait are called with `{Ref, Argument, Timeout}` (a timeout in milliseconds, or infinity) and answer
 * `ok` at once; then `{inet_async, Socket, Ref, Answer}` comes to the caller, at the latest when the socket is closed.
 * Data are sent by port_command; the answer is a message `{inet_reply, Socket, Answer}`.
 */
export const SETOPTS = 1;
export const GETOPTS = 2;
export const SOCKNAME = 3;
export const PEERNAME = 4;
export const SHUTDOWN = 5;
/** These wait. */
export const OPEN = 10;
export const CONNECT = 11;
export const ACCEPT = 12;
export const RECV = 13;
export const SEND_TO = 14;

export type Answer = 'ok' | readonly ['ok', unknown] | readonly ['error', string];
export const error = (reason: string): Answer => ['error', reason];
