// SPDX-License-Identifier: Apache-2.0
/** `scope events`: lists events, shows one, follows. */
import {existsSync} from 'node:fs';
import {join} from 'node:path';
import {type Command, Option} from 'commander';
import {ScopeError} from '../base/errors.js';
import {EventLog} from '../session/event-log.js';
import {type Session, writerLives} from '../session/history.js';
import {FILES} from '../session/layout.js';
import {type EventQuery, type Found, findEvents} from '../session/query.js';
import {readStatus} from '../session/status.js';
import {type EventObject, eventDetail, eventLine, type LineOptions} from '../view/event-line.js';
import {type Action, type Context, refuseTogether, UsageError} from './context.js';
import {compilePredicate, expressionHints} from './expression.js';
import {givenIn, idOption, integer, list} from './options.js';
import {settledSession} from './settled.js';

interface Flags {
  id: number;
  source?: string[];
  sourcetype?: string[];
  match?: string;
  fields?: string[];
  allfields?: boolean;
  last: number;
  all?: boolean;
  json?: boolean;
  follow?: boolean;
  color?: boolean;
  eval?: string;
  sort?: string;
  reverse?: boolean;
}

/** What `--eval` may use. */
export const EVAL_VARIABLES = [
  'args',
  'cmd',
  'gid',
  'groupname',
  'host',
  'id',
  'pid',
  'proc',
  'source',
  'sourcetype',
  '_time',
  'uid',
  'username',
  'data',
] as const;

export function defineEvents(
  command: Command,
  run: (action: (context: Context) => Action) => Promise<void>,
): void {
  command
    .description('list the events of a session, or show one')
    .argument('[eventId]', 'number of the event to show in full')
    .addOption(idOption())
    .addOption(
      new Option(
        '-s, --source <source>',
        'only sources that begin so; comma-separated or repeated',
      ).argParser(list),
    )
    .addOption(new Option('-t, --sourcetype <type>', 'only sourcetypes that begin so').argParser(list))
    .option('-m, --match <text>', 'only events whose JSON line contains this text')
    .addOption(new Option('--fields <field>', 'show only these data fields').argParser(list))
    .option('--allfields', 'show all data fields, the usually hidden ones in [[ ]]')
    .addOption(new Option('-n, --last <number>', 'show the last N events').argParser(integer(1)).default(20))
    .option('-a, --all', 'show all events')
    .option('-j, --json', 'write NDJSON')
    .option('-f, --follow', 'go on with new events as they come, until the session ends')
    .option('--color', 'colours also when the output is no terminal')
    .option(
      '-e, --eval <expression>',
      'only events for which this expression is true, e.g. \'data.file == "/etc/passwd"\'',
    )
    .option('--sort <field>', 'sort descending by a top-level field')
    .option('-r, --reverse', 'sort ascending')
    .action((eventId: string | undefined, flags: Flags) =>
      run((context) => events(context, command, eventId, flags)),
    );
}

async function events(context: Context, command: Command, eventId: string | undefined, flags: Flags): Action {
  refuseTogether(givenIn(command), [
    ['all', ['source', 'sourcetype', 'match', 'last', 'eval']],
    ['fields', ['allfields']],
    ['json', ['color']],
    ['follow', ['sort', 'reverse']],
  ]);
  const query = buildQuery(flags, givenIn(command));
  const session = await settledSession(context, flags.id);
  if (!existsSync(join(session.workdir, FILES.events))) {
    context.print('No events: the session has no events.json.');
    return 0;
  }
  const log = new EventLog(session.workdir);
  try {
    if (eventId !== undefined) return showOne(context, log, session, eventId, flags);
    if (log.count === 0 && !flags.follow) {
      context.warn('Empty event file.');
      return 0;
    }
    const print = printer(context, flags);
    if (flags.sort !== undefined) printSorted(context, log, query, flags, print);
    else for (const found of findEvents(log, query)) print(found);
    sayLost(context, session);
    if (flags.follow) await follow(log, session, query, print);
    return 0;
  } finally {
    log.close();
  }
}

function buildQuery(flags: Flags, given: (flag: string) => boolean): EventQuery {
  const filtered = ['source', 'sourcetype', 'match', 'eval'].some(given);
  const everything = flags.all === true || (filtered && !given('last'));
  const predicate = flags.eval === undefined ? undefined : evalPredicate(flags.eval);
  const hints = flags.eval === undefined ? {} : expressionHints(flags.eval);
  return {
    ...hints,
    ...(flags.source && {sources: flags.source}),
    ...(flags.sourcetype && {sourcetypes: flags.sourcetype}),
    ...(flags.match !== undefined && {match: flags.match}),
    ...(predicate && {predicate}),
    ...(!everything && {last: flags.last}),
  };
}

function evalPredicate(text: string): (line: string) => boolean {
  const predicate = compilePredicate(text, EVAL_VARIABLES);
  return (line) => {
    const event = parse(line);
    return event !== undefined && predicate({...event.body, id: event.id});
  };
}

