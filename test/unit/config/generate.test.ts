// SPDX-License-Identifier: Apache-2.0
import {execFileSync} from 'node:child_process';
import {describe, expect, it} from 'vitest';
import {ROOT} from '../../../src/base/root.js';

describe('npm run generate', () => {
  it('has nothing to write: what is committed is up to date', () => {
    expect(
      execFileSync(process.execPath, ['scripts/generate.mjs', '--check'], {cwd: ROOT, encoding: 'utf8'}),
    ).toBe('');
  });
});
