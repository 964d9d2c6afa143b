// SPDX-License-Identifier: Apache-2.0
/** The work of a session relay once its rings are being drained: configuration, destinations, pipeline, loop. */
import {
  appendFileSync,
  existsSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import {hostname} from 'node:os';
import {dirname, join} from 'node:path';
import {systemClock} from '../base/clock.js';
import type {ChannelFolder} from '../channel/index.js';
import {type Config, configText, defaultSessionConfig, loadConfig} from '../config/index.js';
import {FILES, type SessionWriter} from '../session/index.js';
import {settingsSource} from './compile.js';
import {hubOptions} from './hub.js';
import {removeLeftFolders} from './left-folders.js';
import {createLog} from './log.js';
import type {Outputs} from './outputs.js';
import {Pipeline, type Sink} from './pipeline.js';
import {destinationsOf, SessionLoop} from './session-loop.js';
import {NEW_STATE, type RelayState, type StateFiles} from './state.js';
import {SendTurns} from './turns.js';

/** What src/relay/session.ts has opened. */
export interface SessionParts {
  workdir: string;
  writer: SessionWriter;
  /** Started. */
  folder: ChannelFolder;
  states: StateFiles;
  /** Of the relay before us. */
  saved: RelayState | undefined;
  /** Called when the folder has something. */
  wake: {call: () => void};
}

/** The session's process, as the launcher noted it. */
interface Args {
  pid?: number;
}

/** The effective configuration that the launcher's `prepare` left, else the defaults, which are then written there. */
function configOf(workdir: string): Config {
  const file = join(workdir, FILES.config);
  if (existsSync(file)) return loadConfig({file, env: {}, cwd: workdir, literal: true});
  const config = defaultSessionConfig(join(workdir, FILES.payloads));
  writeFileSync(`${file}.${process.pid}`, configText(config), {mode: 0o600});
  renameSync(`${file}.${process.pid}`, file);
  return config;
}

export async function runPipeline(parts: SessionParts): Promise<'over' | 'stopped'> {
  const {workdir, writer, folder, states, saved, wake} = parts;
  const config = configOf(workdir);
  const {control, fileWatch} = hubOptions(config);
  folder.setControl(control);
  folder.setFileWatch(fileWatch);
  const outputs = await openOutputs(config, workdir);
  try {
    let waits = true;
    const ready = () => !waits || (outputs?.ready() ?? true);
    // The session's own files wait as well.
    const turns = outputs && new SendTurns(outputs, folder, () => true, PATIENCE);
    const pressed = () => waits && turns?.pressed === true;
    const pipeline = new Pipeline({
      folder,
      settings: settingsSource(config),
      sink: {...sessionSink(writer, states, outputs), ready, pressed},
      state: saved ?? NEW_STATE,
    });
    if (isGone(workdir, folder)) appendFileSync(join(folder.dir, FILES.notes), `${GONE}\n`);
    const goOn = () => {
      waits = false;
    };
    const patienceMs = config.relay.stop_timeout;
    const rootLives = watchRoot(workdir);
    const how = await new SessionLoop({
      ...{folder, wake, pipeline, writer, outputs, turns},
      ...{rootLives, goOn, patienceMs},
    }).run();
    if (how === 'over') {
      folder.removeFar();
      removeChannels(workdir);
    }
    if (how === 'over' && outputs) writer.setStatus({state: 'sending'});
    return how;
  } finally {
    folder.close();
    await outputs?.stop(config.relay.stop_timeout);
    if (outputs) writer.setStatus({destinations: destinationsOf(outputs)});
  }
}

/** Turns that sends may leave unused while the session's own files wait: a second, and people do not notice. */
const PATIENCE = 100;

/** The channels were in another mount namespace (native/launch/far.c), which went before all was read. */
const GONE =
  'the container ended while no relay was running: what it had not read of the shared memory there is lost';

function isGone(workdir: string, folder: ChannelFolder): boolean {
  return existsSync(join(workdir, FILES.far)) && folder.channelDir === folder.dir;
}

/** Everything into the session; what the configuration sends elsewhere, there too. */
function sessionSink(writer: SessionWriter, states: StateFiles, outputs: Outputs | undefined): Sink {
  let number = writer.position;
  return {
    linesOnly: true,
    append(records) {
      writer.append(records);
      outputs?.append(records);
    },
    appendLines(span, process) {
      writer.appendLines(span, process);
      outputs?.appendLines(span, process);
    },
    // What is sent elsewhere may need more than the line.
    takesLines: (process) => outputs?.takesLines(process) ?? true,
    logsOf: (process) => outputs?.logsOf(process),
    commit(position, state) {
      number += 1;
      states.write(number, {position, state});
      writer.commit(number);
      states.keepOnly(number);
    },
  };
}

async function openOutputs(config: Config, workdir: string): Promise<Outputs | undefined> {
  if (Object.keys(config.exporters).length === 0) return undefined;
  const {level} = config.relay.log;
  // Most sessions send nothing: they do not load what sends.
  const outputs = await (await import('./outputs.js')).Outputs.create(config, {
    clock: systemClock,
    log: createLog(level, undefined, (line) => process.stderr.write(line)),
    host: hostname(),
    queues: join(workdir, FILES.queues),
  });
  await outputs.start();
  return outputs;
}

/** Whether the session's own process lives: also one that cannot be scoped. */
function watchRoot(workdir: string): () => boolean {
  const pid = rootPid(workdir);
  const start = pid === 0 ? '' : startTicks(pid);
  return () => start !== '' && startTicks(pid) === start;
}

function rootPid(workdir: string): number {
  try {
    return (JSON.parse(readFileSync(join(workdir, FILES.args), 'utf8')) as Args).pid ?? 0;
  } catch {
    return 0;
  }
}

/** Start time of a living process: tells it from a later one with its pid. */
function startTicks(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? '' : fields[19]!;
  } catch {
    return '';
  }
}

/** The folder on tmpfs, and the link to it. */
function removeChannels(workdir: string): void {
  const link = join(workdir, FILES.channels);
  try {
    const folder = realpathSync(link);
    rmSync(folder, {recursive: true, force: true});
    removeLeftFolders(dirname(folder));
  } catch {
    // A process that lives on may have begun a new channel at this moment: the folder is left to it.
  }
  rmSync(link, {recursive: true, force: true});
}
