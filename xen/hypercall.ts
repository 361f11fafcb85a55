/**
 * The hypercalls of lingd: further message types on a domain's Xenstore connection.
 *
 * | type  | name          | request                          | answer                                   |
 * |------:|---------------|----------------------------------|------------------------------------------|
 * | 0x100 | HELLO         | name, 1 to 64 bytes of UTF-8      | domid, secret of 16 bytes; lease         |
 * | 0x101 | GRANT         | peer, page count; a memfd        | the first of as many references          |
 * | 0x102 | MAP           | granter, reference ...           | index of descriptor, page ...; memfds    |
 * | 0x103 | END_ACCESS    | reference ...                    | OK                                       |
 * | 0x104 | ALLOC_CHANNEL | peer                             | port; end of a doorbell                  |
 * | 0x105 | BIND_CHANNEL  | remote domid, remote port        | port; end of a doorbell                  |
 * | 0x106 | CLOSE_CHANNEL | port                             | OK                                       |
 * | 0x107 | RESUME        | domid, its secret                | domid, request id ...: changes made      |
 *
 * Numbers are unsigned 32-bit little-endian; descriptors travel as SCM_RIGHTS with the message's bytes. Header,
 * request ids and errors are Xenstore's (docs/protocol.md).
 */
export const HYPERCALL_HELLO = 0x100;
export const HYPERCALL_GRANT = 0x101;
export const HYPERCALL_MAP = 0x102;
export const HYPERCALL_END_ACCESS = 0x103;
export const HYPERCALL_ALLOC_CHANNEL = 0x104;
export const HYPERCALL_BIND_CHANNEL = 0x105;
export const HYPERCALL_CLOSE_CHANNEL = 0x106;
export const HYPERCALL_RESUME = 0x107;

/** What a domain that comes back after a crash of lingd shows it is by, in bytes. */
export const SECRET_BYTES = 16;

export const MAX_NAME_BYTES = 64;

export function isHypercall(type: number): boolean {
  return type >= HYPERCALL_HELLO && type <= HYPERCALL_RESUME;
}

export function encodeNumbers(...numbers: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(numbers.length * 4);
  numbers.forEach((number, i) => {
    bytes.writeUInt32LE(number, i * 4);
  });
  return bytes;
}

/** The numbers of a payload; undefined when it is no whole number of them. */
export function decodeNumbers(payload: Buffer): number[] | undefined {
  if (payload.length % 4 !== 0) return undefined;
  return Array.from({ length: payload.length / 4 }, (_, i) => payload.readUInt32LE(i * 4));
}
