// SPDX-License-Identifier: Apache-2.0
/** Entry of everything in Node. The only caller of process.exit. */
import {runCli} from './cli.js';
import {createContext} from './context.js';

// A closed pipe (`scope events | head`) ends us quietly, as it ends other commands.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1);
});

const status = await runCli(process.argv.slice(2), createContext(process.env));
// What a pipe has not yet taken is written first.
process.stdout.write('', () => process.exit(status));
