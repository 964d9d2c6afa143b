// SPDX-License-Identifier: Apache-2.0
/** `scope dash`: a live picture of one session. */
import {existsSync} from 'node:fs';
import type {Command} from 'commander';
import {EventLog} from '../session/event-log.js';
import {isRunning, type Session, sessionArgs, writerLives} from '../session/history.js';
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

/** Reads what is new in the session's files. */
class Feed {
  readonly model: DashModel;
  readonly #log: EventLog;
  readonly #workdir: string;
  #metrics = 0;
  #events: number;

  constructor(session: Session) {
    this.#workdir = session.workdir;
    this.#log = new EventLog(session.workdir);
    this.model = new DashModel({
      isAlive: (pid) => existsSync(`/proc/${pid}`),
      now: () => (goesOn(session) ? Date.now() / 1000 : undefined),
    });
    this.#events = Math.max(0, this.#log.count - EVENTS_AT_START);
  }

  poll(): void {
    this.#metrics = tailMetrics(this.#workdir, this.#metrics, (m) => this.model.addMetric(m));
    this.#log.refresh();
    const from = Math.max(this.#events, this.#log.count - EVENTS_AT_START);
    for (const found of findEvents(this.#log, {from}))
      for (const f of found) this.model.addEvent(f.id, f.line);
    this.#events = this.#log.count;
    this.model.totalEvents = this.#log.count;
  }

  close(): void {
    this.#log.close();
  }
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