function parse(line: string): EventObject | undefined {
  try {
    return JSON.parse(line) as EventObject;
  } catch {
    return undefined;
  }
}

function showOne(context: Context, log: EventLog, session: Session, eventId: string, flags: Flags): number {
  if (!/^\d{1,15}$/.test(eventId)) throw new UsageError(`Invalid event id: ${eventId}: expected a number`, 2);
  const id = Number(eventId);
  if (id >= log.count) {
    const last = log.count === 0 ? 'it has no events' : `the last one is ${log.count - 1}`;
    throw new ScopeError('SCOPE_NOT_FOUND', `event ${id} not found in session ${session.id}: ${last}`);
  }
  const line = log.line(id);
  if (flags.json) {
    context.print(jsonLine({id, line}));
    return 0;
  }
  const event = parse(line);
  if (!event)
    throw new ScopeError('SCOPE_SESSION_INVALID', `event ${id} of session ${session.id} is no JSON`);
  for (const text of eventDetail(id, event, context.terminal(flags.color).paint)) context.print(text);
  return 0;
}

/**
 * The body with `Id` and `_channel` in front. The first `,"body":{` is the envelope's: within a JSON string its quotes
 * would be escaped.
 */
export function jsonLine(found: Found): string {
  const body = found.line.indexOf(',"body":{');
  const channel = /"_channel":"([^"\\]*)"/.exec(found.line.slice(0, Math.max(0, body)))?.[1] ?? 'none';
  return `{"Id":"${found.id}","_channel":"${channel}",${found.line.slice(body + 9, -1)}`;
}

function printer(context: Context, flags: Flags): (found: readonly Found[]) => void {
  if (flags.json) {
    const wanted = flags.fields;
    const text = wanted ? (f: Found) => withFields(f, wanted) : jsonLine;
    return (found) => context.write(`${found.map(text).join('\n')}\n`);
  }
  const {paint, width} = context.terminal(flags.color);
  const options: LineOptions = {
    paint,
    width,
    ...(flags.fields && {fields: flags.fields}),
    ...(flags.allfields && {allFields: true}),
  };
  return (found) => {
    const lines = found.map((f) => {
      const event = parse(f.line);
      return event ? eventLine(f.id, event, options) : `[${f.id}] (no JSON)`;
    });
    context.write(`${lines.join('\n')}\n`);
  };
}

function withFields(found: Found, fields: readonly string[]): string {
  const event = JSON.parse(jsonLine(found)) as {data: unknown};
  if (typeof event.data !== 'object' || event.data === null) return JSON.stringify(event);
  const data = Object.fromEntries(Object.entries(event.data).filter(([k]) => fields.includes(k)));
  return JSON.stringify({...event, data});
}

function printSorted(
  context: Context,
  log: EventLog,
  query: EventQuery,
  flags: Flags,
  print: (found: readonly Found[]) => void,
): void {
  const field = flags.sort!;
  const keyed: {key: unknown; found: Found}[] = [];
  for (const batch of findEvents(log, query)) {
    for (const found of batch) keyed.push({key: sortKey(field, found), found});
  }
  if (keyed.length > 0 && keyed.every((k) => k.key === undefined)) {
    context.warn(`No event has the field ${field}.`);
  }
  const sign = flags.reverse ? 1 : -1;
  keyed.sort((a, b) => sign * compare(a.key, b.key) || a.found.id - b.found.id);
  for (let i = 0; i < keyed.length; i += 1000) print(keyed.slice(i, i + 1000).map((k) => k.found));
}

function sortKey(field: string, found: Found): unknown {
  const event = parse(found.line);
  if (field === 'id') return found.id;
  if (field === '_channel') return event?._channel;
  return event?.body[field === 'time' ? '_time' : field];
}

function compare(a: unknown, b: unknown): number {
  if (a === undefined || b === undefined) return a === b ? 0 : a === undefined ? -1 : 1;
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0;
}

/** Losses are said, on stderr, wherever events are listed. */
function sayLost(context: Context, session: Session): void {
  const status = readStatus(session.workdir);
  const lost = Object.entries(status?.lost ?? {}).filter(([, n]) => n > 0);
  if (lost.length === 0) return;
  context.warn(`Not recorded: ${lost.map(([cause, n]) => `${n} (${cause})`).join(', ')}`);
}

const FOLLOW_MS = 100;

async function follow(
  log: EventLog,
  session: Session,
  query: EventQuery,
  print: (f: readonly Found[]) => void,
): Promise<void> {
  const {last: _, ...rest} = query;
  let seen = log.count;
  for (;;) {
    const over = readStatus(session.workdir)?.state === 'ended' || !writerLives(session.workdir);
    log.refresh();
    for (const found of findEvents(log, {...rest, from: seen})) print(found);
    seen = log.count;
    if (over) return;
    await new Promise((resolve) => setTimeout(resolve, FOLLOW_MS));
  }
}
