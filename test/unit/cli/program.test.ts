// SPDX-License-Identifier: Apache-2.0
import {spawnSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {describe, expect, it} from 'vitest';
import {createProgram} from '../../../src/cli/program.js';
import {cli} from '../../helpers/session.js';

const program = () => createProgram(undefined, async () => undefined);

/** Words of a list in native/launch/subcommands.h. */
function headerWords(name: string): string[] {
  const text = readFileSync('native/launch/subcommands.h', 'utf8').replaceAll('\\\n', ' ');
  const line = new RegExp(`#define ${name}\\(X\\) (.*)`).exec(text)?.[1] ?? '';
  return [...line.matchAll(/X\("([^"]+)"\)/g)].map((m) => m[1]!);
}

describe('scope', () => {
  it('has every subcommand that the launcher hands over, and the launcher knows every one', async () => {
    const mine = (await program()).commands.flatMap((c) => [c.name(), ...c.aliases()]);
    const words = new Set([...headerWords('SC_SUBCOMMAND_LIST'), ...headerWords('SC_HIDDEN_LIST')]);
    expect([...mine, 'help'].sort()).toEqual([...words].sort());
  });

  it('shows help without words, with help and with --help', async () => {
    for (const words of [[], ['help'], ['--help']]) {
      const {status, out} = await cli('/nowhere', words);
      expect(status).toBe(0);
      expect(out).toMatch(/metrics .*list the metrics of a session/);
    }
    expect((await cli('/nowhere', ['help', 'events'])).out).toContain('--allfields');
  });

  it('says which word it does not know', async () => {
    expect(await cli('/nowhere', ['nonesuch'])).toMatchObject({
      status: 1,
      err: expect.stringContaining('nonesuch'),
    });
  });

  it('shows the version', async () => {
    const {out} = await cli('/nowhere', ['version']);
    expect(out).toMatch(/^Version: \d+\.\d+\.\d+\nBuild Date: .+\n$/);
  });

  it.each(['bash', 'zsh', 'fish'])('writes a completion script for %s', async (shell) => {
    const {out, status} = await cli('/nowhere', ['completion', shell]);
    expect(status).toBe(0);
    for (const word of ['metrics', 'events', 'hist', 'allfields', 'help']) expect(out).toContain(word);
    const check = spawnSync(shell, ['-n'], {input: out, encoding: 'utf8', timeout: 30_000});
    if (check.error === undefined) expect(check.stderr).toBe('');
  });

  it('names the shells it knows', async () => {
    expect(await cli('/nowhere', ['completion', 'tcsh'])).toMatchObject({
      status: 2,
      err: expect.stringContaining('bash, zsh, fish'),
    });
  });

  it('is described in docs/cli.md, command by command and flag by flag', async () => {
    const sections = new Map(
      readFileSync('docs/cli.md', 'utf8')
        .split(/^### /m)
        .slice(1)
        .map((text): [string, string[]] => [
          text.split('\n')[0]!.trim(),
          [...text.matchAll(/^\| `(-[^`]+)` \|/gm)].map((m) => m[1]!),
        ]),
    );
    const shown = (await program()).commands
      .filter((c) => !(c as unknown as {_hidden: boolean})._hidden)
      .flatMap((c): [string, typeof c][] => [
        [c.name(), c],
        ...c.commands.map((n): [string, typeof c] => [`${c.name()} ${n.name()}`, n]),
      ]);
    expect([...sections.keys()].sort()).toEqual(shown.map(([name]) => name).sort());
    for (const [name, command] of shown) {
      expect(sections.get(name), name).toEqual(command.options.map((o) => o.flags));
    }
  });
});
