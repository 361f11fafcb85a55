import type { AnyMessage, Pid, Port, Reference } from './identifiers.js';
import { isTuple } from './term.js';

export type NameOnNode = readonly [name: string, node: string];

/**
 * Whom a message can be sent to: a process, a port, an alias, a name here, a name on a node. Names are looked up
 * when the message is sent. `M` is what may be sent there; of ports and names nothing is known.
 */
export type Destination<M = AnyMessage> = Pid<M> | Port | Reference<M> | string | NameOnNode;

export function isNameOnNode(term: unknown): term is NameOnNode {
  return isTuple(term) && term.length === 2 && typeof term[0] === 'string' && typeof term[1] === 'string';
}
