import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { XenstoreServer } from '#xen/xenstore/server';
import { typeName } from './recorded-case';

/** A connection, a request, and what every connection got by it. */
type Step = [
  connection: string,
  type: number,
  txId: number,
  payload: string,
  got: Readonly<Record<string, readonly [type: number, txId: number, payload: string][]>>,
];

interface AskedCase {
  readonly id: string;
  /** In order of arrival: s1 is a socket of domain 0, dom5 a domain. */
  readonly conns: readonly string[];
  readonly steps: readonly Step[];
}

/**
 * What Xen's own C xenstored 4.17.7 answered where the recorded cases leave it open: their neighbours, and forty
 * random histories of two or three connections with transactions and watches. Asked again of this server.
 */
const FILE = join(__dirname, '../../fixtures/xenstore/xenstored-4.17-c-asked.jsonl');
const CASES: AskedCase[] = readFileSync(FILE, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line));

test.each(CASES.map((asked) => [asked.id, asked] as const))(
  'as xenstored answers: %s',
  (_, { conns, steps }) => {
    const server = new XenstoreServer({ domainExists: (domid) => domid >= 5 && domid <= 7 });
    // The recording had one tool more, which was there first.
    server.connect({ domid: 0, privileged: true, send: () => {} });
    const got = new Map<string, string[]>();
    const connections = new Map(conns.map((name) => [name, connect(server, name, got)]));
    const generations = new Map<string, string>();
    for (const [index, [name, type, txId, payload, expected]] of steps.entries()) {
      connections.get(name)!.handle({ type, reqId: 7, txId, payload: Buffer.from(payload, 'latin1') });
      const seen = conns.map((each) => [each, got.get(each)!.splice(0)] as const);
      const sought = conns.map((each) => [
        each,
        (expected[each] ?? []).map((packet, at) => {
          const own = seen.find(([other]) => other === each)?.[1][at];
          return withGeneration(generations, packet, own);
        }),
      ]);
      expect([index, ...seen]).toEqual([index, ...sought]);
    }
    expect(new Set(generations.values()).size).toBe(generations.size);
  },
);

function connect(server: XenstoreServer, name: string, got: Map<string, string[]>) {
  const domid = name.startsWith('dom') ? Number(name.slice(3)) : 0;
  if (domid !== 0) {
    server.introduce(domid);
    server.mkdir(`/local/domain/${domid}`);
    server.setPerms(`/local/domain/${domid}`, [`n${domid}`]);
  }
  const received: string[] = [];
  got.set(name, received);
  return server.connect({
    domid,
    privileged: domid === 0,
    send: ({ type, txId, payload }) => received.push(show(type, txId, payload.toString('latin1'))),
  });
}

/** Generations are any numbers, but each of the recorded ones has to be one of ours. */
function withGeneration(
  generations: Map<string, string>,
  [type, txId, payload]: readonly [number, number, string],
  own: string | undefined,
): string {
  if (typeName(type) !== 'DIRECTORY_PART' || own === undefined) return show(type, txId, payload);
  const [recorded, ...rest] = payload.split('\0');
  const generation = generations.get(recorded!) ?? /"(\d+)/.exec(own)?.[1] ?? '';
  generations.set(recorded!, generation);
  return show(type, txId, [generation, ...rest].join('\0'));
}

function show(type: number, txId: number, payload: string): string {
  return `${typeName(type)} ${txId} ${JSON.stringify(payload)}`;
}
