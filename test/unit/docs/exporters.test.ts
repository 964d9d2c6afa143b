// SPDX-License-Identifier: Apache-2.0
// Every YAML block of docs/exporters loads, and every exporter in it can be made.
import {readdirSync, readFileSync} from 'node:fs';
import {join, resolve} from 'node:path';
import {expect, test} from 'vitest';
import {systemClock} from '../../../src/base/clock.js';
import {loadConfig} from '../../../src/config/index.js';
import type {ExporterConfig} from '../../../src/config/types.js';
import {loadExporter} from '../../../src/relay/exporters.js';

const folder = resolve(import.meta.dirname, '../../../docs/exporters');
const pages = readdirSync(folder).filter((name) => name.endsWith('.md'));

test.each(pages)('%s', async (name) => {
  const page = readFileSync(join(folder, name), 'utf8');
  const blocks = Array.from(page.matchAll(/^```yaml\n(.*?)^```/gms), (match) => match[1]!);
  expect(blocks.length).toBeGreaterThan(0);
  for (const text of blocks) {
    const {exporters} = loadConfig({text, env: {}, cwd: '/'});
    for (const [key, config] of Object.entries(exporters)) {
      // The files of certificates in the examples are not there.
      const here = JSON.parse(
        JSON.stringify(config, (field, value) => (field === 'tls' ? undefined : value)),
      );
      const context = {name: key, clock: systemClock, version: '0', host: 'h', log: () => undefined};
      const exporter = await loadExporter(here as ExporterConfig, context);
      expect(exporter.type).toBe(config.type);
      await exporter.stop();
    }
  }
});
