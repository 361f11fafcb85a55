/** What two navels say to each other, each a term of Erlang's external format. */
import { binary_to_term, ErlangError, isList, isTuple, type List, term_to_binary } from '../../lib/index.js';
import { ProtocolError } from './chunks.js';

/** The first message of either side: its name. */
export type Iam = ['$iam', node: string];
/** Asks for a function's value; the next one only after the answer. */
export type CallMessage = ['$call', module: string, function: string, args: List];
/** The answer to the one call that is open. */
export type Returns = ['$returns', value: unknown];
export type CallNoReturn = ['$call_no_return', module: string, function: string, args: List];
export type Message = Iam | CallMessage | Returns | CallNoReturn;

/** Raises ErlangError `badarg` or `system_limit`, as term_to_binary does, for what cannot be sent. */
export function encodeMessage(message: Message): Buffer {
  return term_to_binary(message);
}

/** @throws ProtocolError for bytes that are none of the four messages */
export function parseMessage(bytes: Uint8Array): Message {
  const term = decode(bytes);
  if (isTuple(term)) {
    const [tag, first, second, third] = term;
    if (tag === '$iam' && term.length === 2 && isName(first)) return [tag, first];
    if (tag === '$returns' && term.length === 2) return [tag, first];
    const isCall = tag === '$call' || tag === '$call_no_return';
    const isComplete = term.length === 4 && isList(third) && third.tail === undefined;
    if (isCall && isComplete && isName(first) && isName(second)) return [tag, first, second, third];
  }
  throw new ProtocolError('expected $iam, $call, $call_no_return or $returns');
}

function decode(bytes: Uint8Array): unknown {
  try {
    return binary_to_term(bytes);
  } catch (error) {
    if (error instanceof ErlangError)
      throw new ProtocolError(`expected an Erlang term, found none: ${error.message}`);
    throw error;
  }
}

function isName(term: unknown): term is string {
  return typeof term === 'string' && term !== '';
}
