/**
 * The life of a port:
 *
 *     open --CLOSE--> closing --FLUSH--> flushing --DONE--> closed
 *                        |                                    ^
 *                        +----------------DONE----------------+
 *
 * A port that is to be closed while its driver runs stays `closing` until that callback has returned. Then everybody is
 * told that it has ended; when its driver's queue is not empty, the driver goes on `flushing` it all the same. A port
 * whose driver does not start is DONE at once.
 */
import { createMachine } from '@xstate/fsm';

export type PortEvent = { type: 'CLOSE' } | { type: 'FLUSH' } | { type: 'DONE' };
type PortTypestate = { value: 'open' | 'closing' | 'flushing' | 'closed'; context: object };

export const portLifecycle = createMachine<object, PortEvent, PortTypestate>({
  id: 'port',
  initial: 'open',
  states: {
    open: { on: { CLOSE: 'closing', DONE: 'closed' } },
    closing: { on: { FLUSH: 'flushing', DONE: 'closed' } },
    flushing: { on: { DONE: 'closed' } },
    closed: {},
  },
});
