// SPDX-License-Identifier: Apache-2.0
/** The release as it stands in start messages: `v` and the version of package.json. */
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {ROOT} from '../base/root.js';

function read(): string {
  try {
    const text = readFileSync(join(ROOT, 'package.json'), 'utf8');
    const {version} = JSON.parse(text) as {version?: unknown};
    return typeof version === 'string' ? `v${version}` : 'v0.0.0';
  } catch {
    return 'v0.0.0';
  }
}

export const RELEASE = read();
