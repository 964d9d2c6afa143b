// SPDX-License-Identifier: Apache-2.0
/** `scope dash`: a live picture of one session. */
import {existsSync} from 'node:fs';
import {join} from 'node:path';
import type {Command} from 'commander';
import {type Config, loadConfig} from '../config/index.js';
import {LiveCounts} from '../relay/live.js';
import {countEvents} from '../session/event-counts.js';
import {EventLog} from '../session/event-log.js';
import {isRunning, type Session, sessionArgs, writerLives} from '../session/history.js';
import {FILES} from '../session/layout.js';
import {tailMetrics} from '../session/metric-log.js';
import {findEvents} from '../session/query.js';
import {readStatus} from '../session/status.js';
import type {Paint} from '../view/color.js';
import {footer, frame} from '../view/dash-frame.js';
import {DashModel} from '../view/dash-model.js';
import {Screen} from '../view/screen.js';
import {oneLine} from '../view/text.js';
import type {Action, Context} from './context.js';
import {idOption} from './options.js';
import {settledSession} from './settled.js';
import {packageVersion} from './version.js';

interface Flags {
  id: number;
}

const POLL_MS = 100;
const EVENTS_AT_START = 200;
/** Time between two looks at the counters of living processes. */
const LIVE_MS = 1000;

/** Events whose number a summary will say. */
const COUNTED = ['http.req', 'http.resp', 'dns.req', 'dns.resp'];
/** What is added up of their data: [source, field, metric]. */
const ADDED: readonly (readonly [string, string, string])[] = [
  ['http.resp', 'http_server_duration', 'http.duration.server'],
  ['http.resp', 'http_client_duration', 'http.duration.client'],
  ['http.resp', 'http_request_content_length', 'http.req.content_length'],
  ['http.resp', 'http_response_content_length', 'http.resp.content_length'],
  ['dns.resp', 'duration', 'dns.duration'],
];

export function defineDash(
  command: Command,
  run: (action: (context: Context) => Action) => Promise<void>,
): void {
  command
    .description('show a session live; q quits')
    .addOption(idOption())
    .action((flags: Flags) => run((context) => dash(context, flags)));
}

async function dash(context: Context, flags: Flags): Action {
  const session = await settledSession(context, flags.id);
  const feed = new Feed(session);
  try {
    feed.poll();
    const terminal = context.terminal();
    if (!terminal.isTty || !process.stdin.isTTY) {
      const width = Number.isFinite(terminal.width) ? terminal.width : 100;
      const size = {width, height: Number(context.env.LINES) || 30};
      for (const line of picture(session, feed.model, {...size, paint: terminal.paint}))
        context.print(line.trimEnd());
      return 0;
    }
    await live(context, session, feed);
    return 0;
  } finally {
    feed.close();
  }
}

/** Reads what is new in the session's files and, while it goes on, in its channels. */
class Feed {
  readonly model: DashModel;
  readonly #log: EventLog;
  readonly #workdir: string;
  readonly #live: LiveCounts | undefined;
  #metrics = 0;
  #events: number;
  /** Those before are shown, not counted: they are of another time. */
  readonly #counted: number;
  #liveAt = 0;

