// SPDX-License-Identifier: Apache-2.0
/** Sessions made by the real writer, and the CLI run on them in this process. */
import {mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {runCli} from '../../src/cli/cli.js';
import type {Context} from '../../src/cli/context.js';
import type {RelayRecord} from '../../src/records/types.js';
import {openSession} from '../../src/session/index.js';
import {createTerminal} from '../../src/view/terminal.js';
import {encodeJson} from './records.js';

/** Makes a session that has ended; returns its folder. */
export function makeSession(
  home: string,
  id: number,
  records: readonly RelayRecord[],
  argv = ['/bin/echo', 'hello'],
): string {
  const cmd = argv[0]!.split('/').at(-1)!;
  const workdir = join(home, 'history', `${cmd}_${id}_4194999_${BigInt(Date.now() - 60_000) * 1_000_000n}`);
  mkdirSync(workdir, {recursive: true});
  writeFileSync(join(workdir, 'args.json'), JSON.stringify({id, argv, cwd: '/', pid: 4_194_999}));
  const writer = openSession(workdir, {encode: encodeJson});
  writer.append(records);
  writer.setStatus({state: 'ended', processes: {seen: 1, live: 0}});
  writer.close();
  return workdir;
}

export interface CliResult {
  status: number;
  out: string;
  err: string;
}

/** Runs the CLI with a terminal of `width` columns (no terminal when 0). */
export async function cli(
  home: string,
  words: readonly string[],
  width = 0,
  answer = '',
): Promise<CliResult> {
  let out = '';
  let err = '';
  const stream = width > 0 ? {isTTY: true, columns: width} : {};
  const context: Context = {
    env: {HOME: home},
    home,
    print: (line) => {
      out += `${line}\n`;
    },
    write: (text) => {
      out += String(text);
    },
    warn: (line) => {
      err += `${line}\n`;
    },
    terminal: (colour) => createTerminal(stream, {NO_COLOR: '1'}, colour),
    ask: async (question) => {
      err += question;
      return answer;
    },
  };
  const status = await runCli(words, context);
  return {status, out, err};
}
