// SPDX-License-Identifier: Apache-2.0
/** The effective configuration of a session: flags of `run`, environment, file, and what differs from a service. */
import {join, resolve} from 'node:path';
import {type Config, load, type Override, parseDestination, withSessionDefaults} from '../config/index.js';
import {type Environment, FILES} from '../session/layout.js';
import {UsageError} from './context.js';
import type {RunFlags} from './run-flags.js';

/** Loads it. Throws a ConfigError with every problem of file and environment, a UsageError for a bad flag. */
export function sessionConfig(workdir: string, flags: RunFlags, env: Environment, cwd: string): Config {
  const loaded = load({
    env,
    cwd,
    flags: overrides(flags, cwd),
    ...(flags.userconfig !== undefined && {file: flags.userconfig}),
  });
  return withSessionDefaults(loaded, payloadsOf(workdir));
}

/** The same from the text of a file. */
export function textSessionConfig(
  workdir: string,
  text: string,
  file: string,
  env: Environment,
  cwd: string,
): Config {
  return withSessionDefaults(load({env, cwd, text, file}), payloadsOf(workdir));
}

/** The file for a library without a session: what the flags of a destination say, everything else by default. */
export function destinationConfig(flags: RunFlags, cwd: string): Config {
  return load({env: {}, cwd, text: '', file: 'defaults', flags: overrides(flags, cwd)}).config;
}

/** Whether a flag of addDestinationFlags was given. */
export function hasDestination(flags: RunFlags): boolean {
  return [
    flags.cribldest,
    flags.metricdest,
    flags.eventdest,
    flags.metricformat,
    flags.metricprefix,
    flags.authtoken,
  ].some((value) => value !== undefined);
}

const payloadsOf = (workdir: string) => resolve(join(workdir, FILES.payloads));

function overrides(flags: RunFlags, cwd: string): Override[] {
  const found: Override[] = [];
  const set = (flag: keyof RunFlags, path: string[], value: unknown) => {
    if (flags[flag] !== undefined) found.push({path, value, origin: {kind: 'flag', name: `--${flag}`}});
  };
  const destination = (flag: 'cribldest' | 'metricdest' | 'eventdest', path: string[]) => {
    const text = flags[flag];
    if (text !== undefined) set(flag, path, transport(flag, text, cwd));
  };
  destination('metricdest', ['metric', 'transport']);
  destination('eventdest', ['event', 'transport']);
  destination('cribldest', ['cribl', 'transport']);
  set('cribldest', ['cribl', 'enable'], true);
  set('cribldest', ['libscope', 'configevent'], true);
  set('authtoken', ['cribl', 'authtoken'], flags.authtoken);
  set('metricformat', ['metric', 'format', 'type'], flags.metricformat);
  set('metricprefix', ['metric', 'format', 'statsdprefix'], flags.metricprefix);
  set('verbosity', ['metric', 'format', 'verbosity'], flags.verbosity);
  set('payloads', ['payload', 'enable'], true);
  set('loglevel', ['libscope', 'log', 'level'], flags.loglevel);
  set('backtrace', ['libscope', 'snapshot', 'backtrace'], true);
  set('coredump', ['libscope', 'snapshot', 'coredump'], true);
  return found;
}

function transport(flag: string, text: string, cwd: string): unknown {
  const value = parseDestination(text, cwd);
  if (value !== undefined) return value;
  if (/^(tcp|udp|tls):\/\/[^:]+$/i.test(text)) {
    throw new UsageError(`--${flag}: Missing :port at the end of ${text}`, 2);
  }
  throw new UsageError(
    `--${flag}: Invalid dest: ${text}; expected tcp://host:port, udp://host:port, tls://host:port, unix://path, file://path or edge`,
    2,
  );
}