  constructor(session: Session) {
    this.#workdir = session.workdir;
    this.#log = new EventLog(session.workdir);
    this.#counted = this.#log.count;
    this.#events = Math.max(0, this.#counted - EVENTS_AT_START);
    const config = goesOn(session) ? configOf(session.workdir) : undefined;
    const since = Date.now() / 1000;
    this.#live = config && new LiveCounts(join(session.workdir, FILES.channels), config);
    this.model = new DashModel({
      isAlive: (pid) => existsSync(`/proc/${pid}`),
      now: () => (goesOn(session) ? Date.now() / 1000 : undefined),
      ...(this.#live && {live: {since, pids: this.#live.pids}}),
    });
  }

  poll(): void {
    this.#metrics = tailMetrics(this.#workdir, this.#metrics, (m) => this.model.addMetric(m));
    if (this.#live !== undefined && Date.now() - this.#liveAt >= LIVE_MS) {
      this.#liveAt = Date.now();
      for (const {name, value, time, process, attributes} of this.#live.read())
        this.model.addLive({name, value, time, pid: process.pid, count: Number(attributes.numops ?? 1)});
    }
    this.#log.refresh();
    const count = this.#log.count;
    if (count > this.#events) this.#addEvents(count);
    this.#events = count;
    this.model.totalEvents = count;
  }

  #addEvents(count: number): void {
    const counts = new Map<string, number>();
    const time = Date.now() / 1000;
    if (this.#live !== undefined)
      countEvents(this.#log, Math.max(this.#events, this.#counted), COUNTED, (name, pid, n) => {
        counts.set(name, (counts.get(name) ?? 0) + n);
        if (name.endsWith('.req')) this.model.addLive({name, value: n, count: n, pid, time});
      });
    const shown = [];
    const from = Math.max(this.#events, count - EVENTS_AT_START);
    for (const found of findEvents(this.#log, {from})) shown.push(...found);
    for (const {id, line} of shown) this.model.addEvent(id, line);
    if (counts.size === 0) return;
    const fresh = shown.filter(({id}) => id >= this.#counted);
    const parsed = fresh.map(({line}) => (JSON.parse(line) as {body: EventBody}).body);
    for (const [source, field, name] of ADDED) {
      const those = parsed.filter((body) => body.source === source);
      // Of many events only the last are read: they stand for all.
      const weight = (counts.get(source) ?? 0) / those.length;
      for (const {pid, data} of those) {
        const value = data[field];
        if (typeof value === 'number')
          this.model.addLive({name, value: value * weight, count: weight, pid, time});
      }
    }
  }

  close(): void {
    this.#log.close();
  }
}

interface EventBody {
  source: string;
  pid: number;
  data: Record<string, unknown>;
}

/** As the launcher left it; undefined when it is not there. */
function configOf(workdir: string): Config | undefined {
  const file = join(workdir, FILES.config);
  return existsSync(file) ? loadConfig({file, env: {}, cwd: workdir, literal: true}) : undefined;
}

/** Whether reports may still come. */
function goesOn(session: Session): boolean {
  return readStatus(session.workdir)?.state === 'running' && writerLives(session.workdir);
}

function picture(
  session: Session,
  model: DashModel,
  size: {width: number; height: number; paint: Paint},
): string[] {
  const command = oneLine(sessionArgs(session.workdir).join(' ')) || session.cmd;
  const state = isRunning(session) ? 'running' : 'ended';
  return frame(model, {
    ...size,
    title: `AppScope ${packageVersion()} · session ${session.id} · ${command} · ${state}`,
    footer: footer(model),
  });
}

async function live(context: Context, session: Session, feed: Feed): Promise<void> {
  const {paint} = context.terminal();
  const screen = new Screen((text) => context.write(text));
  const draw = () => {
    const [width, height] = [process.stdout.columns ?? 80, process.stdout.rows ?? 24];
    screen.draw(picture(session, feed.model, {width, height, paint}));
  };
  const resized = () => {
    screen.reset();
    draw();
  };
  screen.open();
  process.stdin.setRawMode(true);
  process.stdout.on('resize', resized);
  const timer = setInterval(() => {
    feed.poll();
    draw();
  }, POLL_MS);
  try {
    draw();
    await quit();
  } finally {
    clearInterval(timer);
    process.stdout.off('resize', resized);
    process.stdin.setRawMode(false);
    process.stdin.pause();
    screen.close();
  }
}

/** Until q, Escape, Ctrl-C or a signal. */
function quit(): Promise<void> {
  return new Promise((resolve) => {
    process.stdin.on('data', (keys: Buffer) => {
      const text = keys.toString('latin1');
      if (text === '\u001b' || ['q', 'Q', '\u0003'].some((key) => text.includes(key))) resolve();
    });
    process.stdin.on('end', () => resolve());
    for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
}
