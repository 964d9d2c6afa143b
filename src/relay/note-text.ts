// SPDX-License-Identifier: Apache-2.0
/** What the library's notes say: it records a code and a number, the words are ours. */
import {NOTE, type NoteInfo} from '../channel/index.js';

const FILTERED =
  'it has a seccomp filter that would end it for calls of ours: children, and details that take a call, are not seen';

const texts: Partial<Record<number, (arg: number) => string>> = {
  [NOTE.NO_PLAN]: (arg) => `its code could not be patched (error ${arg}): nothing of it is seen`,
  [NOTE.GO_VERSION]: () =>
    'its version of Go is not known (before 1.18, or newer than this scope): the calls of Go code are not seen',
  [NOTE.SECCOMP]: (arg) =>
    ['', 'a strict seccomp filter: from there on nothing of it is seen', FILTERED][arg] ?? '',
  [NOTE.NO_LIBRARY]: () =>
    'a program that it became or started has another root, where libscope.so is not: it is not seen (attach to it)',
  [NOTE.NO_WRITE]: () =>
    'a program that it became or started does not reach the channels (another /dev/shm, or another user): it is not seen',
  [NOTE.IO_URING]: () => 'it uses io_uring: what it does through that is not seen',
};

/** '' when there is nothing to say to people. */
export const noteText = ({code, arg}: NoteInfo): string => texts[code]?.(arg) ?? '';
