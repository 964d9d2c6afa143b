// SPDX-License-Identifier: Apache-2.0
/** Runs real programs under the library and gives the records that the pipeline makes of them. */
import {spawn} from 'node:child_process';
import {existsSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {NATIVE} from '../../src/base/root.js';
import {openFolder} from '../../src/channel/index.js';
import {loadConfig} from '../../src/config/index.js';
import type {Event, Metric, RelayRecord} from '../../src/records/types.js';
import {settingsSource} from '../../src/relay/compile.js';
import {Pipeline} from '../../src/relay/pipeline.js';
import {controlOf} from '../../src/relay/want.js';

export interface Observed {
  records: RelayRecord[];
  stdout: string;
  stderr: string;
  status: number | null;
  /** `data` of the events of a source, in order. */
  events(source: string): Record<string, unknown>[];
  metrics(name: string): Metric[];
  /** Records lost, by cause. */
  lost: Record<string, number>;
}

export interface ObserveOptions {
  /** Configuration, YAML. */
  config?: string;
  env?: Record<string, string>;
  cwd?: string;
  timeoutMs?: number;
  /** Called with the running program's pid; when it returns the program gets SIGTERM. */
  during?(pid: number): Promise<void>;
}

const wait = (ms: number) => new Promise((done) => setTimeout(done, ms));

/** One command, scoped, until it and its children have ended and everything they left was read. */
export async function observe(argv: readonly string[], options: ObserveOptions = {}): Promise<Observed> {
  const dir = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'scope-observe-'));
  const config = loadConfig({text: options.config ?? '', file: 'test', env: {}, cwd: '/'});
  const settings = settingsSource(config);
  const folder = openFolder(dir, {create: true});
  const records: RelayRecord[] = [];
  const pipeline = new Pipeline({
    folder,
    settings,
    sink: {append: (made) => records.push(...made), commit: () => undefined},
  });
  folder.setControl(controlOf(settings.base));
  folder.start(() => undefined);
  const timer = setInterval(() => {
    pipeline.pass(200);
    pipeline.commit();
  }, 5);
  try {
    const outcome = await execute(argv, dir, options);
    await drained(pipeline, Date.now() + 30_000);
    const events = records.filter((record): record is Event => record.kind === 'event');
    return {
      ...outcome,
      records,
      lost: pipeline.stats.lost,
      events: (source) =>
        events
          .filter((event) => event.source === source)
          .map((event) => event.data as Record<string, unknown>),
      metrics: (name) => records.filter((r): r is Metric => r.kind === 'metric' && r.name === name),
    };
  } finally {
    clearInterval(timer);
    folder.close();
    rmSync(dir, {recursive: true, force: true});
  }
}

async function drained(pipeline: Pipeline, until: number): Promise<void> {
  while (Date.now() < until) {
    if (!pipeline.pass(200) && pipeline.stats.live === 0) return;
    await wait(10);
  }
  throw new Error(`${pipeline.stats.live} processes did not end`);
}

function execute(
  argv: readonly string[],
  dir: string,
  options: ObserveOptions,
): Promise<{stdout: string; stderr: string; status: number | null}> {
  return new Promise((done, fail) => {
    const child = spawn(argv[0]!, argv.slice(1), {
      cwd: options.cwd,
      env: {...process.env, ...options.env, LD_PRELOAD: NATIVE.libscope, SCOPE_DIR: dir},
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const kill = (signal: NodeJS.Signals) => {
      try {
        process.kill(-child.pid!, signal);
      } catch {
        // Gone already.
      }
    };
    const timer = setTimeout(() => kill('SIGKILL'), options.timeoutMs ?? 40_000);
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', fail);
    child.on('close', (status) => {
      clearTimeout(timer);
      kill('SIGKILL');
      done({stdout, stderr, status});
    });
    if (options.during !== undefined) {
      options.during(child.pid!).then(
        () => kill('SIGTERM'),
        (error: unknown) => {
          kill('SIGKILL');
          fail(error);
        },
      );
    }
  });
}
