import { ACKNOWLEDGEMENT, messages } from './messages.js';

export const childProcess = messages(
  'child_process',
  `a parent and its child, advanced serialization; ${ACKNOWLEDGEMENT}`,
  'child',
);
