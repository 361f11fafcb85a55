/** Terms, guards and errors: what can be called outside of any process. */
import * as ling from '#lib/index';
import { ALL, allBut, BYTES, type Kind, TEXTS } from './nonsense';
import { alone, any, arg, ofClass, type Row } from './rows';

const EXPORTS: Readonly<Record<string, unknown>> = ling;
const anyTerm = (name: string) => any(name, () => 'x', ALL);
const NUMBERS = ['negative', 'fraction', 'NaN', 'infinite', 'beyond integers'] as const;
const TERMS: readonly Kind[] = [
  ...(['true', ...TEXTS.slice(0, 2), 'negative', 'fraction', 'beyond integers', 'bigint', 'map'] as const),
  ...(['array', 'array in array', 'far pid', 'dead pid', 'closed port', 'reference', ...BYTES] as const),
];

export const TERM_ROWS: readonly Row[] = [
  alone('term_to_binary', ling.term_to_binary, [
    arg('term', () => ['x'], /^ErlangError: (badarg|system_limit|term_to_binary).*the term/, TERMS),
  ]),
  alone('binary_to_term', ling.binary_to_term, [
    arg('binary', () => ling.term_to_binary('x'), /^ErlangError: (badarg: )?binary_to_term: .*at byte 0/),
  ]),
  alone('list', ling.list, [anyTerm('item')]),
  alone('ok', ling.ok, [arg('result', () => ['ok', 1], /^ErlangError: .*badmatch/)]),
  ofClass('Float', ling.Float, [
    arg('value', () => 1, /^TypeError: the value of a Float has to be a number/, NUMBERS),
  ]),
  ...(['ErlangError', 'ErlangExit', 'ErlangThrow', 'ProcessExit'] as const).map((name) =>
    ofClass(name, EXPORTS[name], [anyTerm('reason')]),
  ),
  ...(['formatReason', 'exitReason', 'is_pid', 'is_port', 'is_reference', 'isList', 'isTuple'] as const).map(
    (name) => alone(name, EXPORTS[name], [anyTerm('term')]),
  ),
  ...(
    ['isDown', 'isExit', 'isTimeout', 'isTagged', 'isData', 'isEof', 'isClosed', 'isExitStatus'] as const
  ).map((name) =>
    alone(name, guarding(EXPORTS[name]), [anyTerm('of'), any('message', () => ['x'], allBut())]),
  ),
  alone('tube.isData', guarding(ling.tube.isData), [anyTerm('of'), anyTerm('message')]),
];

/** A guard is made of something, and then asked about a message: it says yes or no. */
function guarding(make: unknown): (of: unknown, message: unknown) => unknown {
  return (of, message) => {
    const answer = (make as (of: unknown) => (message: unknown) => unknown)(of)(message);
    expect(typeof answer).toBe('boolean');
    return answer;
  };
}
