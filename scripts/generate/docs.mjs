// SPDX-License-Identifier: Apache-2.0
// docs/config.md: every key with type, default and environment variable.

const cell = (text) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
const refName = (ref) => ref.slice('#/$defs/'.length);

export function generateDocs(schema, head) {
  const defs = schema.$defs;
  const rows = (prefix, node, depth) =>
    Object.entries(node.properties).flatMap(([key, value]) =>
      row(`${prefix}${key}`, value, node.required?.includes(key), depth),
    );

  function resolve(node) {
    return node.$ref ? {...defs[refName(node.$ref)], ...node} : node;
  }

  function kind(node) {
    if (node.$ref) {
      const name = refName(node.$ref);
      if (
        [
          'size',
          'duration',
          'port',
          'pattern',
          'transport',
          'match',
          'transform',
          'queue',
          'batch',
          'retry',
          'tls',
          'auth',
          'redact',
        ].includes(name)
      )
        return `[${name}](#${name})`;
    }
    const full = resolve(node);
    if (full.const !== undefined) return `\`${full.const}\``;
    if (full.enum) return full.enum.map((value) => `\`${value}\``).join(', ');
    if (full.anyOf && !full.type) return full.anyOf.map((one) => kind(one)).join(' or ');
    if (full.oneOf) return '[exporter](#exporters)';
    if (full.type === 'array') return `list of ${kind(full.items)}`;
    if (full.type === 'object' && !full.properties) return `map name → ${kind(full.additionalProperties)}`;
    if (full.minimum !== undefined && full.maximum !== undefined) return `${full.minimum}–${full.maximum}`;
    return [full.type].flat().join(' or ');
  }

  function row(path, node, required, depth) {
    const full = resolve(node);
    const inline = full.properties && !/^\[/.test(kind(node)) && depth < 4;
    const shown = inline
      ? []
      : [
          [
            `\`${path}\``,
            kind(node),
            required ? 'required' : full.default === undefined ? '' : `\`${JSON.stringify(full.default)}\``,
            full['x-env'] ? `\`${full['x-env']}\`` : '',
            `${node.description ?? full.description}${full['x-secret'] ? ' Secret: never shown.' : ''}`,
          ],
        ];
    if (inline) return rows(`${path}.`, full, depth + 1);
    if (
      full.type === 'array' &&
      full.items.$ref &&
      !/^\[/.test(kind(full.items)) &&
      defs[refName(full.items.$ref)].properties
    ) {
      return [...shown, ...rows(`${path}[].`, defs[refName(full.items.$ref)], depth + 1)];
    }
    if (
      full.type === 'object' &&
      full.additionalProperties?.$ref &&
      defs[refName(full.additionalProperties.$ref)].properties
    ) {
      return [...shown, ...rows(`${path}.NAME.`, defs[refName(full.additionalProperties.$ref)], depth + 1)];
    }
    return shown;
  }

  const table = (list) =>
    [
      '| key | value | default | environment | meaning |',
      '|---|---|---|---|---|',
      ...list.map((cells) => `| ${cells.map(cell).join(' | ')} |`),
    ].join('\n');
  const section = (title, text, node) => `## ${title}\n\n${text}\n\n${table(rows('', node, 2))}`;

  const parts = [head.trim(), '## All keys', table(rows('', schema, 0))];
  parts.push(
    '## exporters',
    'Each has a `type`; the other keys depend on it. `queue`, `batch`, `retry` and `timeout` are the same for all.',
  );
  for (const one of defs.exporter.oneOf) {
    const def = defs[refName(one.$ref)];
    parts.push(`### ${def.properties.type.const}\n\n${def.description}\n\n${table(rows('', def, 3))}`);
  }
  for (const name of ['queue', 'batch', 'retry', 'tls', 'auth', 'match', 'transform', 'redact', 'transport'])
    parts.push(section(name, defs[name].description, defs[name]));
  for (const name of ['pattern', 'size', 'duration', 'port'])
    parts.push(`## ${name}\n\n${defs[name].description}`);
  return `${parts.join('\n\n')}\n`;
}
