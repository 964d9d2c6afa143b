// SPDX-License-Identifier: Apache-2.0
// The calls the library saw equal what a ptrace tracer saw in the same run, call by call.
import {afterAll, describe, expect, test} from 'vitest';
import {canBuild, channelDir, cleanup, type Libc, program, run, scopedEnv, trace} from './support.js';
import {hookedCalls, seen} from './truth.js';

afterAll(cleanup);

const READS = ['read', 'pread64', 'readv', 'preadv', 'preadv2', 'recvfrom', 'recvmsg'];
const WRITES = ['write', 'pwrite64', 'writev', 'pwritev', 'pwritev2', 'sendto', 'sendmsg'];

/**
 * Calls that cannot be seen, each with its place: docs/platforms.md lists them.
 * clone() of glibc ends its child by an instruction with no room around it.
 */
const UNSEEN: Record<string, Record<string, number>> = {
  'glibc forks': {exit: 1},
};

async function complete(
  argv: string[],
  options: {bytes?: boolean; unseen?: Record<string, number>} = {},
): Promise<void> {
  const dir = channelDir();
  // A first run, so that plans are made outside what is counted.
  await run(argv, scopedEnv(dir));
  const before = seen(dir);
  const {calls} = await trace(argv, dir);
  const after = seen(dir);
  const truth: Record<string, number> = {};
  let rx = 0;
  let tx = 0;
  for (const [nr, got] of calls) {
    const name = hookedCalls.get(nr);
    if (!name) continue;
    truth[name] = got.calls;
    if (READS.includes(name)) rx += got.bytes;
    if (WRITES.includes(name)) tx += got.bytes;
  }
  const ours: Record<string, number> = {};
  for (const [name, n] of Object.entries(after.calls)) {
    if (n > (before.calls[name] ?? 0)) ours[name] = n - (before.calls[name] ?? 0);
  }
  for (const [name, n] of Object.entries(options.unseen ?? {})) ours[name] = (ours[name] ?? 0) + n;
  expect(ours).toEqual(truth);
  if (options.bytes) expect([after.rx - before.rx, after.tx - before.tx]).toEqual([rx, tx]);
}

describe('real programs', () => {
  test('echo', () => complete(['/bin/echo', 'x'], {bytes: true}));
  test('ls of a tree', () => complete(['ls', '-lR', '/etc'], {bytes: true}));
  test('bash with pipelines', () =>
    complete([
      'bash',
      '-c',
      'for i in 1 2 3; do seq 100 | sort | tail -1; done; (exec cat /etc/passwd) | wc -l',
    ]));
  test('python with threads and an http server', () =>
    complete([
      'python3',
      '-c',
      `import threading,http.server,urllib.request
s=http.server.ThreadingHTTPServer(("127.0.0.1",0),http.server.SimpleHTTPRequestHandler)
s.RequestHandlerClass.log_message=lambda *a:None
threading.Thread(target=s.serve_forever).start()
for i in range(20): urllib.request.urlopen("http://127.0.0.1:%d/"%s.server_port).read()
s.shutdown()`,
    ]));
  test('node with files and http', () =>
    complete([
      'node',
      '-e',
      `const h=require('http'),fs=require('fs');fs.writeFileSync('f','x');fs.readFileSync('f');
const s=h.createServer((q,r)=>r.end('x'.repeat(5000))).listen(0,async()=>{for(let i=0;i<20;i++)await(await fetch('http://127.0.0.1:'+s.address().port)).text();process.exit()})`,
    ]));
  test('java', () => complete(['java', '-version']));
  test('gcc', () => complete(['sh', '-c', 'echo "int main(){return 0;}" > a.c; gcc a.c; rm a.c a.out']));
  test('git', () =>
    complete([
      'sh',
      '-c',
      'git init -q .; echo a > a; git add a; git -c user.name=a -c user.email=a@b commit -qm a; git log --oneline | wc -l; rm -rf .git',
    ]));
  test('tar, find and perl', () =>
    complete([
      'sh',
      '-c',
      'tar cf - -C /etc default | tar tf - | wc -l; find /etc/default | wc -l; perl -ne "print" /etc/passwd | tail -1',
    ]));
});

for (const libc of ['glibc', 'musl'] as Libc[]) {
  describe.skipIf(!canBuild(libc))(`odd programs on ${libc}`, () => {
    test('every file call', () =>
      complete([program('calls', libc)], {unseen: UNSEEN[`${libc} calls`] ?? {}}));
    test('sockets in all forms', () => complete([program('sockets', libc)]));
    test('threads', () => complete([program('threads', libc)]));
    test('calls that signals stop, made anew by the kernel', () => complete([program('restart', libc)]));
    test('calls that signals stop, made anew by the program', () =>
      complete([program('restart', libc), 'x']));
    test('forks, vforks and spawns', () =>
      complete([program('forks', libc)], {unseen: UNSEEN[`${libc} forks`] ?? {}}));
  });
}
