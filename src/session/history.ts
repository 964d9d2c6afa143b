// SPDX-License-Identifier: Apache-2.0
/** The sessions there are: found, described, deleted. */
import {
  closeSync,
  existsSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  rmSync,
  statSync,
} from 'node:fs';
import {basename, join} from 'node:path';
import {ScopeError} from '../base/errors.js';
import {readCommit} from './commit.js';
import {EventLog} from './event-log.js';
import {FILES, historyDir, INDEX_FILES, parseName} from './layout.js';
import {processStart} from './lock.js';
import {readStatus, type SessionStatus} from './status.js';

export interface Session {
  id: number;
  /** Command name, as the folder says. */
  cmd: string;
  pid: number;
  /** Milliseconds since the epoch. */
  start: number;
  workdir: string;
}

/** All sessions of a home by ascending id; folders that are none are passed over. */
export function listSessions(home: string): Session[] {
  const dir = historyDir(home);
  let names: string[];
  try {
    names = readdirSync(dir);
  } catch {
    return [];
  }
  const sessions: Session[] = [];
  for (const name of names) {
    const parsed = parseName(name);
    if (parsed) sessions.push({...parsed, workdir: join(dir, name)});
  }
  return sessions.sort((a, b) => a.id - b.id || a.start - b.start);
}

/** The session with this id, or the last one for an id below 0. */
export function findSession(home: string, id: number): Session {
  const all = listSessions(home);
  if (all.length === 0) {
    throw new ScopeError('SCOPE_NOT_FOUND', 'No prior sessions found. Have you tried `scope run`?');
  }
  const session = id < 0 ? all[all.length - 1] : all.findLast((s) => s.id === id);
  if (!session) throw new ScopeError('SCOPE_NOT_FOUND', `session id ${id} not found`);
  return session;
}

/** argv of the command; empty when it is not known. */
export function sessionArgs(workdir: string): string[] {
  try {
    const json: unknown = JSON.parse(readFileSync(join(workdir, FILES.args), 'utf8'));
    const argv = Array.isArray(json) ? json : (json as {argv?: unknown}).argv;
    return Array.isArray(argv) ? argv.map(String) : [];
  } catch {
    return [];
  }
}

let bootTime: number | undefined;
/** Seconds since the epoch at boot. */
function booted(): number {
  bootTime ??= Number(/^btime (\d+)/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1] ?? 0);
  return bootTime;
}

/** Whether the pid is still the session's command: it began before the session did, being the launcher exec'd. */
export function commandLives(session: Session): boolean {
  const ticks = processStart(session.pid);
  if (ticks === undefined) return false;
  // USER_HZ is 100 on every Linux; btime is cut to a second.
  return (booted() + Number(ticks) / 100) * 1000 < session.start + 2000;
}

/** Whether anything of the session still runs: the command, or a child that the relay knows of. */
export function isRunning(session: Session): boolean {
  if (commandLives(session)) return true;
  const status = readStatus(session.workdir);
  return (
    status !== undefined &&
    status.state !== 'ended' &&
    (status.processes?.live ?? 0) > 0 &&
    writerLives(session.workdir)
  );
}

/** Whether a relay of this session lives. */
export function writerLives(workdir: string): boolean {
  return writerPid(workdir) !== undefined;
}

/** The process that writes this session now. */
export function writerPid(workdir: string): number | undefined {
  try {
    const [pid, start] = readFileSync(join(workdir, FILES.index, INDEX_FILES.lock), 'utf8').split(' ');
    const now = processStart(Number(pid));
    return now !== undefined && now === start ? Number(pid) : undefined;
  } catch {
    return undefined;
  }
}

/** Facts about a session for its listing. */
export interface Summary {
  /** Event lines; undefined when the events went elsewhere. */
  events: number | undefined;
  /** Milliseconds since the epoch; of the last event, or the session's start. */
  end: number;
  status: SessionStatus | undefined;
}

export function summarize(session: Session): Summary {
  const status = readStatus(session.workdir);
  const path = join(session.workdir, FILES.events);
  if (!existsSync(path)) return {events: undefined, end: session.start, status};
  const log = new EventLog(session.workdir);
  try {
    const count = log.count;
    return {
      events: count,
      end: Math.max(session.start, lastTime(log, count), exitTime(session.workdir)),
      status,
    };
  } finally {
    log.close();
  }
}

function lastTime(log: EventLog, count: number): number {
  if (count === 0) return 0;
  const time = /"_time":([\d.]+)/.exec(log.line(count - 1))?.[1];
  return time === undefined ? 0 : Number(time) * 1000;
}

/** Time of the last metric, from the end of metrics.json: later than the last event of a quiet program. */
function exitTime(workdir: string): number {
  const path = join(workdir, FILES.metrics);
  try {
    const size = Math.min(
      statSync(path).size,
      readCommit(join(workdir, FILES.index, INDEX_FILES.commit))?.metrics ?? Infinity,
    );
    const tail = readTail(path, size, 4096);
    const times = [...tail.matchAll(/"_time":([\d.]+)/g)];
    return Number(times.at(-1)?.[1] ?? 0) * 1000;
  } catch {
    return 0;
  }
}

function readTail(path: string, size: number, length: number): string {
  const fd = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(Math.min(size, length));
    const n = readSync(fd, bytes, 0, bytes.length, size - bytes.length);
    return bytes.toString('utf8', 0, n);
  } finally {
    closeSync(fd);
  }
}

/** Deletes the session's folder and its channel folder; the latter only where the launcher makes them. */
export function deleteSession(session: Session): void {
  const link = join(session.workdir, FILES.channels);
  try {
    if (lstatSync(link).isSymbolicLink()) {
      const target = readlinkSync(link);
      if (basename(target) === basename(session.workdir)) rmSync(target, {recursive: true, force: true});
    }
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
  }
  rmSync(session.workdir, {recursive: true, force: true});
}
