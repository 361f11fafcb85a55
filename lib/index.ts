/** ling-tubes: Erlang processes, Erlang ports and LING's tubes for Node.js. */
export { Crash, type CrashKind } from '../actors/crash.js';
export type { Destination, NameOnNode } from '../actors/destination.js';
export { ErlangError, ErlangExit, ErlangThrow, exitReason, ProcessExit } from '../actors/errors.js';
export { binary_to_term, term_to_binary } from '../actors/external-term.js';
export { formatReason } from '../actors/format.js';
export { is_pid, is_port, is_reference, Pid, Port, Reference } from '../actors/identifiers.js';
export {
  type DownMessage,
  type ExitMessage,
  isDown,
  isExit,
  isTagged,
  isTimeout,
  type TimeoutMessage,
} from '../actors/messages.js';
export type { Timeout } from '../actors/process.js';
export type { Reason } from '../actors/signal.js';
export { Float, isList, isTuple, List, list, type Term } from '../actors/term.js';
export {
  type AsyncJob,
  type BusyLimits,
  type Driver,
  type DriverInstance,
  type DriverMonitor,
  type DriverPort,
  ERL_DRV_READ,
  ERL_DRV_USE,
  ERL_DRV_USE_NO_CALLBACK,
  ERL_DRV_WRITE,
  PORT_CONTROL_FLAG_BINARY,
  type PosixError,
} from '../ports/driver.js';
export type { IoData } from '../ports/iodata.js';
export type { PortOptions } from '../ports/port-options.js';
export type { Bytes, PortInfo, PortName, PortOption, Self } from '../ports/self.js';
export type { Domid } from '../xen/hypervisor.js';
export { RunDirectoryError } from '../xen/run-directory.js';
export { LingdStartError } from '../xen/start-lingd.js';
export { type BootOptions, boot, Domain, type DomainEvents, OptionError } from './domain.js';
export * as gen_server from './gen-server.js';
export * as gen_statem from './gen-statem.js';
export * as gen_tcp from './gen-tcp.js';
export * as gen_udp from './gen-udp.js';
export * as inet from './inet.js';
export {
  type DataMessage,
  type ExitStatusMessage,
  isClosed,
  isData,
  isEof,
  isExitStatus,
} from './port-messages.js';
export * as proc_lib from './proc-lib.js';
export { type Done, ok, type Result } from './result.js';
export * as supervisor from './supervisor.js';
export * as sys from './sys.js';
export * as timer from './timer.js';
export type {
  CanSendMessage,
  OpenOption,
  Ring,
  Tube,
  TubeInfo,
  TubeMessage,
  TubeOption,
  TubePassiveMessage,
} from './tube.js';
export * as tube from './tube.js';
export * as xenstore from './xenstore.js';

// The compiler exports getters, on an object that the engine looks names up in: for callers that `require` this, a
// guard as small as isTuple would cost several times what it does as a plain property.
module.exports = { ...module.exports };
