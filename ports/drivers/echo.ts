import type { Driver } from '../driver.js';

/** LING's echo driver: everything it is sent comes back to the owner. port_control answers its data. */
export const echoDriver: Driver = {
  name: 'echo',
  hidesNoProgram: true,
  binaryControl: true,
  start: (port) => ({
    // A copy, as the data stay the sender's.
    output: (data) => port.output(Buffer.from(data)),
    control: (_operation, data) => Buffer.from(data),
  }),
};
