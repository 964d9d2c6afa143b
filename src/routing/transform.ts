// SPDX-License-Identifier: Apache-2.0
/** The `transform:` list of a route as one function, with what it holds back. */
import type {TransformConfig} from '../config/index.js';
import type {RelayRecord} from '../records/types.js';
import {type Aggregator, createAggregator} from './aggregate.js';
import {addStep, dropStep, keepStep, renameStep, type Step} from './edit.js';
import {limitStep, sampleStep} from './rate.js';
import {redactStep} from './redact.js';

/** Why a transform left a record out. */
export type LeftOut = 'sampled' | 'limited';

export interface Transform {
  apply(record: RelayRecord): RelayRecord | undefined;
  /** What aggregation held back and is due now. */
  due(now: number, all?: boolean): RelayRecord[];
  /** Series held back. */
  readonly held: number;
}

type Stage = {step: Step} | {aggregator: Aggregator};

function stage(config: TransformConfig, now: () => number, leftOut: (reason: LeftOut) => void): Stage {
  if (config.drop) return {step: dropStep(config.drop)};
  if (config.keep) return {step: keepStep(config.keep)};
  if (config.rename) return {step: renameStep(config.rename)};
  if (config.add) return {step: addStep(config.add)};
  if (config.redact) return {step: redactStep(config.redact)};
  if (config.limit) return {step: limitStep(config.limit, now, () => leftOut('limited'))};
  if (config.aggregate) return {aggregator: createAggregator(config.aggregate.interval)};
  return {step: sampleStep(config.sample ?? 1, () => leftOut('sampled'))};
}

/** `now`: milliseconds; undefined: there is nothing to do. */
export function compileTransform(
  configs: readonly TransformConfig[],
  now: () => number,
  leftOut: (reason: LeftOut) => void,
): Transform | undefined {
  if (configs.length === 0) return undefined;
  const stages = configs.map((config) => stage(config, now, leftOut));
  const run = (record: RelayRecord, from: number): RelayRecord | undefined => {
    let at: RelayRecord | undefined = record;
    for (let i = from; i < stages.length && at; i++) {
      const one = stages[i]!;
      at = 'step' in one ? one.step(at) : one.aggregator.add(at);
    }
    return at;
  };
  return {
    apply: (record) => run(record, 0),
    due(time, all) {
      const out: RelayRecord[] = [];
      stages.forEach((one, i) => {
        if (!('aggregator' in one)) return;
        for (const metric of one.aggregator.due(time, all)) {
          const done = run(metric, i + 1);
          if (done) out.push(done);
        }
      });
      return out;
    },
    get held() {
      return stages.reduce((sum, one) => sum + ('aggregator' in one ? one.aggregator.size : 0), 0);
    },
  };
}
