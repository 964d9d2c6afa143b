// SPDX-License-Identifier: Apache-2.0
/** HPACK against the examples of RFC 7541 appendix C, late joiners and hostile blocks. */
import {describe, expect, it} from 'vitest';
import {decodeHuffman, type HeaderField, HpackDecoder, HpackError} from '../../../src/protocol/hpack.js';
import {random} from './random.js';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

const GET_FIRST: HeaderField[] = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'www.example.com'],
];
const GET_SECOND: HeaderField[] = [...GET_FIRST, ['cache-control', 'no-cache']];
const GET_THIRD: HeaderField[] = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':path', '/index.html'],
  [':authority', 'www.example.com'],
  ['custom-key', 'custom-value'],
];
const response = (status: string, second: string): HeaderField[] => [
  [':status', status],
  ['cache-control', 'private'],
  ['date', `Mon, 21 Oct 2013 20:13:${second} GMT`],
  ['location', 'https://www.example.com'],
];
const LAST_RESPONSE: HeaderField[] = [
  ...response('200', '22'),
  ['content-encoding', 'gzip'],
  ['set-cookie', 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'],
];

describe('RFC 7541 appendix C', () => {
  it('C.2.1 decodes a literal with indexing', () => {
    const decoder = new HpackDecoder();
    expect(decoder.decode(hex('400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572'))).toEqual([
      ['custom-key', 'custom-header'],
    ]);
    expect(decoder.tableSize).toBe(55);
  });

  it('C.2.2 and C.2.3 keep literals without indexing and never indexed out of the table', () => {
    const decoder = new HpackDecoder();
    expect(decoder.decode(hex('040c 2f73 616d 706c 652f 7061 7468'))).toEqual([[':path', '/sample/path']]);
    expect(decoder.decode(hex('1008 7061 7373 776f 7264 0673 6563 7265 74'))).toEqual([
      ['password', 'secret'],
    ]);
    expect(decoder.table).toEqual([]);
  });

  it('C.3 decodes three requests on one connection', () => {
    const decoder = new HpackDecoder();
    expect(decoder.decode(hex('8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d'))).toEqual(GET_FIRST);
    expect(decoder.decode(hex('8286 84be 5808 6e6f 2d63 6163 6865'))).toEqual(GET_SECOND);
    expect(
      decoder.decode(hex('8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65')),
    ).toEqual(GET_THIRD);
    expect(decoder.tableSize).toBe(164);
  });

  it('C.4 decodes the same with Huffman codes', () => {
    const decoder = new HpackDecoder();
    expect(decoder.decode(hex('8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff'))).toEqual(GET_FIRST);
    expect(decoder.decode(hex('8286 84be 5886 a8eb 1064 9cbf'))).toEqual(GET_SECOND);
    expect(decoder.decode(hex('8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf'))).toEqual(
      GET_THIRD,
    );
    expect(decoder.table[0]).toEqual(['custom-key', 'custom-value']);
    expect(decoder.tableSize).toBe(164);
  });

  it('C.5 evicts entries from a table of 256 bytes', () => {
    const decoder = new HpackDecoder();
    decoder.decode(hex('3fe1 01'));
    expect(
      decoder.decode(
        hex(
          `4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133
          2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70
          6c65 2e63 6f6d`.replace(/\s/g, ''),
        ),
      ),
    ).toEqual(response('302', '21'));
    expect(decoder.decode(hex('4803 3330 37c1 c0bf'))).toEqual(response('307', '21'));
    expect(
      decoder.decode(
        hex(
          `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d
          54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049
          5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e
          3d31`.replace(/\s/g, ''),
        ),
      ),
    ).toEqual(LAST_RESPONSE);
    expect(decoder.tableSize).toBe(215);
  });

  it('C.6 does so with Huffman codes', () => {
    const decoder = new HpackDecoder();
    decoder.decode(hex('3fe1 01'));
    expect(
      decoder.decode(
        hex(
          `4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6
          2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3`.replace(/\s/g, ''),
        ),
      ),
    ).toEqual(response('302', '21'));
    expect(decoder.decode(hex('4883 640e ffc1 c0bf'))).toEqual(response('307', '21'));
    expect(
      decoder.decode(
        hex(
          `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab
          77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f
          9587 3160 65c0 03ed 4ee5 b106 3d50 07`.replace(/\s/g, ''),
        ),
      ),
    ).toEqual(LAST_RESPONSE);
    expect(decoder.tableSize).toBe(215);
  });
});

describe('a decoder that joined late', () => {
  it('leaves out what was set before and knows what came after', () => {
    const decoder = new HpackDecoder();
    expect(
      decoder.decode(hex('82be 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65')),
    ).toEqual([
      [':method', 'GET'],
      ['custom-key', 'custom-value'],
    ]);
    expect(decoder.missing).toBe(1);
    expect(decoder.decode(hex('be'))).toEqual([['custom-key', 'custom-value']]);
  });

  it('keeps the order of the table when a name is unknown', () => {
    const decoder = new HpackDecoder();
    decoder.decode(hex('7f00 0361 6263'));
    decoder.decode(hex('4001 6101 62'));
    expect(decoder.decode(hex('bebf'))).toEqual([['a', 'b']]);
  });
});

describe('a decoder that takes over', () => {
  it('knows what the one before knew, within its limit', () => {
    const before = new HpackDecoder();
    before.decode(hex('3f45 4001 6101 62 4001 6301 64'));
    const after = new HpackDecoder();
    after.restore(JSON.parse(JSON.stringify(before.save())));
    expect(after.tableSize).toBe(before.tableSize);
    expect(after.decode(hex('bebf'))).toEqual([
      ['c', 'd'],
      ['a', 'b'],
    ]);
    // The limit is 100: a third entry drives the first one out.
    expect(after.decode(hex('4001 6501 66 bebf'))).toEqual([
      ['e', 'f'],
      ['e', 'f'],
      ['c', 'd'],
    ]);
    expect(after.table).toHaveLength(2);
  });
});

describe('hostile blocks', () => {
  const cases: [string, string][] = [
    ['index 0', '80'],
    ['integer without end', 'ffffffffffffffff'],
    ['string beyond the block', '00 05 61'],
    ['block that ends in a field', '40'],
    ['name without value', '40 01 61'],
    ['Huffman padding of zeros', '00 81 18 00'],
    ['Huffman padding of a whole byte', '00 82 1f ff 00'],
    ['end of string in a Huffman code', '00 84 ffffffff 00'],
  ];
  it.each(cases)('%s is an HpackError', (_, block) => {
    expect(() => new HpackDecoder().decode(hex(block))).toThrow(HpackError);
  });

  it('bounds the decoded list', () => {
    const decoder = new HpackDecoder();
    decoder.decode(Buffer.concat([hex('3fe1 ff03'), hex('4001 617f a11e'), Buffer.alloc(4000, 0x62)]));
    const fields = decoder.decode(Buffer.alloc(10_000, 0xbe));
    expect(fields.length).toBeLessThan(70);
    expect(decoder.missing).toBeGreaterThan(9000);
  });

  it('throws nothing but HpackError on random bytes', () => {
    const next = random(7541);
    for (let round = 0; round < 3000; round++) {
      const decoder = new HpackDecoder();
      const block = Buffer.from(Array.from({length: next(80)}, () => next(256)));
      try {
        decoder.decode(block);
      } catch (error) {
        expect(error).toBeInstanceOf(HpackError);
      }
      expect(decoder.tableSize).toBeLessThanOrEqual(1 << 20);
    }
  });

  it('decodes Huffman codes of every length', () => {
    expect(decodeHuffman(hex('1f'), 0, 1)).toBe('a');
    expect(decodeHuffman(hex('ffc7'), 0, 2)).toBe('\0');
    expect(decodeHuffman(hex('fffffff3'), 0, 4)).toBe('\n');
  });
});
