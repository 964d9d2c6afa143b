// SPDX-License-Identifier: Apache-2.0
/** Commands inside the root folders of other Debian releases, made by test/peers/install.sh. */
import {homedir} from 'node:os';
import {join} from 'node:path';
import {makeDir, root} from '../programs/support.js';

export const cache = process.env.APPSCOPE_TEST_PEERS ?? join(homedir(), '.cache/appscope-test-peers');

/** A command inside the release's root, with /proc, /dev and this project at their places; mounts end with it. */
export function inside(release: string, argv: string[], env: Record<string, string> = {}): string[] {
  const script = `set -e; r=$1; p=$2; w=$3; shift 3
mount --rbind /dev $r/dev; mount -t proc proc $r/proc
mkdir -p $r$p $r/mnt/w; mount --bind $p $r$p; mount --bind $w $r/mnt/w
exec chroot $r env -C /mnt/w ${Object.entries(env)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ')} "$@"`;
  return [
    'unshare',
    '-m',
    '--propagation',
    'private',
    'sh',
    '-c',
    script,
    'sh',
    join(cache, `chroot-${release}`),
    root,
    makeDir(),
    ...argv,
  ];
}
