// SPDX-License-Identifier: Apache-2.0
/** The flags of `scope run`, which `watch`, `attach` and the hidden `prepare` share. */
import {type Command, InvalidArgumentError, Option} from 'commander';
import {refuseTogether} from './context.js';
import {givenIn, integer} from './options.js';

export interface RunFlags {
  cribldest?: string;
  metricformat?: string;
  metricprefix?: string;
  metricdest?: string;
  eventdest?: string;
  authtoken?: string;
  verbosity?: number;
  payloads?: boolean;
  loglevel?: string;
  backtrace?: boolean;
  coredump?: boolean;
  userconfig?: string;
  librarypath?: string;
  nobreaker?: boolean;
}

export const LOG_LEVELS = ['debug', 'info', 'warning', 'error', 'none'] as const;

/** Adds the flags of a destination. */
export function addDestinationFlags(command: Command): Command {
  return command
    .option(
      '-c, --cribldest <dest>',
      'one destination for events, metrics and payloads (tls://host:port, tcp://…)',
    )
    .addOption(new Option('--metricformat <format>', 'format of metrics').choices(['ndjson', 'statsd']))
    .option('--metricprefix <prefix>', 'prefix of StatsD metrics')
    .option(
      '-m, --metricdest <dest>',
      'destination of metrics (tcp://host:port, udp://…, tls://…, unix://path, file://path)',
    )
    .option('-e, --eventdest <dest>', 'destination of events')
    .option('-a, --authtoken <token>', 'token sent to the Cribl destination');
}

/** Adds the flags that `run` and `attach` share. */
export function addRunFlags(command: Command): Command {
  return addDestinationFlags(command)
    .addOption(
      new Option('-v, --verbosity <level>', 'metric verbosity, 0 to 9; 4 by default').argParser(verbosity),
    )
    .option('-p, --payloads', 'capture payloads of connections')
    .addOption(new Option('--loglevel <level>', 'level of the log').argParser(logLevel))
    .option('-b, --backtrace', 'write the stack to /tmp/appscope/PID when the program crashes')
    .option('-d, --coredump', 'write a core to /tmp/appscope/PID when the program crashes')
    .option('-u, --userconfig <file>', 'configuration file (scope.yml) to use');
}

/** The same with those that only a command to be started can have. */
export function addLaunchFlags(command: Command): Command {
  return addRunFlags(command)
    .option('-l, --librarypath <dir>', 'folder of the libscope.so to use')
    .option('-n, --nobreaker', 'ask Cribl not to break events (SCOPE_CRIBL_NO_BREAKER=true)');
}

function verbosity(text: string): number {
  const level = integer(0)(text);
  if (level > 9) throw new InvalidArgumentError('expected a level from 0 to 9');
  return level;
}

function logLevel(text: string): string {
  if (!(LOG_LEVELS as readonly string[]).includes(text)) {
    throw new InvalidArgumentError(
      `${text} is an invalid log level. Log level must be one of debug, info, warning, error, or none`,
    );
  }
  return text;
}

/** Refuses flags that exclude each other. */
export function checkRunFlags(command: Command): void {
  refuseTogether(givenIn(command), [
    ['cribldest', ['metricdest', 'eventdest']],
    [
      'userconfig',
      [
        'cribldest',
        'metricformat',
        'metricprefix',
        'metricdest',
        'eventdest',
        'authtoken',
        'nobreaker',
        'verbosity',
        'payloads',
        'loglevel',
        'backtrace',
        'coredump',
      ],
    ],
  ]);
}
