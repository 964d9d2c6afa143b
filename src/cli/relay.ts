// SPDX-License-Identifier: Apache-2.0
/** `scope relay`: the service in the foreground, and what checks and shows its configuration and state. */
import {join} from 'node:path';
import type {Command} from 'commander';
import {ScopeError} from '../base/errors.js';
import {type Config, ConfigError, type Loaded, load} from '../config/index.js';
import type {Action, Context} from './context.js';
import type {Runner} from './program.js';

/** EX_CONFIG of sysexits.h. */
export const CONFIG_STATUS = 78;

export interface RelayFlags {
  userconfig?: string;
}

/** Loads the configuration of `-u`, else of the search path. */
export function loadRelay(context: Context, flags: RelayFlags): Loaded {
  return load({
    env: context.env,
    cwd: process.cwd(),
    ...(flags.userconfig === undefined ? {} : {file: flags.userconfig}),
  });
}

/** Where the channels are, and where the relay keeps its state. */
export function relayFolders(context: Context, config: Config): {dir: string; stateDir: string} {
  return {
    dir: config.relay.dir ?? '/dev/shm/scope',
    stateDir: config.relay.state_dir ?? join(context.home, 'relay'),
  };
}

/** Runs with a configuration; its problems are said, one a line, and end in status 78. */
export async function withConfig(context: Context, action: () => Action): Action {
  try {
    return await action();
  } catch (error) {
    if (
      !(error instanceof ConfigError) &&
      !(error instanceof ScopeError && error.code === 'SCOPE_CONFIG_INVALID')
    )
      throw error;
    context.warn(error.message);
    return CONFIG_STATUS;
  }
}

export function defineRelay(command: Command, run: Runner): void {
  command
    .description('routes what scoped processes do to remote systems, until it is stopped')
    .option('-u, --userconfig <file>', 'configuration file')
    .addHelpText(
      'after',
      `
Processes are observed when they have LD_PRELOAD=…/libscope.so and SCOPE_DIR=FOLDER, the folder of relay.dir.
SIGHUP takes a changed configuration over, SIGTERM stops in order. docs/config.md has all keys.`,
    )
    .action((flags: RelayFlags) => run((context) => withConfig(context, () => serve(context, flags))));
  command
    .command('validate')
    .description('says everything that is wrong with a configuration; status 78 when something is')
    .option('-u, --userconfig <file>', 'configuration file')
    .option('--no-environment', 'neither asks for environment variables nor connects to destinations')
    .action((_: unknown, self: Command) =>
      run(async (context) => (await import('./relay-validate.js')).validate(context, self.optsWithGlobals())),
    );
  command
    .command('config')
    .description('shows the configuration, secrets masked')
    .option('-u, --userconfig <file>', 'configuration file')
    .option('--effective', 'every value, and where it comes from')
    .option('-j, --json', 'as JSON')
    .action((_: unknown, self: Command) =>
      run(async (context) => (await import('./relay-show.js')).showConfig(context, self.optsWithGlobals())),
    );
  command
    .command('flush')
    .description('sends what a session that is over has left in the disk queues of its exporters')
    .argument('<workdir>', 'folder of the session')
    .option('-t, --timeout <seconds>', 'longest time to try', '60')
    .action((workdir: string, flags: {timeout: string}) =>
      run(async (context) =>
        (await import('./relay-flush.js')).flush(context, workdir, secondsOf(flags.timeout)),
      ),
    );
  command
    .command('status')
    .description('shows what a running relay sends, holds and drops')
    .option('-u, --userconfig <file>', 'configuration file')
    .option('-j, --json', 'as JSON')
    .action((_: unknown, self: Command) =>
      run(async (context) => (await import('./relay-show.js')).showStatus(context, self.optsWithGlobals())),
    );
}

function secondsOf(text: string): number {
  const seconds = Number(text);
  if (Number.isFinite(seconds) && seconds > 0) return seconds;
  throw new ScopeError('SCOPE_USAGE', `--timeout: "${text}" is no number of seconds`);
}

const detail = (why: unknown): string => (why instanceof Error ? (why.stack ?? why.message) : String(why));

async function serve(context: Context, flags: RelayFlags): Action {
  const loaded = loadRelay(context, flags);
  const {config} = loaded;
  if (Object.keys(config.exporters).length === 0) {
    throw new ScopeError(
      'SCOPE_CONFIG_INVALID',
      `${loaded.file ?? 'no configuration file was found'}: there are no exporters: nothing would be sent`,
    );
  }
  const {createLog} = await import('../relay/log.js');
  const {RelayService} = await import('../relay/service/index.js');
  const {transport} = config.libscope.log;
  const file = config.relay.log.file ?? (transport?.type === 'file' ? transport.path : undefined);
  const log = createLog(config.relay.log.level, file, (line) => process.stderr.write(line));
  const service = await RelayService.start({
    loaded,
    load: () => loadRelay(context, flags),
    ...relayFolders(context, config),
    log,
  });
  process.on('SIGHUP', () => void service.reload());
  // Whatever goes wrong with one record or peer, the relay goes on; a log nobody reads any more is no reason to end.
  process.on('unhandledRejection', (why) => log.error(`unexpected: ${detail(why)}`));
  process.on('uncaughtException', (why) => log.error(`unexpected: ${detail(why)}`));
  process.stderr.on('error', () => {});
  await new Promise<void>((resolve) => {
    let stopping = false;
    const stop = (signal: NodeJS.Signals): void => {
      if (stopping) return;
      stopping = true;
      log.info(`${signal}: stopping`);
      void service.stop().then(resolve);
    };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
  });
  return 0;
}
