// SPDX-License-Identifier: Apache-2.0
import {expect, test, vi} from 'vitest';
import {SendTurns} from '../../../src/relay/turns.js';

interface Side {
  pressed: boolean;
  others: boolean;
  spooled: number;
}

/** Turns of sends before reading goes on; those of an idle loop, since nothing is sent here. */
async function turnsOf(turns: SendTurns, side: Side, until?: () => void): Promise<number> {
  let asked = 0;
  side.spooled = 0;
  const began = performance.now();
  const timer = setInterval(() => {
    asked++;
    until?.();
  }, 10);
  await new Promise<void>((resolve) => turns.afterSends(resolve));
  clearInterval(timer);
  return Math.max(asked, (performance.now() - began) / 10);
}

function make(patience: number): [SendTurns, Side] {
  const side: Side = {pressed: false, others: true, spooled: 0};
  const turns = new SendTurns(
    {pressed: () => side.pressed},
    {stats: () => ({spooled: side.spooled, spoolMax: 100}) as never},
    () => side.others,
    patience,
  );
  return [turns, side];
}

test('reading goes on at once while nobody is behind', async () => {
  const [turns, side] = make(20);
  vi.useFakeTimers({toFake: ['setTimeout']});
  try {
    await new Promise<void>((resolve) => turns.afterSends(resolve));
  } finally {
    vi.useRealTimers();
  }
  expect(turns.pressed).toBe(false);
  side.pressed = true;
  expect(turns.pressed).toBe(true);
});

test('others do not wait for a peer that is slow, and less so the longer it is', async () => {
  const [turns, side] = make(20);
  side.pressed = true;
  expect(await turnsOf(turns, side)).toBeGreaterThanOrEqual(19);
  // Somebody is waited for in vain: a pass does not end for it.
  expect(turns.pressed).toBe(false);
  let passes = 0;
  const began = performance.now();
  for (; passes < 3; passes++) await turnsOf(turns, side);
  expect(performance.now() - began).toBeGreaterThanOrEqual(3 * 4 * 10);
  side.pressed = false;
  await turnsOf(turns, side);
  side.pressed = true;
  expect(await turnsOf(turns, side)).toBeGreaterThanOrEqual(19);
});

test('where nobody else waits the spool does, until it is half full', async () => {
  const [turns, side] = make(2);
  side.pressed = true;
  side.others = false;
  let asked = 0;
  const taken = await turnsOf(turns, side, () => {
    asked++;
    if (asked === 12) side.spooled = 50;
  });
  expect(taken).toBeGreaterThanOrEqual(12);
});
