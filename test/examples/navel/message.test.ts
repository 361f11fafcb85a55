import { encodeMessage, parseMessage } from '#examples/navel/message';
import { list } from '#lib/index';

describe('messages', () => {
  test.each([
    ['$iam', 'a'],
    ['$call', 'm', 'f', list(1)],
    ['$call_no_return', 'm', 'f', list()],
    ['$returns', ['badrpc', 'nodedown']],
  ] as const)('%s is read as it was written', (...message) => {
    expect(parseMessage(encodeMessage(message as never))).toEqual(message);
  });

  test.each<[string, Buffer]>([
    ['no term', Buffer.from('nonsense')],
    ['nothing', Buffer.alloc(0)],
    ...[
      ['$iam'],
      ['$iam', 1],
      ['$iam', ''],
      ['$iam', 'a', 'b'],
      ['$call', 'm', 'f'],
      ['$call', 'm', 'f', ['a tuple']],
      ['$call', 1, 'f', list()],
      ['$returns'],
      ['$else', 1],
      'an atom',
    ].map((term) => [JSON.stringify(term), encodeMessage(term as never)] as [string, Buffer]),
  ])('%s is none', (_name, bytes) => {
    expect(() => parseMessage(bytes)).toThrow('expected');
  });
});
