// SPDX-License-Identifier: Apache-2.0
// A Go version that is not known: its code is not patched, the program runs as always, and the session says why.
import {execFileSync} from 'node:child_process';
import {chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {readStatus} from '../../src/session/index.js';
import {scopedHome} from '../helpers/scoped.js';

const local = '/usr/local/go/bin/go';
const go = existsSync(local) ? local : 'go';

function hasGo(): boolean {
  try {
    execFileSync(go, ['version'], {stdio: 'pipe'});
    return true;
  } catch {
    return false;
  }
}

const SOURCE = `package main

import "os"

func main() {
	if len(os.Args) > 1 {
		if err := os.WriteFile(os.Args[1], []byte("done\\n"), 0o600); err != nil {
			os.Exit(1)
		}
	}
}
`;

describe.skipIf(!hasGo())('a program of an unknown Go version', () => {
  let dir: string;
  const made = scopedHome();

  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'scope-unknown-go-'));
    writeFileSync(join(dir, 'main.go'), SOURCE);
  });
  afterAll(() => {
    made.clean();
    rmSync(dir, {recursive: true, force: true});
  });

  test.each([
    ['static', []],
    ['PIE', ['-buildmode=pie']],
  ])('%s: runs as always, and the session says why nothing of Go is seen', async (name, args) => {
    const program = join(dir, name);
    execFileSync(go, ['build', ...args, '-o', program, join(dir, 'main.go')], {
      env: {...process.env, CGO_ENABLED: '0'},
      stdio: 'pipe',
      timeout: 200_000,
    });
    // Where a version is known by is a function's name: another one, another version.
    const bytes = readFileSync(program, 'latin1').replaceAll(
      'syscall/linux.Syscall6',
      'syscall/linux.Syscall7',
    );
    writeFileSync(
      program,
      bytes.replaceAll('internal/syscall.Syscall6', 'internal/syscall.Syscall7'),
      'latin1',
    );
    chmodSync(program, 0o755);
    const out = join(dir, `${name}.out`);
    const session = await made.runWhole(program, out);
    expect(readFileSync(out, 'utf8')).toBe('done\n');
    expect(readStatus(session)?.notes?.join('\n')).toMatch(/version of Go .*is not known/);
  });
});
