// SPDX-License-Identifier: Apache-2.0
/** The sources, in the order they see a record and report. The process and its counters come first (pipeline.ts). */
import {callSource} from './calls.js';
import {consoleSource} from './console.js';
import {fileSource} from './file.js';
import {netSource} from './net.js';
import type {SourceKind} from './source.js';

export const SOURCES: readonly SourceKind[] = [fileSource, callSource, netSource, consoleSource];
