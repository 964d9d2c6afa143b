// SPDX-License-Identifier: Apache-2.0
/** The sources, in the order they see a record and report. The process and its counters come first (pipeline.ts). */
import {callSource} from './calls.js';
import {consoleSource} from './console.js';
import {detectSource} from './detect.js';
import {dnsSource} from './dns.js';
import {fileSource} from './file.js';
import {httpSource} from './http.js';
import {netSource} from './net.js';
import {payloadSource} from './payload.js';
import type {SourceKind} from './source.js';
import {statsdSource} from './statsd.js';

export const SOURCES: readonly SourceKind[] = [
  fileSource,
  callSource,
  // Before net: it forgets a connection at its close.
  detectSource,
  dnsSource,
  httpSource,
  statsdSource,
  payloadSource,
  netSource,
  consoleSource,
];
