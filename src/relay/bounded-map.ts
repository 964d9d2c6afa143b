// SPDX-License-Identifier: Apache-2.0
/** A map that forgets its oldest entry when a new one would be one too many. */
export class BoundedMap<K, V> extends Map<K, V> {
  readonly #most: number;

  constructor(most: number) {
    super();
    this.#most = most;
  }

  override set(key: K, value: V): this {
    if (this.size >= this.#most && !this.has(key)) this.delete(this.keys().next().value as K);
    return super.set(key, value);
  }
}
