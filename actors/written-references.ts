import type { Reference } from './identifiers.js';

/**
 * The references of a runtime that have been written out as bytes: read again, the bytes are to mean the very
 * object, by which the answer to a question is known. It lasts as long as somebody has that object.
 */
export class WrittenReferences {
  private readonly references = new Map<string, WeakRef<Reference>>();
  private readonly registry = new FinalizationRegistry<string>((key) => this.references.delete(key));

  add(ref: Reference): void {
    const key = ref.words.join('.');
    if (this.references.has(key)) return;
    this.references.set(key, new WeakRef(ref));
    this.registry.register(ref, key);
  }

  find(words: readonly number[]): Reference | undefined {
    return this.references.get(words.join('.'))?.deref();
  }
}
