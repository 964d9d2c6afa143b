// SPDX-License-Identifier: Apache-2.0
import {describe, expect, it} from 'vitest';
import {NOTE} from '../../../src/channel/index.js';
import {noteText} from '../../../src/relay/note-text.js';

describe('noteText', () => {
  it('has words for what is not seen, with the number where there is one', () => {
    expect(noteText({code: NOTE.NO_PLAN, arg: 12})).toMatch(/error 12.*nothing of it is seen/);
    expect(noteText({code: NOTE.GO_VERSION, arg: 0})).toMatch(/version of Go is not known/);
    expect(noteText({code: NOTE.IO_URING, arg: 8})).toMatch(/io_uring/);
    expect(noteText({code: NOTE.SECCOMP, arg: 1})).toMatch(/strict seccomp filter/);
  });

  it('says nothing of a filter that hides nothing, nor of codes it does not know', () => {
    expect(noteText({code: NOTE.SECCOMP, arg: 0})).toBe('');
    expect(noteText({code: 999, arg: 0})).toBe('');
  });
});
