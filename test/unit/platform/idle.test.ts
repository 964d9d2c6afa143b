// SPDX-License-Identifier: Apache-2.0
import {availableParallelism, cpus} from 'node:os';
import {setTimeout as pause} from 'node:timers/promises';
import {expect, it} from 'vitest';
import {idleProcessors} from '../../../src/platform/idle.js';

it('says nothing at first, then between none and all of the processors, our own use included', async () => {
  const idle = idleProcessors();
  expect(idle()).toBeUndefined();
  await pause(200);
  const seen = idle();
  expect(seen).toBeGreaterThanOrEqual(0);
  expect(seen).toBeLessThanOrEqual(Math.max(cpus().length, availableParallelism()) + 0.5);
});
