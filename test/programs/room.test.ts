// SPDX-License-Identifier: Apache-2.0
// Channels that nobody reads do not fill the file system that others use, too, and the relay that comes says what was not
// seen. Needs root, to mount one.
import {spawnSync} from 'node:child_process';
import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, expect, test} from 'vitest';
import {NATIVE} from '../../src/base/root.js';

const dir = mkdtempSync(join(tmpdir(), 'scope-room-'));
afterAll(() => rmSync(dir, {recursive: true, force: true}));
const canMount = spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0;

const script = `
set -e
mount -t tmpfs -o size=8m none "$1/mnt"
mkdir "$1/mnt/channels"
i=0
while [ $i -lt 400 ]; do
  LD_PRELOAD=$2 SCOPE_DIR="$1/mnt/channels" /bin/echo $i
  i=$((i + 1))
done
stat -f -c 'free %a of %b' "$1/mnt"
"$3" relay -u "$1/relay.yml" 2>&1 &
until "$3" relay status -u "$1/relay.yml" --json | grep 'too little was free'; do sleep 0.2; done
"$3" relay status -u "$1/relay.yml"
kill $!
wait
`;

test.skipIf(!canMount)('channels that nobody reads leave room for others, and it is said', () => {
  mkdirSync(join(dir, 'mnt'));
  writeFileSync(
    join(dir, 'relay.yml'),
    `exporters: {out: {type: file, path: ${dir}/records.ndjson}}
default: {to: [out]}
relay: {dir: ${dir}/mnt/channels, state_dir: ${dir}/state}
`,
  );
  const words = ['--mount', 'sh', '-c', script, 'sh', dir, NATIVE.libscope, NATIVE.launcher];
  const env = {PATH: process.env.PATH, HOME: dir, SCOPE_NODE: process.execPath};
  const {stdout} = spawnSync('unshare', words, {encoding: 'utf8', env, timeout: 60_000});
  const lines = stdout.split('\n');
  expect(lines.slice(0, 400)).toEqual(Array.from({length: 400}, (_, i) => String(i)));
  const [, free, all] = /^free (\d+) of (\d+)$/.exec(lines[400]!)!;
  expect(Number(free)).toBeGreaterThanOrEqual(Number(all) / 8);
  const status = JSON.parse(lines.find((line) => line.startsWith('{'))!);
  expect(status.notes).toEqual([expect.stringContaining('too little was free on the file system of')]);
  expect(stdout).toMatch(/^not seen: some processes were not seen: too little was free/m);
  expect(stdout).toMatch(/warning some processes were not seen: too little was free/);
});
