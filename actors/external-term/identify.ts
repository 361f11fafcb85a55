/**
 * Which object an identifier off the wire means: for a living process, port or alias of a runtime in this OS process
 * the very object that it has itself; otherwise a new one, that leads nowhere.
 */
import { Origin, Pid, Port, Reference } from '../identifiers.js';
import { findRuntime } from '../runtime.js';

export function pid(node: string, creation: number, id: number, serial: number): Pid {
  const runtime = findRuntime(node, creation);
  const known = runtime?.findPid(id, serial);
  // A runtime need not use all the numbers that the wire has room for, so what it finds is compared.
  if (known?.id === id && known.serial === serial) return known;
  return new Pid(runtime?.origin ?? foreignOrigin(node, creation), id, serial);
}

export function port(node: string, creation: number, id: number): Port {
  const runtime = findRuntime(node, creation);
  return runtime?.findPort(id) ?? new Port(runtime?.origin ?? foreignOrigin(node, creation), id);
}

export function reference(node: string, creation: number, words: readonly number[]): Reference {
  const runtime = findRuntime(node, creation);
  return (
    runtime?.findReference(words) ?? new Reference(runtime?.origin ?? foreignOrigin(node, creation), words)
  );
}

/** Most messages name one foreign runtime again and again: identifiers that follow each other share its origin. */
let latest = new Origin('nonode@nohost', 0);

function foreignOrigin(node: string, creation: number): Origin {
  if (latest.creation !== creation || latest.node !== node) latest = new Origin(node, creation);
  return latest;
}
