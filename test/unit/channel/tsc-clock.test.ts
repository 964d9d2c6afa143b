// SPDX-License-Identifier: Apache-2.0
import {describe, expect, it} from 'vitest';
import {type Sample, sampleClocks, TscClock} from '../../../src/channel/tsc-clock.js';

const HZ = 2_500_000_000;

/** A machine whose clocks are set by hand. */
class Machine {
  now: Sample = {tsc: 1e12, monotonic: 1000, real: 1_700_000_000};

  pass(seconds: number, step = 0): void {
    this.now = {
      tsc: this.now.tsc + seconds * HZ,
      monotonic: this.now.monotonic + seconds,
      real: this.now.real + seconds + step,
    };
  }

  clock(start: Sample, sameBoot = true, first = this.now): TscClock {
    return new TscClock(start, sameBoot, () => this.now, first);
  }
}

describe('TscClock', () => {
  it('measures the rate over the life of a process that is older than the relay', () => {
    const machine = new Machine();
    const start = machine.now;
    machine.pass(3600);
    const clock = machine.clock(start);
    expect(clock.seconds(start.tsc + 10 * HZ)).toBeCloseTo(start.real + 10, 6);
    expect(clock.nanoseconds(HZ)).toBeCloseTo(1e9, 3);
  });

  it('measures the rate since the relay began for younger ones', () => {
    const machine = new Machine();
    const first = machine.now;
    machine.pass(0.1);
    const start = machine.now;
    machine.pass(0.000_01);
    const clock = machine.clock(start, true, first);
    expect(clock.seconds(start.tsc + HZ)).toBeCloseTo(start.real + 1, 6);
  });

  it('follows the wall clock as it is slewed, and never back', () => {
    const machine = new Machine();
    const start = machine.now;
    machine.pass(1);
    const clock = machine.clock(start);
    let last = 0;
    for (let i = 0; i < 100; i++) {
      machine.pass(1, 0.000_1);
      const time = clock.seconds(machine.now.tsc);
      expect(time).toBeGreaterThan(last);
      expect(Math.abs(time - machine.now.real)).toBeLessThan(0.001);
      last = time;
    }
  });

  it('starts anew after a step of the wall clock', () => {
    const machine = new Machine();
    const start = machine.now;
    machine.pass(1);
    const clock = machine.clock(start);
    machine.pass(1, 3600);
    expect(clock.seconds(machine.now.tsc)).toBeCloseTo(machine.now.real, 5);
    expect(clock.seconds(machine.now.tsc + HZ)).toBeCloseTo(machine.now.real + 1, 5);
  });

  it('takes the start of another boot, or a lie, at its word for the start only', () => {
    const machine = new Machine();
    const first = machine.now;
    machine.pass(1);
    const other = {tsc: 5e15, monotonic: 9e6, real: 1_600_000_000};
    expect(machine.clock(other, false, first).seconds(5e15 + HZ)).toBeCloseTo(1_600_000_001, 5);
    const lie = {tsc: 9e17, monotonic: -5, real: 0};
    const clock = machine.clock(lie, true, first);
    expect(Number.isFinite(clock.seconds(machine.now.tsc))).toBe(true);
    expect(clock.nanoseconds(HZ)).toBeCloseTo(1e9, 3);
  });

  it('reads the clocks of this machine', () => {
    const a = sampleClocks();
    const b = sampleClocks();
    expect(b.tsc).toBeGreaterThan(a.tsc);
    expect(Math.abs(b.real - Date.now() / 1000)).toBeLessThan(10);
  });
});
