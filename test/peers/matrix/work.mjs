// SPDX-License-Identifier: Apache-2.0
// Waits for two lines, then uses files, HTTP, workers and child processes. Says "done", ends with 3.
import {execFile, spawnSync} from 'node:child_process';
import {once} from 'node:events';
import {readFileSync} from 'node:fs';
import {readFile} from 'node:fs/promises';
import {createServer} from 'node:http';
import {createInterface} from 'node:readline';
import {promisify} from 'node:util';
import {Worker} from 'node:worker_threads';

console.log('ready');
const lines = createInterface({input: process.stdin})[Symbol.asyncIterator]();
await lines.next();
console.log('again');
await lines.next();
for (let i = 0; i < 20; i++) {
  readFileSync('/etc/hostname');
  await readFile('/etc/hostname');
}
const server = createServer((_, answer) => answer.end('x'.repeat(5000))).listen(0, '127.0.0.1');
await once(server, 'listening');
let bytes = 0;
for (let i = 0; i < 20; i++)
  bytes += (await (await fetch(`http://127.0.0.1:${server.address().port}/`)).text()).length;
const worker = new Worker(`require('fs').readFileSync('/etc/hostname')`, {eval: true});
await once(worker, 'exit');
const shell = ['/bin/sh', ['-c', 'echo of a child; exit 7']];
for (const env of [process.env, {}]) {
  const {status, stdout} = spawnSync(...shell, {env});
  console.log(status, String(stdout));
}
console.log(bytes, (await promisify(execFile)('/bin/echo', ['two'])).stdout);
console.log('done');
process.exit(3);
