/** Which tests a file has, by their titles, without running it. */
import { parseSync } from '@swc/core';

/** The titles of a test and of what it is in, outermost first, as they are written: with `%s`, `$name` and `${...}`. */
export type TitlePath = readonly string[];

/** Of all tests of a file with this content. */
export function testTitles(source: string): TitlePath[] {
  const found: TitlePath[] = [];
  collect(parseSync(source, { syntax: 'typescript', target: 'es2022' }), [], found);
  return found;
}

/** What stands for an expression in a template. */
const EMBEDDED = '$' + '{}';

type Node = Readonly<Record<string, unknown>> & { readonly type?: unknown };

function collect(node: unknown, above: TitlePath, found: TitlePath[]): void {
  if (typeof node !== 'object' || node === null) return;
  const call = titleOf(node as Node);
  const path = call === undefined ? above : [...above, call.title];
  if (call?.isTest) found.push(path);
  for (const child of Object.values(node)) collect(child, path, found);
}

/** Where it calls `test`, `it` or `describe`, or what their `each` has made. */
function titleOf({ type, callee, arguments: given }: Node): { title: string; isTest: boolean } | undefined {
  if (type !== 'CallExpression') return undefined;
  const called = calledName(callee as Node);
  const title = text((given as { expression: Node }[])[0]?.expression);
  if (title === undefined || !['test', 'it', 'describe'].includes(called)) return undefined;
  return { title, isTest: called !== 'describe' };
}

/** `test` of `test`, `test.each` and `test.each(...)`. */
function calledName(callee: Node): string {
  if (callee.type === 'CallExpression') return calledName(callee.callee as Node);
  if (callee.type === 'MemberExpression') return calledName(callee.object as Node);
  return callee.type === 'Identifier' ? (callee.value as string) : '';
}

function text(node: Node | undefined): string | undefined {
  if (node?.type === 'StringLiteral') return node.value as string;
  if (node?.type !== 'TemplateLiteral') return undefined;
  return (node.quasis as { cooked: string }[]).map(({ cooked }) => cooked).join(EMBEDDED);
}

const PLACEHOLDER = /%(?:\.\d+)?[sijpdof]|\$\w+|\$\{\}/g;

/**
 * Whether a title stands for this name of a test: what the name has in the place of each placeholder is to be found in
 * the file, among the cases.
 */
export function isNamed(title: string, name: string, source: string): boolean {
  const parts = title.split(PLACEHOLDER).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const match = new RegExp(`^${parts.join('(.+?)')}$`, 's').exec(name);
  return match?.slice(1).every((filled) => source.includes(filled)) ?? false;
}
