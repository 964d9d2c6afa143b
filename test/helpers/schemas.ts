// SPDX-License-Identifier: Apache-2.0
/** Checks NDJSON lines against the schemas of AppScope 1.x in test/fixtures/schemas. */
import {existsSync, readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {Ajv} from 'ajv';

const DIR = join(import.meta.dirname, '../fixtures/schemas');
const ajv = new Ajv({strict: false, allErrors: true});

function read(path: string): {$id: string} {
  return JSON.parse(readFileSync(join(DIR, path), 'utf8')) as {$id: string};
}

for (const file of readdirSync(join(DIR, 'definitions'))) ajv.addSchema(read(join('definitions', file)));

/** Their schemas are those of the fs and net events of the same name. */
const AS_METRIC = new Set(['fs.open', 'fs.close']);

interface Line {
  type?: string;
  info?: unknown;
  body?: {_metric?: string; source?: string; sourcetype?: string};
}

/** Name of the schema a line must keep; undefined: there is none for it. */
export function schemaOf(line: Line): string | undefined {
  const {body} = line;
  if (line.info !== undefined) return 'event_start_msg';
  if (body?.sourcetype === 'metric' && AS_METRIC.has(body.source!)) return undefined;
  const own = body?.sourcetype === 'console' || body?.sourcetype === 'file' ? body.sourcetype : body?.source;
  const name =
    line.type === 'metric'
      ? `metric_${body?._metric?.replaceAll('.', '_')}`
      : `event_${own?.replaceAll('.', '_')}`;
  return existsSync(join(DIR, `${name}.schema.json`)) ? name : undefined;
}

/** What is wrong with a line; an empty list: nothing. Lines without a schema are right. */
export function problemsOf(text: string): string[] {
  const line = JSON.parse(text) as Line;
  const name = schemaOf(line);
  if (name === undefined) return [];
  const schema = read(`${name}.schema.json`);
  const validate = ajv.getSchema(schema.$id) ?? ajv.compile(schema);
  if (validate(line)) return [];
  return (validate.errors ?? []).map((error) => `${name}${error.instancePath} ${error.message}: ${text}`);
}
