/**
 * The life of a port:
 *
 *     open --CLOSE--> closing --DONE--> closed
 *
 * A port that is to be closed while its driver runs stays `closing` until that callback has returned. One whose
 * driver does not start is DONE at once.
 */
import { createMachine } from '@xstate/fsm';

export type PortEvent = { type: 'CLOSE' } | { type: 'DONE' };
type PortTypestate = { value: 'open' | 'closing' | 'closed'; context: object };

export const portLifecycle = createMachine<object, PortEvent, PortTypestate>({
  id: 'port',
  initial: 'open',
  states: {
    open: { on: { CLOSE: 'closing', DONE: 'closed' } },
    closing: { on: { DONE: 'closed' } },
    closed: {},
  },
});
