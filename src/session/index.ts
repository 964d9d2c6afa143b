// SPDX-License-Identifier: Apache-2.0
/** The session store: what the relay and the CLI use of it. */
export {FILES, historyDir, INDEX_FILES, parseName, scopeHome} from './layout.js';
export {readStatus, writeStatus} from './status.js';
export {
  type LineEncoder,
  openSession,
  type RelayState,
  type SessionOptions,
  type SessionStatus,
  type SessionWriter,
  tryOpenSession,
} from './writer.js';
