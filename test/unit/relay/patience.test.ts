// SPDX-License-Identifier: Apache-2.0
import {describe, expect, it} from 'vitest';
import {AT_ONCE, Patience, type Step} from '../../../src/relay/patience.js';

const MOST = 100 * 1024 * 1024;

/** A machine whose spool, idle processors and clock are set by hand. */
function machine(idle: number | undefined, waiting: number) {
  const state = {idle, waiting, hurried: false, living: true, now: 0};
  const patience = new Patience({
    waiting: () => state.waiting,
    most: MOST,
    room: () => state.idle,
    hurried: () => state.hurried,
    living: () => state.living,
    now: () => state.now,
  });
  const step = (): Step => {
    state.now += 1000;
    return patience.step();
  };
  return {state, patience, step};
}

const share = ({budgetMs, napMs}: Step): number => budgetMs / (budgetMs + napMs);

describe('Patience', () => {
  it('works at once while a processor is idle, and where that cannot be told', () => {
    expect(machine(1.5, MOST / 4).step()).toBe(AT_ONCE);
    expect(machine(undefined, MOST / 4).step()).toBe(AT_ONCE);
  });

  it('takes a small share in short slices while the machine is busy', () => {
    const step = machine(0.1, MOST / 4).step();
    expect(step.budgetMs).toBeLessThan(0.5);
    expect(share(step)).toBeCloseTo(0.02, 3);
  });

  it('takes more the fuller the spool is, and all of the time in the end', () => {
    const {state, step} = machine(0.1, MOST / 2);
    const shares: number[] = [];
    for (let part = 0.5; part <= 1.001; part += 0.1) {
      state.waiting = MOST * part;
      shares.push(share(step()));
    }
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
    expect(shares[0]).toBeLessThan(0.05);
    expect(shares.at(-1)).toBe(1);
  });

  it('does the little that a calm process leaves soon, but in short slices', () => {
    const step = machine(0, 1000).step();
    expect(step.budgetMs).toBeLessThan(0.5);
    expect(share(step)).toBeCloseTo(0.2, 3);
  });

  it('ends with the last process', () => {
    const {state, step} = machine(0, MOST / 4);
    expect(share(step())).toBeLessThan(0.1);
    state.living = false;
    expect(step()).toBe(AT_ONCE);
  });

  it('ends when somebody waits, until all of it is done', () => {
    const {state, patience, step} = machine(0, MOST / 4);
    expect(share(step())).toBeLessThan(0.1);
    state.hurried = true;
    expect(step()).toBe(AT_ONCE);
    state.hurried = false;
    expect(step()).toBe(AT_ONCE);
    patience.done();
    expect(share(step())).toBeLessThan(0.1);
  });
});
