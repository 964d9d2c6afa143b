// SPDX-License-Identifier: Apache-2.0
/** `scope relay config` and `scope relay status`. */
import {configText, effectiveValues} from '../config/index.js';
import {isAlive, readStatus, type ServiceStatus} from '../relay/service/status.js';
import {type Column, table} from '../view/table.js';
import type {Action, Context} from './context.js';
import {loadRelay, type RelayFlags, relayFolders, withConfig} from './relay.js';

export function showConfig(
  context: Context,
  flags: RelayFlags & {effective?: boolean; json?: boolean},
): Action {
  return withConfig(context, async () => {
    const loaded = loadRelay(context, flags);
    if (!flags.effective) {
      context.write(configText(loaded.config, true));
      return 0;
    }
    const values = effectiveValues(loaded);
    if (flags.json) {
      for (const value of values) context.print(JSON.stringify(value));
      return 0;
    }
    const lines = values.map(({key, value}) => `${key}: ${JSON.stringify(value)}`);
    const width = Math.min(70, Math.max(...lines.map((line) => line.length)));
    values.forEach(({origin}, i) => {
      context.print(`${lines[i]!.padEnd(width)}  # ${origin}`);
    });
    return 0;
  });
}

/** Status 1 when no relay runs; what it left is shown all the same. */
export function showStatus(context: Context, flags: RelayFlags & {json?: boolean}): Action {
  return withConfig(context, async () => {
    const {stateDir} = relayFolders(context, loadRelay(context, flags).config);
    const status = readStatus(stateDir);
    const alive = isAlive(status);
    if (flags.json) context.print(JSON.stringify({...status, alive}));
    else print(context, status, alive);
    return alive ? 0 : 1;
  });
}

const COLUMNS: readonly Column[] = [
  {title: 'exporter'},
  {title: 'type'},
  {title: 'state'},
  {title: 'accepted', right: true},
  {title: 'sent', right: true},
  {title: 'queued', right: true},
  {title: 'retried', right: true},
  {title: 'dropped', shrink: true},
  {title: 'lag', right: true},
  {title: 'reason', shrink: true, min: 12},
];

function seconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)}ms` : `${(ms / 1000).toFixed(1)}s`;
}

function print(context: Context, status: ServiceStatus, alive: boolean): void {
  const state = alive ? status.state : `not running (last seen ${status.updated})`;
  context.print(`relay ${status.version} pid ${status.pid}: ${state} since ${status.started}`);
  context.print(
    `configuration ${status.config || 'defaults'} of ${status.configLoaded}${status.configError === undefined ? '' : '; a newer one was refused:'}`,
  );
  if (status.configError !== undefined) context.print(status.configError);
  const lost = Object.entries(status.lost).filter(([, count]) => count > 0);
  context.print(
    `channels ${status.dir}: ${status.processes.live} processes now, ${status.processes.seen} seen, ${status.records} records, ` +
      `${status.unrouted} unrouted, lost: ${lost.length === 0 ? 'none' : lost.map(([cause, count]) => `${cause} ${count}`).join(', ')}`,
  );
  if (status.keepingTags !== undefined)
    context.print(
      `${status.keepingTags} processes keep the tags of an earlier configuration until their next exec: to destinations tags are a part of who a process is`,
    );
  for (const note of status.notes ?? []) context.print(`not seen: ${note}`);
  const rows = status.exporters.map((one) => [
    one.name,
    one.type,
    one.state,
    String(one.accepted),
    String(one.sent),
    String(one.queued),
    String(one.retried),
    Object.entries(one.dropped)
      .filter(([, count]) => count > 0)
      .map(([reason, count]) => `${reason} ${count}`)
      .join(', ') || '0',
    seconds(one.lagMs),
    one.state === 'ok' ? '' : (one.reason ?? ''),
  ]);
  context.print('');
  const {width, paint} = context.terminal();
  for (const line of table(COLUMNS, rows, width, paint)) context.print(line);
}
