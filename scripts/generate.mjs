// SPDX-License-Identifier: Apache-2.0
// Writes what is generated from config/scope.schema.json. With --check it writes nothing and fails when a file is stale.
import {existsSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {dirname} from 'node:path';
import {generateDocs} from './generate/docs.mjs';
import {generateTypes} from './generate/types.mjs';
import {generateValidator} from './generate/validator.mjs';
import {generateWatch} from './generate/watch.mjs';

const schema = JSON.parse(readFileSync('config/scope.schema.json', 'utf8'));
const files = {
  'src/config/types.ts': generateTypes(schema),
  'src/config/validator.js': generateValidator(schema),
  'docs/config.md': generateDocs(schema, readFileSync('scripts/generate/config-head.md', 'utf8')),
  'native/include/scope/watch_default.h': await generateWatch(),
};

const check = process.argv.includes('--check');
const stale = [];
for (const [path, text] of Object.entries(files)) {
  if (existsSync(path) && readFileSync(path, 'utf8') === text) continue;
  stale.push(path);
  if (check) continue;
  mkdirSync(dirname(path), {recursive: true});
  writeFileSync(path, text);
}
for (const path of stale) console.log(check ? `stale: ${path} (npm run generate)` : `wrote ${path}`);
if (check && stale.length > 0) process.exitCode = 1;
