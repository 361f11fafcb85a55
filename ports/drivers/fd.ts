import { badarg } from '../../actors/errors.js';
import type { Driver, DriverPort } from '../driver.js';
import type { PortOptions } from '../port-options.js';
import { Descriptors, type Ends } from './descriptors.js';
import { unblock } from './unblocked.js';

/**
 * Descriptors that are open: `{fd, In, Out}`. They stay open when the port closes. While it is open they do not block,
 * for whoever else uses them either.
 */
export const fdDriver: Driver = {
  name: 'fd',
  options: ['busy_limits_port'],
  start(port, _command, options) {
    if (options.fds === undefined) throw badarg('descriptors are opened as {fd, In, Out}');
    const [input, output] = options.fds;
    const ends = { input: options.in ? input : undefined, output: options.out ? output : undefined };
    const restore = unblockAll([ends.input, ends.output]);
    try {
      return new OpenDescriptors(port, options, ends, restore);
    } catch (error) {
      restore();
      throw error;
    }
  },
};

class OpenDescriptors extends Descriptors {
  constructor(
    port: DriverPort,
    options: PortOptions,
    ends: Ends,
    readonly emergency_close: () => void,
  ) {
    super(port, options, ends);
  }

  override stop(): void {
    super.stop();
    this.emergency_close();
  }
}

/** Answers what undoes it: others, as the shell that has started this OS process, go on using them. */
function unblockAll(fds: readonly (number | undefined)[]): () => void {
  const undo: (() => void)[] = [];
  const undoAll = (): void => {
    for (const each of undo.splice(0)) each();
  };
  try {
    for (const fd of fds) if (fd !== undefined) undo.push(unblock(fd));
  } catch (error) {
    undoAll();
    throw error;
  }
  return undoAll;
}
