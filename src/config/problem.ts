// SPDX-License-Identifier: Apache-2.0
/** Where a value comes from, and what is wrong with it. */
import {ScopeError} from '../base/errors.js';

export type Origin =
  | {kind: 'file'; file: string; line: number; column: number}
  | {kind: 'environment'; name: string}
  | {kind: 'flag'; name: string}
  | {kind: 'default'};

export interface Problem {
  origin: Origin;
  /** `metric.format.type`; empty for the file as a whole. */
  key: string;
  message: string;
  /** About a variable of the environment that is not set. */
  environment?: true;
}

export function originText(origin: Origin): string {
  switch (origin.kind) {
    case 'file':
      return `${origin.file}:${origin.line}:${origin.column}`;
    case 'environment':
      return `environment ${origin.name}`;
    case 'flag':
      return origin.name;
    case 'default':
      return 'default';
  }
}

/** `scope.yml:4:11: metric.format.type: must be statsd or ndjson` */
export function problemText(problem: Problem): string {
  return [originText(problem.origin), problem.key, problem.message].filter((part) => part !== '').join(': ');
}

/** All problems in one error, in the order of the file. */
export class ConfigError extends ScopeError {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    const place = (problem: Problem): number =>
      problem.origin.kind === 'file' ? problem.origin.line * 1e6 + problem.origin.column : -1;
    const sorted = [...problems].sort((a, b) => place(a) - place(b));
    super('SCOPE_CONFIG_INVALID', [...new Set(sorted.map(problemText))].join('\n'));
    this.problems = sorted;
  }
}
