import { ACKNOWLEDGEMENT, messages } from './messages.js';

export const messagePort = messages(
  'MessagePort',
  `two threads of one OS process, which end together; ${ACKNOWLEDGEMENT}`,
  'thread',
);
