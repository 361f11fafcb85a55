/**
 * Erlang's external term format: terms as bytes and back, byte for byte as OTP 25 writes them.
 *
 * The mapping is the table of term.ts. Where JavaScript and Erlang do not meet by themselves:
 *
 * - `-0` is the integer 0, because integer arithmetic in JavaScript makes it in passing; `new Float(-0)` is -0.0.
 * - An integer too large for a number to hold exactly comes back as a bigint, any other one as a number; a small
 *   bigint is written as the number it equals. A number without a fraction is an integer however large it is.
 * - A float without a fraction comes back as a {@link Float}, any other one as a number.
 * - Atoms come out as strings, save `true` and `false`. Those of Latin-1 are written as ATOM_EXT, as OTP 25 does.
 * - Maps are written in the order of their keys. So does OTP 25 up to 32 keys, and beyond with the option
 *   `deterministic`; without it the order of a larger map hangs on its hash function.
 * - Funs are not written and not read, nor are bitstrings whose size is no multiple of 8: no value stands for them.
 */
export { binary_to_term } from './external-term/decode.js';
export { term_to_binary } from './external-term/encode.js';
