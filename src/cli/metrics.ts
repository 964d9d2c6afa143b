// SPDX-License-Identifier: Apache-2.0
/** `scope metrics`: the metrics of a session as a table, as columns, as a graph. */
import {type Command, Option} from 'commander';
import {type MetricLine, readMetrics} from '../session/metric-log.js';
import {graph} from '../view/graph.js';
import {type Column, table} from '../view/table.js';
import {type Action, type Context, refuseTogether, UsageError} from './context.js';
import {givenIn, idOption, list} from './options.js';
import {settledSession} from './settled.js';

interface Flags {
  id: number;
  metric?: string[];
  graph?: boolean;
  cols?: boolean;
  uniq?: boolean;
  json?: boolean;
}

export function defineMetrics(
  command: Command,
  run: (action: (context: Context) => Action) => Promise<void>,
): void {
  command
    .description('list the metrics of a session')
    .addOption(idOption())
    .addOption(
      new Option(
        '-m, --metric <name>',
        'only these metrics; comma-separated or repeated, `net.*` for a group',
      ).argParser(list),
    )
    .option('-g, --graph', 'draw the values of each metric given by -m')
    .option('-c, --cols', 'one row for each time, one column for each metric given by -m')
    .option('-u, --uniq', 'only the first of each name')
    .option('-j, --json', 'write NDJSON')
    .action((flags: Flags) => run((context) => metrics(context, command, flags)));
}

async function metrics(context: Context, command: Command, flags: Flags): Action {
  refuseTogether(givenIn(command), [
    ['graph', ['cols', 'uniq', 'json']],
    ['cols', ['json']],
  ]);
  for (const flag of ['graph', 'cols'] as const) {
    if (flags[flag] && !flags.metric?.length) throw new UsageError(`--${flag} needs --metric`);
  }
  const session = await settledSession(context, flags.id);
  const all = readMetrics(session.workdir, flags.metric && chooser(flags.metric));
  const rows = flags.uniq ? firstOfEach(all) : all;
  if (rows.length === 0) {
    context.print(
      flags.metric ? `No metrics available named ${flags.metric.join(', ')}` : 'No metrics available',
    );
    return 0;
  }
  if (flags.json) for (const row of rows) context.print(JSON.stringify(row));
  else if (flags.graph) showGraphs(context, rows);
  else if (flags.cols) showColumns(context, rows);
  else showTable(context, rows);
  return 0;
}

/** Whether `-m` chooses a metric. */
function chooser(names: readonly string[]): (name: string) => boolean {
  return (name) => names.some((n) => (n.endsWith('*') ? name.startsWith(n.slice(0, -1)) : n === name));
}

function firstOfEach(rows: MetricLine[]): MetricLine[] {
  const seen = new Set<string>();
  return rows.filter((r) => !seen.has(r._metric) && seen.add(r._metric));
}

const TYPES: Record<string, string> = {
  counter: 'Count',
  gauge: 'Gauge',
  timer: 'Timer',
  histogram: 'Histogram',
  set: 'Set',
};
const OWN_COLUMNS = new Set(['_metric', '_metric_type', '_value', '_time', 'unit', 'pid']);

/** Whole numbers in full, others with two decimals. */
function valueText(value: unknown): string {
  if (typeof value !== 'number') return String(value);
  return Number.isInteger(value) ? String(value) : String(Number(value.toFixed(2)));
}

function showTable(context: Context, rows: readonly MetricLine[]): void {
  const columns: Column[] = [
    {title: 'Name', colour: 'green'},
    {title: 'Value', right: true, colour: 'brightBlue'},
    {title: 'Type'},
    {title: 'Unit'},
    {title: 'Pid', right: true},
    {title: 'Tags', shrink: true, min: 10},
  ];
  const terminal = context.terminal();
  const cells = rows.map((r) => {
    const tags = Object.keys(r)
      .filter((k) => !OWN_COLUMNS.has(k))
      .sort();
    return [
      r._metric,
      valueText(r._value),
      TYPES[r._metric_type] ?? r._metric_type,
      String(r.unit ?? ''),
      String(r.pid ?? ''),
      tags.map((k) => `${k}: ${String(r[k])}`).join(','),
    ];
  });
  for (const line of table(columns, cells, terminal.width, terminal.paint)) context.print(line);
}

function showColumns(context: Context, rows: readonly MetricLine[]): void {
  const names = [...new Set(rows.map((r) => r._metric))];
  const series = names.map((n) => rows.filter((r) => r._metric === n).map((r) => valueText(r._value)));
  const depth = Math.max(...series.map((s) => s.length));
  const cells = Array.from({length: depth}, (_, i) => series.map((s) => s[i] ?? ''));
  const terminal = context.terminal();
  const columns = names.map((title): Column => ({title, right: true}));
  for (const line of table(columns, cells, terminal.width, terminal.paint)) context.print(line);
}

function showGraphs(context: Context, rows: readonly MetricLine[]): void {
  const terminal = context.terminal();
  const names = [...new Set(rows.map((r) => r._metric))];
  names.forEach((name, i) => {
    const own = rows.filter((r) => r._metric === name);
    const values = own.map((r) => r._value).filter((v) => typeof v === 'number');
    if (values.length === 0) return;
    if (i > 0) context.print('');
    const title = terminal.paint('bold', `${name}${own[0]!.unit ? ` (${own[0]!.unit})` : ''}`);
    for (const line of graph(title, values, terminal.width)) context.print(line);
  });
}
