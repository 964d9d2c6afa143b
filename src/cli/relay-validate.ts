// SPDX-License-Identifier: Apache-2.0
/** `scope relay validate`: the configuration, and whether each destination can be reached. */
import {mkdtempSync, rmSync} from 'node:fs';
import {hostname, tmpdir} from 'node:os';
import {join} from 'node:path';
import {systemClock} from '../base/clock.js';
import {type Config, type Loaded, originText, problems, problemText} from '../config/index.js';
import {SILENT} from '../relay/log.js';
import {Outputs} from '../relay/outputs.js';
import type {Action, Context} from './context.js';
import {CONFIG_STATUS, loadRelay, type RelayFlags, withConfig} from './relay.js';

const CHECK_MS = 10_000;

export function validate(context: Context, flags: RelayFlags & {environment: boolean}): Action {
  return withConfig(context, async () => {
    if (!flags.environment) return shape(context, flags);
    const loaded = loadRelay(context, flags);
    const wrong = await unreachable(loaded);
    for (const line of wrong) context.warn(line);
    if (wrong.length > 0) return CONFIG_STATUS;
    context.print(summary(loaded));
    return 0;
  });
}

/** Only what can be said without environment and network. */
function shape(context: Context, flags: RelayFlags): number {
  const found = problems({
    env: context.env,
    cwd: process.cwd(),
    withoutEnvironment: true,
    ...(flags.userconfig === undefined ? {} : {file: flags.userconfig}),
  });
  for (const problem of found) context.warn(problemText(problem));
  if (found.length > 0) return CONFIG_STATUS;
  context.print('no problems found; environment and destinations were not looked at');
  return 0;
}

function summary({config, file}: Loaded): string {
  const names = Object.keys(config.exporters);
  const list =
    names.length === 0 ? 'no exporters' : `${names.length} exporters (${names.join(', ')}), all reachable`;
  return `${file ?? 'defaults'}: no problems; ${list}; ${config.routes.length} routes`;
}

/** One line for each destination that cannot be reached. Queues are in memory or a folder of ours: those of a running relay are its own. */
async function unreachable(loaded: Loaded): Promise<string[]> {
  const dir = mkdtempSync(join(tmpdir(), 'scope-validate-'));
  try {
    const outputs = await Outputs.create(withMemoryQueues(loaded.config), {
      clock: systemClock,
      log: SILENT,
      host: hostname(),
      queues: dir,
    });
    try {
      const found = await outputs.check(CHECK_MS);
      return [...found].flatMap(([name, why]) => {
        if (why === undefined) return [];
        const origin = loaded.origin(['exporters', name]);
        const place = origin.kind === 'default' ? '' : `${originText(origin)}: `;
        return [`${place}exporters.${name}: cannot be reached: ${why}`];
      });
    } finally {
      await outputs.stop(0);
    }
  } finally {
    rmSync(dir, {recursive: true, force: true});
  }
}

function withMemoryQueues(config: Config): Config {
  const exporters = Object.entries(config.exporters).map(([name, one]) => [
    name,
    {...one, queue: {...one.queue, type: 'memory' as const}},
  ]);
  return {...config, exporters: Object.fromEntries(exporters)};
}
