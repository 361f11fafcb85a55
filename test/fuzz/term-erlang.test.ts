/** What the fuzzer has found to reach every corner of binary_to_term, as the Erlang that is installed sees it. */
import { ErlangError } from '#actors/errors';
import { binary_to_term, term_to_binary } from '#actors/external-term';
import { ErlangOracle } from '../fixtures/external-term/oracle';
import { readCorpus } from './corpus';

/** For what only ours refuses: the documentation of binary_to_term. */
const DOCUMENTED =
  /more bytes after the term|nested deeper than 512|a fun \(|a bitstring of other than whole bytes|a reference of 0 words/;

let erl: ErlangOracle;

beforeAll(() => {
  erl = new ErlangOracle();
});
afterAll(() => erl.stop());

function read(bytes: Buffer): { written?: string; refusal?: string } {
  try {
    return { written: term_to_binary(binary_to_term(bytes)).toString('hex') };
  } catch (error) {
    if (!(error instanceof ErlangError)) throw error;
    return { refusal: error.message };
  }
}

test('the same are terms, and the same terms', async () => {
  const different: unknown[] = [];
  let terms = 0;
  for (const input of readCorpus('term')) {
    const { written, refusal } = read(input);
    const theirs = await erl.againSorted(input);
    if (written !== undefined) terms++;
    const isSame =
      written === undefined ? theirs === 'badarg' || DOCUMENTED.test(refusal!) : theirs === written;
    if (!isSame) different.push({ input: input.toString('hex'), written, refusal, theirs });
  }
  expect(different).toEqual([]);
  expect(terms).toBeGreaterThan(10);
});
