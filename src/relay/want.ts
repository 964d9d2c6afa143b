// SPDX-License-Identifier: Apache-2.0
/** Which records the library must make for given settings: the control block of a channel. */
import {type Control, WANT} from '../channel/index.js';
import {METRIC_EVENTS, metricName} from '../records/names.js';
import {eventsOn, metricsOn, type Settings} from './settings.js';

/** Whether a metric is shown as an event. */
export function metricEventOn(settings: Settings, name: string): boolean {
  if (!METRIC_EVENTS.has(name) || !eventsOn(settings, 'metric')) return false;
  return !(name === 'fs.open' || name === 'fs.close') || !eventsOn(settings, 'fs');
}

/** Whether a metric is reported one by one: by the verbosity, or as events. */
export function singleOn(settings: Settings, name: string): boolean {
  const row = metricName(name);
  if (row === undefined || row.single === 0 || row.single === 10) return false;
  if (metricEventOn(settings, name)) return true;
  return metricsOn(settings, row.watch) && settings.metrics.verbosity >= row.single;
}

/** The control block for a process with these settings. */
export function controlOf(settings: Settings): Pick<Control, 'want' | 'maxPerSec'> {
  const event = (type: Parameters<typeof eventsOn>[1]) => eventsOn(settings, type);
  const single = (...names: string[]) => names.some((name) => singleOn(settings, name));
  const payloads = settings.payload.enabled || settings.protocols.some((protocol) => protocol.payload);
  const http = event('http') || metricsOn(settings, 'http');
  // What is on a connection names it by its object: its addresses are in the record of its beginning.
  const streams = http || payloads || metricsOn(settings, 'statsd') || settings.protocols.length > 0;
  const rules: [boolean, number][] = [
    [event('fs') || single('fs.open', 'fs.delete', 'fs.read', 'fs.seek'), WANT.OPEN],
    [event('fs') && settings.events.enhanceFs, WANT.OPEN_MODE],
    [event('net') || single('net.open', 'net.rx') || streams, WANT.NET],
    [event('console'), WANT.CONSOLE],
    [event('file'), WANT.FILE],
    [http, WANT.HTTP],
    [event('dns') || metricsOn(settings, 'dns'), WANT.DNS],
    [settings.events.mdns, WANT.MDNS],
    [metricsOn(settings, 'statsd'), WANT.STATSD],
    [payloads, WANT.PAYLOAD],
    [settings.protocols.length > 0, WANT.DETECT],
    [single('fs.error', 'net.error'), WANT.CALL_ERROR],
    [single('fs.stat'), WANT.CALL_STAT],
    [single('fs.seek'), WANT.CALL_SEEK],
    [single('fs.read', 'fs.write', 'net.rx', 'net.tx'), WANT.CALL_IO],
    [true, WANT.PROCESS],
  ];
  let want = 0;
  for (const [on, bit] of rules) if (on) want |= bit;
  return {want, maxPerSec: settings.events.enabled ? settings.events.maxPerSec : 0};
}
