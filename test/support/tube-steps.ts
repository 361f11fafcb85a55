export const ROLES = ['opener', 'acceptor'] as const;
export type Role = (typeof ROLES)[number];

/**
 * What each side of a tube says to lingd, from its first word to its last, as stops.js calls it: `(T)` in the transaction,
 * `at 2` when it has written that state. Between opening and closing it needs lingd for nothing.
 */
export const STEPS: Readonly<Record<Role, readonly string[]>> = {
  opener: [
    'READ nock',
    'READ tip',
    'MKDIR tip',
    'MKDIR nock',
    'TRANSACTION_START',
    'MKDIR nock (T)',
    'WRITE nock/tip (T)',
    'WRITE nock/ring (T)',
    'WRITE nock/state 2 (T)',
    'WRITE tip/nock (T)',
    'TRANSACTION_END T',
    'WATCH tip',
    'READ tip/state at 2',
    'READ tip/ring-ref',
    'READ tip/event-channel-tx',
    'READ tip/event-channel-rx',
    'READ tip/ring',
    'MAP 1',
    'MAP 2',
    'BIND_CHANNEL 1',
    'BIND_CHANNEL 2',
    'WRITE nock/state 4',
    'READ tip/state at 4',
    'CLOSE_CHANNEL 1',
    'CLOSE_CHANNEL 2',
    'UNWATCH tip',
    'RM the nocks',
  ],
  acceptor: [
    'READ tip/nock',
    'WRITE tip/state 1',
    'WATCH nock',
    'READ nock/state at 1',
    'READ nock/ring',
    'GRANT 1',
    'ALLOC_CHANNEL 1',
    'ALLOC_CHANNEL 2',
    'TRANSACTION_START',
    'MKDIR tip (T)',
    'WRITE tip/ring-ref (T)',
    'WRITE tip/event-channel-tx (T)',
    'WRITE tip/event-channel-rx (T)',
    'WRITE tip/ring (T)',
    'WRITE tip/state 3 (T)',
    'TRANSACTION_END T',
    'READ nock/state at 3',
    'WRITE tip/state 4',
    'END_ACCESS 1',
    'CLOSE_CHANNEL 1',
    'CLOSE_CHANNEL 2',
    'UNWATCH nock',
    'RM tip',
    "READ the peer's domid",
  ],
};

/** The step by which the other side knows that the tube is there, and may see its end. */
export const CONNECTING: Readonly<Record<Role, string>> = {
  opener: 'WRITE nock/state 4',
  acceptor: 'WRITE tip/state 4',
};
