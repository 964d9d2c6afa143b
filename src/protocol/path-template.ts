// SPDX-License-Identifier: Apache-2.0
/**
 * Paths as metric labels: the query is cut, identifiers are folded, and the number of different labels is bounded,
 * so that a metric never explodes. Raw targets stay in events and spans.
 */

/** Label of everything beyond the cap. */
export const OTHER_TARGET = '*';

const NUMBER = /^[0-9]+$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const HASH = /^(?=.*[0-9])(?:0x)?[0-9a-f]{12,}$/i;
/** A long word of letters and digits mixed: a token, not a name. */
const OPAQUE = /^(?=(?:.*[0-9]){3})(?=.*[A-Za-z])[0-9A-Za-z_=-]{20,}$/;
const DATE = /^[0-9]{4}-[0-9]{2}(?:-[0-9]{2})?$/;

function foldSegment(segment: string): string {
  if (segment.length === 0) return segment;
  if (NUMBER.test(segment)) return '{n}';
  if (UUID.test(segment)) return '{uuid}';
  if (DATE.test(segment)) return '{date}';
  if (HASH.test(segment)) return '{hash}';
  if (OPAQUE.test(segment)) return '{id}';
  return segment;
}

/** `/users/17/posts?page=2` → `/users/{n}/posts`. Absolute-form targets lose scheme and authority. */
export function templatePath(target: string): string {
  let path = target;
  const cut = path.search(/[?#]/);
  if (cut >= 0) path = path.slice(0, cut);
  const scheme = /^[a-z][a-z0-9+.-]*:\/\/[^/]*/i.exec(path);
  if (scheme) path = path.slice(scheme[0].length) || '/';
  if (!path.startsWith('/')) return path;
  return path.split('/').map(foldSegment).join('/');
}

/** Labels of one process: remembers up to `cap` of them, everything later is `*`. */
export class TargetLabels {
  readonly #known = new Set<string>();
  /** Raw target → label, so that a busy server folds each path once. */
  readonly #cache = new Map<string, string>();
  readonly #cap: number;

  constructor(cap = 200) {
    this.#cap = cap;
  }

  /** The label a target has in metrics. */
  label(target: string): string {
    const cached = this.#cache.get(target);
    if (cached !== undefined) return cached;
    const label = this.#admit(templatePath(target));
    if (this.#cache.size >= 4 * this.#cap) this.#cache.clear();
    this.#cache.set(target, label);
    return label;
  }

  #admit(label: string): string {
    if (this.#known.has(label)) return label;
    if (this.#known.size >= this.#cap || label.length > 256) return OTHER_TARGET;
    this.#known.add(label);
    return label;
  }
}
