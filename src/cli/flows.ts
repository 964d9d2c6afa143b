// SPDX-License-Identifier: Apache-2.0
/** `scope flows`: the connections of a session, one of them, or its captured bytes. */
import {createReadStream} from 'node:fs';
import {join} from 'node:path';
import {pipeline} from 'node:stream/promises';
import {type Command, Option} from 'commander';
import {ScopeError} from '../base/errors.js';
import {type Flow, inNetwork, readFlows} from '../session/flows.js';
import {type Column, fields, table} from '../view/table.js';
import {duration, shortTime, size} from '../view/text.js';
import {type Action, type Context, refuseTogether, UsageError} from './context.js';
import {givenIn, idOption, integer} from './options.js';
import {settledSession} from './settled.js';

interface Flags {
  id: number;
  in?: boolean;
  out?: boolean;
  last: number;
  all?: boolean;
  json?: boolean;
  sort?: string;
  reverse?: boolean;
  peer?: string;
}

export function defineFlows(
  command: Command,
  run: (action: (context: Context) => Action) => Promise<void>,
): void {
  command
    .description('list the connections of a session, or show one')
    .argument('[flowId]', 'the connection to show in full')
    .addOption(idOption())
    .option('--in', 'write the bytes that the connection received')
    .option('--out', 'write the bytes that it sent')
    .addOption(new Option('-n, --last <number>', 'show the last N').argParser(integer(1)).default(20))
    .option('-a, --all', 'show all')
    .option('-j, --json', 'write NDJSON')
    .option('-s, --sort <field>', 'sort descending by a field of the JSON')
    .option('-r, --reverse', 'sort ascending')
    .option('-p, --peer <network>', 'only peers in this network, e.g. 10.0.0.0/8')
    .action((flowId: string | undefined, flags: Flags) =>
      run((context) => flows(context, command, flowId, flags)),
    );
}

async function flows(context: Context, command: Command, flowId: string | undefined, flags: Flags): Action {
  const bytes = ['last', 'all', 'json', 'sort', 'reverse', 'peer'];
  refuseTogether(givenIn(command), [
    ['in', ['out', ...bytes]],
    ['out', bytes],
    ['last', ['all']],
    ['all', ['peer']],
  ]);
  if ((flags.in || flags.out) && flowId === undefined)
    throw new UsageError('--in and --out need the ID of a flow');
  const peer = flags.peer === undefined ? undefined : peerFilter(flags.peer);
  const session = await settledSession(context, flags.id);
  const all = readFlows(session.workdir);
  if (flowId !== undefined) return showOne(context, all, flowId, flags);
  const chosen = sorted(choose(peer ? all.filter((f) => peer(f.net_peer_ip)) : all, flags), flags);
  if (chosen.length === 0) {
    context.warn('No flows.');
    return 0;
  }
  if (flags.json) for (const flow of chosen) context.print(JSON.stringify(flow));
  else showTable(context, chosen);
  return 0;
}

function peerFilter(cidr: string): (ip: string) => boolean {
  const filter = inNetwork(cidr);
  if (!filter) throw new UsageError(`--peer: ${cidr}: expected a network such as 10.0.0.0/8`, 2);
  return filter;
}

const choose = (all: Flow[], flags: Flags) => (flags.all ? all : all.slice(-flags.last));

function sorted(chosen: Flow[], flags: Flags): Flow[] {
  const {sort} = flags;
  if (sort === undefined) return flags.reverse ? chosen.reverse() : chosen;
  const key = sort as keyof Flow;
  if (chosen.length > 0 && !Object.hasOwn(chosen[0]!, key)) {
    throw new UsageError(`--sort: ${sort}: expected one of ${Object.keys(chosen[0]!).join(', ')}`, 1);
  }
  const sign = flags.reverse ? 1 : -1;
  return chosen.sort((a, b) => sign * (a[key] < b[key] ? -1 : a[key] > b[key] ? 1 : 0));
}

async function showOne(context: Context, all: readonly Flow[], flowId: string, flags: Flags): Action {
  const flow = all.find((f) => f.id === flowId);
  if (!flow) throw new ScopeError('SCOPE_NOT_FOUND', `could not find flow for id ${flowId}`);
  if (flags.in || flags.out) {
    const file = flags.in ? flow.in_file : flow.out_file;
    if (file === '') {
      throw new ScopeError('SCOPE_NOT_FOUND', 'Error opening payload file, did you enable payloads with -p?');
    }
    await pipeline(createReadStream(join(flow.basedir, file)), process.stdout, {end: false});
    return 0;
  }
  if (flags.json) {
    context.print(JSON.stringify(flow));
    return 0;
  }
  for (const line of fields(detail(flow), context.terminal().paint)) context.print(line);
  return 0;
}

function detail(f: Flow): [string, string][] {
  return [
    ['ID', f.id],
    ['Host IP', f.net_host_ip],
    ['Host Port', String(f.net_host_port)],
    ['Peer IP', f.net_peer_ip],
    ['Peer Port', String(f.net_peer_port)],
    ['Proc', f.proc],
    ['PID', String(f.pid)],
    ['Last Sent', shortTime(f.last_sent_time * 1000)],
    ['Duration', f.duration === 0 ? 'open' : flowDuration(f.duration)],
    ['Bytes Recv', size(f.net_bytes_recv)],
    ['Bytes Sent', size(f.net_bytes_sent)],
    ['Protocol', f.net_protocol || f.net_transport],
    ['Close Reason', f.net_close_reason],
    ['Base Dir', f.basedir],
    ['In File', f.in_file],
    ['Out File', f.out_file],
  ];
}

/** Down to microseconds, as Go writes durations. */
function flowDuration(ns: number): string {
  if (ns < 1e6) return `${Math.round(ns / 1e3)}µs`;
  return ns < 1e9
    ? `${(ns / 1e6).toFixed(1)}ms`
    : ns < 6e10
      ? `${(ns / 1e9).toFixed(2)}s`
      : duration(ns / 1e6);
}

function showTable(context: Context, flows: readonly Flow[]): void {
  const {width, paint} = context.terminal();
  const wide = width > 145;
  const columns: Column[] = [
    {title: 'Id', colour: 'blue'},
    {title: 'Host IP', shrink: true, min: 9},
    {title: 'Host Port', right: true},
    {title: 'Peer IP', shrink: true, min: 9},
    {title: 'Peer Port', right: true},
    {title: 'Last Sent'},
    {title: 'Duration'},
    ...(wide
      ? [{title: 'Bytes Recv', right: true}, {title: 'Bytes Sent', right: true}, {title: 'Protocol'}]
      : []),
  ];
  const rows = flows.map((f) => [
    f.id,
    f.net_host_ip,
    String(f.net_host_port),
    f.net_peer_ip,
    String(f.net_peer_port),
    duration(Date.now() - f.last_sent_time * 1000),
    f.duration === 0 && f.net_close_reason === '' ? 'open' : flowDuration(f.duration),
    ...(wide ? [size(f.net_bytes_recv), size(f.net_bytes_sent), f.net_protocol || f.net_transport] : []),
  ]);
  for (const line of table(columns, rows, width, paint)) context.print(line);
}
