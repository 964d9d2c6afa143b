// SPDX-License-Identifier: Apache-2.0
/** `scope history`: the sessions, one session in detail, or their folders. */
import {basename, join} from 'node:path';
import {type Command, Option} from 'commander';
import {
  commandLives,
  findSession,
  isRunning,
  listSessions,
  type Session,
  type Summary,
  sessionArgs,
  summarize,
  writerLives,
} from '../session/history.js';
import {FILES} from '../session/layout.js';
import {readStatus} from '../session/status.js';
import {type Column, fields, table} from '../view/table.js';
import {cut, duration, oneLine, shellQuote, shortTime} from '../view/text.js';
import {type Action, type Context, refuseTogether} from './context.js';
import {givenIn, integer} from './options.js';
import {settleSession} from './settled.js';

interface Flags {
  all?: boolean;
  running?: boolean;
  last: number;
  id?: number;
  dir?: boolean;
  json?: boolean;
}

export function defineHistory(
  command: Command,
  run: (action: (context: Context) => Action) => Promise<void>,
): void {
  command
    .description('list sessions')
    .option('-a, --all', 'list all sessions')
    .option('-r, --running', 'list only sessions that still run')
    .addOption(
      new Option('-n, --last <number>', 'list the last N sessions').argParser(integer(1)).default(20),
    )
    .addOption(new Option('-i, --id <number>', 'show this session in detail').argParser(integer(0)))
    .option(
      '-d, --dir',
      'print only the folder: of the last session, or of the sessions chosen by other flags',
    )
    .option('-j, --json', 'write one JSON object for each session')
    .action((flags: Flags) => run((context) => history(context, command, flags)));
}

async function history(context: Context, command: Command, flags: Flags): Action {
  const given = givenIn(command);
  refuseTogether(given, [
    ['all', ['running', 'last', 'id']],
    ['running', ['id']],
    ['last', ['id']],
    ['dir', ['json']],
  ]);
  const one = flags.id !== undefined || (flags.dir && !['all', 'running', 'last'].some(given));
  const sessions = one ? [findSession(context.home, flags.id ?? -1)] : choose(context, flags);
  if (flags.dir) {
    for (const s of sessions) context.print(s.workdir);
    return 0;
  }
  await settleFinished(context, sessions);
  if (flags.json) for (const s of sessions) context.print(JSON.stringify(object(s)));
  else if (flags.id !== undefined) showDetail(context, sessions[0]!);
  else showList(context, flags, sessions);
  return 0;
}

function choose(context: Context, flags: Flags): Session[] {
  const all = listSessions(context.home);
  if (all.length === 0) findSession(context.home, -1);
  if (flags.running) return all.filter(isRunning);
  return flags.all ? all : all.slice(-flags.last);
}

const AT_ONCE = 4;
const SETTLE_MS = 10_000;

/** Sessions whose command has ended are about to be complete: a moment is given for that. */
async function settleFinished(context: Context, sessions: readonly Session[]): Promise<void> {
  const open = sessions.filter((s) => readStatus(s.workdir)?.state !== 'ended' && !commandLives(s));
  // A few at a time: each may need a relay of its own.
  for (let i = 0; i < open.length; i += AT_ONCE) {
    await Promise.all(open.slice(i, i + AT_ONCE).map((s) => settleSession(context, s, SETTLE_MS)));
  }
}

/** When the session ended, or now. */
function endOf(session: Session, summary: Summary): number {
  return isRunning(session) ? Date.now() : summary.end;
}

function showList(context: Context, flags: Flags, sessions: readonly Session[]): void {
  const {paint, width} = context.terminal();
  context.print(headline(flags, sessions.length));
  const columns: Column[] = [
    {title: 'Id', right: true, colour: 'blue'},
    {title: 'Command', shrink: true, min: 8, colour: 'green'},
    {title: 'Cmdline', shrink: true, min: 8},
    {title: 'Pid', right: true},
    {title: 'Age'},
    {title: 'Duration'},
    {title: 'Total events', right: true},
  ];
  const rows = sessions.map((s) => {
    const summary = summarize(s);
    return [
      String(s.id),
      s.cmd,
      cut(oneLine(cmdline(s)), 26),
      String(s.pid),
      duration(Date.now() - s.start),
      duration(endOf(s, summary) - s.start),
      summary.events === undefined ? 'NA' : String(summary.events),
    ];
  });
  for (const line of table(columns, rows, width, paint)) context.print(line);
}

