// SPDX-License-Identifier: Apache-2.0
/** The reading half of the channel: the only user of the native addon. Layer 1. */
export * from './file-lines.js';
export {openFolder} from './folder.js';
export * from './layout.js';
export * from './record.js';
export type * from './types.js';
