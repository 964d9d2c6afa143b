// SPDX-License-Identifier: Apache-2.0
/** Patterns of routes: an exact text, a glob (`*`, `?`), an RE2 expression between slashes; or any of a list. */
import {RE2JS} from 're2js';

export type Test = (text: string) => boolean;

/** Answers are remembered for texts that come again and again; unlike texts do not grow it without end. */
const REMEMBERED = 4096;

function remembered(test: Test): Test {
  let known = new Map<string, boolean>();
  return (text) => {
    let answer = known.get(text);
    if (answer === undefined) {
      answer = test(text);
      if (known.size >= REMEMBERED) known = new Map();
      if (text.length <= 256) known.set(text, answer);
    }
    return answer;
  };
}

/** `*` any run of characters, `?` one; everything else is itself. Linear: no backtracking over more than the last star. */
function glob(pattern: string): Test {
  return (text) => {
    let p = 0;
    let t = 0;
    let star = -1;
    let mark = 0;
    while (t < text.length) {
      if (p < pattern.length && (pattern[p] === '?' || (pattern[p] === text[t] && pattern[p] !== '*'))) {
        p++;
        t++;
      } else if (pattern[p] === '*') {
        star = p++;
        mark = t;
      } else if (star >= 0) {
        p = star + 1;
        t = ++mark;
      } else return false;
    }
    while (pattern[p] === '*') p++;
    return p === pattern.length;
  };
}

function single(pattern: string): Test {
  if (pattern.length > 2 && pattern.startsWith('/') && pattern.endsWith('/')) {
    const compiled = RE2JS.compile(pattern.slice(1, -1));
    return remembered((text) => compiled.test(text));
  }
  if (/^[^*?]*\*$/.test(pattern)) {
    const head = pattern.slice(0, -1);
    return (text) => text.startsWith(head);
  }
  return /[*?]/.test(pattern) ? remembered(glob(pattern)) : (text) => text === pattern;
}

/** The test that a pattern stands for. Paths are not mistaken for expressions: `/usr/bin/` needs a `*` to be a glob. */
export function compilePattern(pattern: string | readonly string[]): Test {
  if (typeof pattern === 'string') return single(pattern);
  const exact = new Set(pattern.filter((one) => !/[*?]/.test(one) && !/^\/.+\/$/.test(one)));
  const others = pattern.filter((one) => !exact.has(one)).map(single);
  if (others.length === 0) return (text) => exact.has(text);
  return (text) => exact.has(text) || others.some((test) => test(text));
}
