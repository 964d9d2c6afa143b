// SPDX-License-Identifier: Apache-2.0
import {spawn, spawnSync} from 'node:child_process';
import {existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {connect, createServer} from 'node:net';
import {homedir, tmpdir} from 'node:os';
import {join} from 'node:path';
import {throughput} from '../service/main.mjs';

const CACHE = process.env.APPSCOPE_TEST_PEERS ?? join(homedir(), '.cache/appscope-test-peers');
const TICK_MS = 10;
const row = (what, value) => console.log(`| exporters | ${what} | | ${value} | | | |`);

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const {port} = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function listening(port) {
  for (let i = 0; i < 600; i++) {
    const open = await new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.on('connect', () => resolve(!socket.destroy().connecting));
      socket.on('error', () => resolve(false));
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`nothing listens on ${port}`);
}

function cpuMs(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

async function toDiscard() {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'discard.mjs')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const port = await new Promise((resolve) => child.stdout.once('data', (text) => resolve(Number(text))));
    const otlp = `type: otlp, endpoint: "http://127.0.0.1:${port}"`;
    await throughput('channels to OTLP gRPC, discarded', `{${otlp}, compression: none}`, '≥ 0.25 M/s');
    await throughput('channels to OTLP gRPC with gzip, discarded', `{${otlp}}`, '');
  } finally {
    child.kill('SIGKILL');
  }
}

async function toCollector(folder) {
  const port = await freePort();
  const config = join(folder, 'collector.yaml');
  writeFileSync(
    config,
    `receivers: {otlp: {protocols: {grpc: {endpoint: "127.0.0.1:${port}"}}}}
exporters: {file: {path: /dev/null, append: true}}
service:
  telemetry: {metrics: {level: none}, logs: {level: error}}
  pipelines: {logs: {receivers: [otlp], exporters: [file]}}`,
  );
  const child = spawn(join(CACHE, 'otelcol'), ['--config', `file:${config}`], {stdio: 'ignore'});
  try {
    await listening(port);
    const before = cpuMs(child.pid);
    const otlp = `{type: otlp, endpoint: "http://127.0.0.1:${port}", signals: [logs]}`;
    await throughput('channels to OTLP gRPC, a collector', otlp, '');
    row("the collector's processor time for the same events", `${cpuMs(child.pid) - before} ms`);
  } finally {
    child.kill('SIGKILL');
  }
}

async function toKafka(folder) {
  const [port, controller] = [await freePort(), await freePort()];
  const file = join(folder, 'server.properties');
  writeFileSync(
    file,
    `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${controller}
listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controller}
controller.listener.names=CONTROLLER
log.dirs=${folder}/kafka
`,
  );
  const java = ['-Xmx600m', '-cp', `${join(CACHE, 'kafka')}/*`];
  const format = ['kafka.tools.StorageTool', 'format', '-t', 'MkU3OEVBNTcwNTJENDM2Qk', '-c', file];
  spawnSync('java', [...java, ...format], {stdio: 'ignore', timeout: 60_000});
  const child = spawn('java', [...java, 'kafka.Kafka', file], {stdio: 'ignore'});
  try {
    await listening(port);
    const kafka = `type: kafka, brokers: ["127.0.0.1:${port}"]`;
    await throughput('channels to Kafka, a message per event', `{${kafka}}`, '≥ 0.08 M/s');
    await throughput('channels to Kafka, packed', `{${kafka}, packed: true}`, '≥ 0.5 M/s');
    await throughput('channels to Kafka, packed, lz4', `{${kafka}, packed: true, compression: lz4}`, '');
  } finally {
    child.kill('SIGKILL');
  }
}

export default async function exporters() {
  const folder = mkdtempSync(join(tmpdir(), 'appscope-bench-'));
  try {
    await toDiscard();
    if (existsSync(join(CACHE, 'otelcol'))) await toCollector(folder);
    if (existsSync(join(CACHE, 'kafka'))) await toKafka(folder);
  } finally {
    rmSync(folder, {recursive: true, force: true});
  }
}
