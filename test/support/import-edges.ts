/** Which file of a TypeScript program imports what, in whatever way it is written. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseSync } from '@swc/core';

export interface ImportEdge {
  /** Relative to the root of the package. */
  readonly file: string;
  /** As it is written. */
  readonly specifier: string;
  /** Relative to the root of the package; undefined for other packages and Node's own modules. */
  readonly target: string | undefined;
}

/** Stands for the specifier of an import that is only known when the program runs. */
export const COMPUTED = '(computed)';

const ROOT = path.join(__dirname, '../..');

interface Manifest {
  readonly name: string;
  readonly main: string;
  readonly imports: Readonly<Record<string, string>>;
}

const manifest: Manifest = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));

/** The edges of a file with this name (relative to the root) and content. */
export function importEdges(file: string, source: string): ImportEdge[] {
  const specifiers: string[] = [];
  collect(parseSync(source, { syntax: 'typescript', target: 'es2022' }), specifiers);
  return specifiers.map((specifier) => ({ file, specifier, target: resolve(file, specifier) }));
}

/** Goes through the whole tree, as import types and calls of require may be anywhere in it. */
function collect(node: unknown, found: string[]): void {
  if (typeof node !== 'object' || node === null) return;
  const specifier = specifierOf(node as Node);
  if (specifier !== undefined) found.push(specifier);
  for (const child of Object.values(node)) collect(child, found);
}

type Node = Readonly<Record<string, unknown>> & { readonly type?: unknown };

function specifierOf(node: Node): string | undefined {
  switch (node.type) {
    case 'ImportDeclaration':
    case 'ExportAllDeclaration':
    case 'ExportNamedDeclaration':
      return node.source ? text(node.source) : undefined;
    case 'TsExternalModuleReference':
      return text(node.expression);
    case 'TsImportType':
      return text(node.argument);
    case 'CallExpression': {
      const [first] = node.arguments as { expression: unknown }[];
      return isImporter(node.callee as Node) ? text(first?.expression) : undefined;
    }
    default:
      return undefined;
  }
}

/** `import(...)`, `require(...)`, `require.resolve(...)`. */
function isImporter(callee: Node): boolean {
  if (callee.type === 'Import') return true;
  if (callee.type === 'MemberExpression') return isImporter(callee.object as Node);
  return callee.type === 'Identifier' && callee.value === 'require';
}

function text(node: unknown): string {
  const { type, value } = (node ?? {}) as Node;
  return type === 'StringLiteral' ? (value as string) : COMPUTED;
}

function resolve(file: string, specifier: string): string | undefined {
  if (specifier.startsWith('.')) return withoutDist(path.posix.join(path.posix.dirname(file), specifier));
  if (path.isAbsolute(specifier)) return path.relative(ROOT, specifier);
  if (specifier === manifest.name || specifier.startsWith(`${manifest.name}/`))
    return withoutDist(manifest.main);
  for (const [pattern, target] of Object.entries(manifest.imports)) {
    const [start = '', end] = pattern.split('*');
    if (end === undefined ? specifier === pattern : specifier.startsWith(start)) {
      return withoutDist(target.replace('*', specifier.slice(start.length)));
    }
  }
  return undefined;
}

/** A source and what is made of it are one. */
function withoutDist(file: string): string {
  return path.posix.normalize(file).replace(/^dist\//, '');
}
