/** The external term format's numbers (Erlang manual, ERTS, "External Term Format"). */

export const VERSION = 131;

export const NEW_FLOAT_EXT = 70;
export const BIT_BINARY_EXT = 77;
export const COMPRESSED = 80;
export const NEW_PID_EXT = 88;
export const NEW_PORT_EXT = 89;
export const NEWER_REFERENCE_EXT = 90;
export const SMALL_INTEGER_EXT = 97;
export const INTEGER_EXT = 98;
export const FLOAT_EXT = 99;
export const ATOM_EXT = 100;
export const REFERENCE_EXT = 101;
export const PORT_EXT = 102;
export const PID_EXT = 103;
export const SMALL_TUPLE_EXT = 104;
export const LARGE_TUPLE_EXT = 105;
export const NIL_EXT = 106;
export const STRING_EXT = 107;
export const LIST_EXT = 108;
export const BINARY_EXT = 109;
export const SMALL_BIG_EXT = 110;
export const LARGE_BIG_EXT = 111;
export const NEW_FUN_EXT = 112;
export const EXPORT_EXT = 113;
export const NEW_REFERENCE_EXT = 114;
export const SMALL_ATOM_EXT = 115;
export const MAP_EXT = 116;
export const FUN_EXT = 117;
export const ATOM_UTF8_EXT = 118;
export const SMALL_ATOM_UTF8_EXT = 119;
export const V4_PORT_EXT = 120;

/** Tags that a peer may well send and that no value here stands for, for messages that name them. */
export const UNREADABLE: ReadonlyMap<number, string> = new Map([
  [NEW_FUN_EXT, 'a fun (NEW_FUN_EXT)'],
  [EXPORT_EXT, 'a fun (EXPORT_EXT)'],
  [FUN_EXT, 'a fun (FUN_EXT)'],
  [68, 'a distribution header'],
  [82, 'an atom of a distribution header (ATOM_CACHE_REF)'],
  [121, 'a term of another runtime alone (LOCAL_EXT)'],
]);

/** Characters (code points, not bytes) that an atom can have. */
export const MAX_ATOM_CHARACTERS = 255;

/** Elements that a tuple can have. */
export const MAX_ARITY = 0xff_ffff;

/** Port ids from here on need 64 bits on the wire. */
export const FIRST_V4_PORT = 2 ** 28;

/** 32-bit words that a reference can have. */
export const MAX_REFERENCE_WORDS = 5;

/** The first word of a reference in one of the old forms is below this. */
export const FIRST_OLD_WORD = 2 ** 18;

/**
 * How deeply terms may nest, both ways. The codec recurses; this keeps it well inside the stack, wherever it is
 * called from, and makes a cyclic value an error. A list is one level however long it is.
 */
export const MAX_DEPTH = 512;
