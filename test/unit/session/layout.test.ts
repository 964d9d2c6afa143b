// SPDX-License-Identifier: Apache-2.0
import {describe, expect, it} from 'vitest';
import {parseName, scopeHome} from '../../../src/session/layout.js';

describe('session layout', () => {
  it('reads folder names from the right, underscores in the command included', () => {
    expect(parseName('my_long_tool_12_3456_1795375578042340000')).toEqual({
      cmd: 'my_long_tool',
      id: 12,
      pid: 3456,
      start: 1795375578042.34,
    });
    expect(parseName('not a session')).toBeUndefined();
    expect(parseName('a_b_c_d')).toBeUndefined();
  });

  it('finds the home as the launcher does', () => {
    expect(scopeHome({SCOPE_HOME: '/x', HOME: '/h'})).toBe('/x');
    expect(scopeHome({SCOPE_HOME: 'rel'})).toBe(`${process.cwd()}/rel`);
    expect(scopeHome({HOME: '/h'})).toBe('/h/.scope');
    expect(scopeHome({TMPDIR: '/t'})).toBe('/t/.scope');
    expect(scopeHome({})).toBe('/tmp/.scope');
  });
});
