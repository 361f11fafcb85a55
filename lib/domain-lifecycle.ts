/**
 * The life of a domain:
 *
 *     starting --STARTED--> running --STOP--> stopping --DONE--> stopped
 *        |  \________________STOP________________^
 *        +--FAILED--> stopped
 */
import { createMachine } from '@xstate/fsm';

export type DomainEvent = { type: 'STARTED' | 'FAILED' | 'STOP' | 'DONE' };
export type DomainStatus = 'starting' | 'running' | 'stopping' | 'stopped';
type DomainTypestate = { value: DomainStatus; context: object };

export const domainLifecycle = createMachine<object, DomainEvent, DomainTypestate>({
  id: 'domain',
  initial: 'starting',
  states: {
    starting: { on: { STARTED: 'running', FAILED: 'stopped', STOP: 'stopping' } },
    running: { on: { STOP: 'stopping' } },
    stopping: { on: { DONE: 'stopped' } },
    stopped: {},
  },
});
