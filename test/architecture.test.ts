// SPDX-License-Identifier: Apache-2.0
// The layer table of ARCHITECTURE.md against the imports of src/ and the includes of native/.
import {readdirSync, readFileSync, statSync} from 'node:fs';
import {dirname, join, relative, resolve} from 'node:path';
import {expect, test} from 'vitest';

const root = resolve(import.meta.dirname, '..');

function files(dir: string, pattern: RegExp): string[] {
  return readdirSync(join(root, dir), {recursive: true, encoding: 'utf8'})
    .map((name) => join(dir, name))
    .filter((path) => pattern.test(path) && statSync(join(root, path)).isFile());
}

/** Rows `| folder | layer | … |` of the table below the given heading. */
function layers(heading: string): Map<string, number> {
  const text = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8');
  const part = text.slice(text.indexOf(heading));
  const rows = new Map<string, number>();
  for (const line of part.split('\n').slice(1)) {
    if (line.startsWith('## ')) break;
    const cells = line.split('|').map((cell) => cell.trim());
    const layer = Number(cells[2]);
    if (cells.length > 3 && cells[2] !== '' && Number.isInteger(layer))
      rows.set(cells[1]!.replaceAll('`', ''), layer);
  }
  return rows;
}

/** `exporters/kafka` for a file below src/exporters, else the first folder. */
function folderOf(path: string): string {
  const parts = path.split('/');
  return parts[0] === 'exporters' && parts.length > 2 ? `${parts[0]}/${parts[1]}` : parts[0]!;
}

function check(edges: Map<string, Set<string>>, table: Map<string, number>): string[] {
  const wrong: string[] = [];
  const layer = (folder: string) => table.get(folder) ?? table.get(folder.replace(/\/.*/, '/*'));
  for (const [from, targets] of edges) {
    for (const to of targets) {
      const a = layer(from);
      const b = layer(to);
      if (a === undefined || b === undefined) wrong.push(`${from} or ${to} has no row in the table`);
      else if (b >= a) wrong.push(`${from} (${a}) must not import ${to} (${b})`);
    }
  }
  return [...new Set(wrong)];
}

function edgesOf(paths: string[], base: string, find: (path: string, text: string) => string[]) {
  const edges = new Map<string, Set<string>>();
  for (const path of paths) {
    const from = folderOf(relative(base, path));
    const set = edges.get(from) ?? new Set<string>();
    edges.set(from, set);
    for (const target of find(path, readFileSync(join(root, path), 'utf8')))
      if (target !== from) set.add(target);
  }
  return edges;
}

test('imports of src/ point to lower layers only', () => {
  const edges = edgesOf(files('src', /\.ts$/), 'src', (path, text) =>
    [...text.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map((m) =>
      folderOf(relative(join(root, 'src'), resolve(root, dirname(path), m[1]!))),
    ),
  );
  expect(check(edges, layers('## Layers of src'))).toEqual([]);
});

test('includes of native/ point to lower layers only', () => {
  const edges = edgesOf(files('native', /\.(c|h|cc)$/), 'native', (path, text) =>
    [...text.matchAll(/#include\s+[<"]([a-z]+)\/[^>"]+[>"]/g)]
      .map((m) =>
        m[1] === 'scope' ? 'include' : m[1] === 'arch' ? folderOf(relative('native', path)) : m[1]!,
      )
      .filter(
        (folder) =>
          !['sys', 'linux', 'asm', 'bits', 'netinet', 'arpa', 'net'].includes(folder) || folder === 'sys',
      ),
  );
  // <sys/…> of libc looks like our sys/: it is the lowest layer in any case.
  expect(check(edges, layers('## Layers of native'))).toEqual([]);
});

test('only native/sys and arch folders hold assembler', () => {
  const wrong = files('native', /\.(c|h)$/).filter(
    (path) =>
      !/\/arch\//.test(path) &&
      /\b(__asm__|asm)\s*(volatile|__volatile__)?\s*\(/.test(readFileSync(join(root, path), 'utf8')),
  );
  expect(wrong).toEqual([]);
});

test('files name their licence in the first line', () => {
  const all = [...files('src', /\.ts$/), ...files('native', /\.(c|h|cc)$/), ...files('scripts', /\.mjs$/)];
  const wrong = all.filter(
    (path) =>
      !readFileSync(join(root, path), 'utf8').slice(0, 120).includes('SPDX-License-Identifier: Apache-2.0'),
  );
  expect(wrong).toEqual([]);
});
