// SPDX-License-Identifier: Apache-2.0
/** Entry of everything in Node. The only caller of process.exit. */

async function run(argv: readonly string[]): Promise<number> {
  const [word, workdir] = argv;
  // A session's relay begins to drain before the CLI is loaded; what it throws ends it, with the reason in relay.log.
  if (word === 'session' && argv.length === 2 && !workdir!.startsWith('-')) {
    return (await import('./session.js')).session(workdir!, process.env);
  }
  const [{runCli}, {createContext}] = await Promise.all([import('./cli.js'), import('./context.js')]);
  return runCli(argv, createContext(process.env));
}

// A closed pipe (`scope events | head`) ends us quietly, as it ends other commands.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1);
});

const status = await run(process.argv.slice(2));
// What a pipe has not yet taken is written first.
process.stdout.write('', () => process.exit(status));