function headline(flags: Flags, shown: number): string {
  if (flags.all) return 'Displaying all sessions';
  if (flags.running) return 'Displaying running sessions';
  return `Displaying last ${shown} sessions`;
}

function cmdline(session: Session): string {
  return sessionArgs(session.workdir).map(shellQuote).join(' ');
}

function showDetail(context: Context, session: Session): void {
  const {paint} = context.terminal();
  const summary = summarize(session);
  const path = (name: string) => join(session.workdir, name);
  const end = endOf(session, summary);
  const pairs: [string, string][] = [
    ['ID', String(session.id)],
    ['Command', session.cmd],
    ['Cmdline', oneLine(cmdline(session))],
    ['PID', String(session.pid)],
    ['Running', isRunning(session) ? 'yes' : 'no'],
    ['Timestamp', shortTime(session.start)],
    ['End Timestamp', shortTime(end)],
    ['Age', duration(Date.now() - session.start)],
    ['Duration', duration(end - session.start)],
    ['Total Events', summary.events === undefined ? 'NA' : String(summary.events)],
    ['WorkDir', session.workdir],
    ['ArgsPath', path(FILES.args)],
    ['ConfigPath', path(FILES.config)],
    ['EventsPath', path(FILES.events)],
    ['MetricsPath', path(FILES.metrics)],
    ...statusPairs(session, summary),
  ];
  for (const line of fields(pairs, paint)) context.print(line);
}

function statusPairs(session: Session, summary: Summary): [string, string][] {
  const {status} = summary;
  if (!status) return [];
  const lost = Object.entries(status.lost ?? {}).filter(([, n]) => n > 0);
  return [
    ['Relay', status.state !== 'ended' && !writerLives(session.workdir) ? 'gone' : status.state],
    ['Processes', status.processes ? `${status.processes.seen}, ${status.processes.live} running` : ''],
    ['Not recorded', lost.length === 0 ? 'nothing' : lost.map(([c, n]) => `${n} (${c})`).join(', ')],
    ...destinationPairs(status.destinations ?? {}, session.workdir),
    ...(status.notes?.length ? [['Notes', status.notes.map(oneLine).join('\n')] as [string, string]] : []),
  ];
}

interface Books {
  state?: string;
  sent?: number;
  queued?: number;
  dropped?: Record<string, number>;
  reason?: string;
}

/** How to send what a session that is over could not send. */
function left(state: string | undefined, workdir: string): string {
  return state === 'stopped' ? ` on disk (scope relay flush ${workdir})` : '';
}

/** What each remote destination got: sent, waiting, dropped and why. */
function destinationPairs(destinations: Record<string, unknown>, workdir: string): [string, string][] {
  return Object.entries(destinations).map(([name, value]) => {
    const {state, sent, queued, dropped, reason} = value as Books;
    const lost = Object.entries(dropped ?? {}).filter(([, n]) => n > 0);
    const parts = [
      `${sent ?? 0} sent`,
      ...(queued ? [`${queued} waiting${left(state, workdir)}`] : []),
      ...lost.map(([cause, n]) => `${n} dropped (${cause})`),
    ];
    const trouble = reason === undefined ? '' : `; ${state}: ${oneLine(reason)}`;
    return [`To ${name}`, `${parts.join(', ')}${trouble}`];
  });
}

function object(session: Session): Record<string, unknown> {
  const summary = summarize(session);
  const end = endOf(session, summary);
  return {
    id: session.id,
    command: session.cmd,
    argv: sessionArgs(session.workdir),
    pid: session.pid,
    running: isRunning(session),
    start: session.start / 1000,
    duration: Math.max(0, end - session.start) / 1000,
    events: summary.events ?? null,
    workdir: session.workdir,
    name: basename(session.workdir),
    lost: summary.status?.lost ?? {},
    destinations: summary.status?.destinations ?? {},
    notes: summary.status?.notes ?? [],
  };
}
