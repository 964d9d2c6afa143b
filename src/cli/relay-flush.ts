// SPDX-License-Identifier: Apache-2.0
/** `scope relay flush`: sends what a session that is over has left in its disk queues. */
import {existsSync} from 'node:fs';
import {hostname} from 'node:os';
import {join, resolve} from 'node:path';
import {setTimeout as pause} from 'node:timers/promises';
import {systemClock} from '../base/clock.js';
import {ScopeError} from '../base/errors.js';
import {type Config, loadConfig} from '../config/index.js';
import type {DestinationStatus} from '../delivery/destination.js';
import {SILENT} from '../relay/log.js';
import {Outputs} from '../relay/outputs.js';
import {FILES} from '../session/layout.js';
import type {Action, Context} from './context.js';

const LOOK_MS = 50;

/** Status 1 when records are left. A queue that a living relay uses is refused. */
export async function flush(context: Context, folder: string, seconds: number): Action {
  const workdir = resolve(folder);
  const file = join(workdir, FILES.config);
  if (!existsSync(file))
    throw new ScopeError('SCOPE_NOT_FOUND', `${workdir} is no session: it has no ${FILES.config}`);
  const config = withQueuesOf(workdir, loadConfig({file, env: {}, cwd: workdir, literal: true}));
  const outputs = await Outputs.create(config, {
    clock: systemClock,
    log: SILENT,
    host: hostname(),
    queues: join(workdir, FILES.queues),
  });
  const before = new Map(outputs.status().destinations.map(({name, sent}) => [name, sent]));
  try {
    await outputs.start();
    const end = performance.now() + seconds * 1000;
    while (waiting(outputs) > 0 && performance.now() < end) await pause(LOOK_MS);
  } finally {
    await outputs.stop(0);
  }
  const {destinations} = outputs.status();
  for (const one of destinations) context.print(`${one.name}: ${result(one, before.get(one.name) ?? 0)}`);
  if (destinations.length === 0) context.print('nothing waits');
  return destinations.some(({queued}) => queued > 0) ? 1 : 0;
}

/** Only exporters that have left a queue. */
function withQueuesOf(workdir: string, config: Config): Config {
  const left = Object.entries(config.exporters).filter(
    ([name, {queue}]) => queue.type === 'disk' && existsSync(queue.path ?? join(workdir, FILES.queues, name)),
  );
  return {...config, exporters: Object.fromEntries(left)};
}

const waiting = (outputs: Outputs): number =>
  outputs.status().destinations.reduce((sum, {queued}) => sum + queued, 0);

function result({sent, queued, dropped, reason}: DestinationStatus, before: number): string {
  const lost = Object.entries(dropped).filter(([, count]) => count > 0);
  return [
    `${sent - before} sent`,
    ...(queued > 0 ? [`${queued} wait${reason === undefined ? '' : ` (${reason})`}`] : []),
    ...lost.map(([cause, count]) => `${count} dropped (${cause})`),
  ].join(', ');
}
