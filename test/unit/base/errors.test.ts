// SPDX-License-Identifier: Apache-2.0
import {readFileSync} from 'node:fs';
import {describe, expect, it} from 'vitest';
import {ERROR_CODES, ScopeError} from '../../../src/base/errors.js';

describe('errors', () => {
  it('are all in docs/errors.md, and no others', () => {
    const documented = [...readFileSync('docs/errors.md', 'utf8').matchAll(/^\| `(SCOPE_[A-Z_]+)`/gm)].map(
      (m) => m[1],
    );
    expect(documented).toEqual([...ERROR_CODES]);
  });

  it('keep cause and code', () => {
    const cause = new Error('below');
    const error = new ScopeError('SCOPE_IO', 'above', {cause, retryable: true});
    expect(error).toMatchObject({code: 'SCOPE_IO', message: 'above', retryable: true, cause});
    expect(new ScopeError('SCOPE_USAGE', 'x').retryable).toBe(false);
  });
});
