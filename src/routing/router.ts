// SPDX-License-Identifier: Apache-2.0
/** Which records go to which exporters: routes in order, each with condition and transforms, then the default. */
import type {Config} from '../config/index.js';
import type {Event, Process, RelayRecord} from '../records/types.js';
import type {Step} from './edit.js';
import {type Condition, compileMatch, isFixed} from './match.js';
import {redactSecrets} from './redact.js';
import {compileTransform, type LeftOut, type Transform} from './transform.js';

/** Records by name of the exporter. The lists are the receiver's. */
export type Deliveries = Map<string, RelayRecord[]>;

export interface RouteStatus {
  /** `routes[0]`, … or `default`. */
  name: string;
  to: readonly string[];
  matched: number;
  sampled: number;
  limited: number;
  /** Metrics that aggregation holds back. */
  held: number;
}

export interface RouterStatus {
  /** Records given to the router. */
  records: number;
  /** Records that no route took, with no default to go to. */
  unrouted: number;
  routes: RouteStatus[];
}

/** Where events of opens and closes go, when routes change nothing about them and ask for nothing but their process. */
export interface LinePlan {
  readonly to: readonly string[];
  /** Lines with a path that may hold a secret have to take the long way. */
  readonly redacts: boolean;
  /** So many lines were handed on. */
  count(lines: number): void;
}

export interface Router {
  /** Undefined: events of this process are routed one by one. */
  linePlan(process: Process): LinePlan | undefined;
  route(records: readonly RelayRecord[]): Deliveries;
  /** What aggregation held back and is due at this time (milliseconds); everything when `all`. */
  due(now: number, all?: boolean): Deliveries;
  status(): RouterStatus;
}

class Route {
  readonly #condition: Condition | undefined;
  readonly #transform: Transform | undefined;
  readonly #left: Record<LeftOut, number> = {sampled: 0, limited: 0};
  /** It takes all events of files of a process, or none. */
  readonly fixed: boolean;
  #matched = 0;

  constructor(
    readonly name: string,
    readonly to: readonly string[],
    readonly final: boolean,
    parts: {
      condition?: Condition;
      fixed?: boolean;
      transform: Config['routes'][number]['transform'];
      now: () => number;
    },
  ) {
    this.#condition = parts.condition;
    this.fixed = parts.fixed ?? true;
    this.#transform = compileTransform(parts.transform, parts.now, (reason) => {
      this.#left[reason] += 1;
    });
  }

  /** Records that it takes go on as they are. */
  get plain(): boolean {
    return this.#transform === undefined;
  }

  count(records: number): void {
    this.#matched += records;
  }

  takes(record: RelayRecord): boolean {
    return this.#condition === undefined || this.#condition(record);
  }

  deliver(record: RelayRecord, out: Deliveries): void {
    this.#matched += 1;
    const done = this.#transform ? this.#transform.apply(record) : record;
    if (done) this.#give(done, out);
  }

  due(now: number, all: boolean | undefined, out: Deliveries): void {
    for (const record of this.#transform?.due(now, all) ?? []) this.#give(record, out);
  }

  #give(record: RelayRecord, out: Deliveries): void {
    for (const name of this.to) {
      const list = out.get(name);
      if (list) list.push(record);
      else out.set(name, [record]);
    }
  }

  status(): RouteStatus {
    return {
      name: this.name,
      to: this.to,
      matched: this.#matched,
      ...this.#left,
      held: this.#transform?.held ?? 0,
    };
  }
}

/** `now`: milliseconds, for limits. */
export function createRouter(
  config: Pick<Config, 'routes' | 'default' | 'relay'>,
  now: () => number,
): Router {
  const routes = config.routes.map(({match, transform, to, final}, i) => {
    const condition = compileMatch(match);
    return new Route(`routes[${i}]`, to, final, {
      ...(condition ? {condition} : {}),
      fixed: isFixed(match),
      transform,
      now,
    });
  });
  const rest =
    config.default &&
    new Route('default', config.default.to, true, {transform: config.default.transform, now});
  const redact: Step | undefined = config.relay.redact ? redactSecrets() : undefined;
  const all = rest ? [...routes, rest] : routes;
  let records = 0;
  let unrouted = 0;

  function one(given: RelayRecord, out: Deliveries): void {
    const record = redact ? (redact(given) ?? given) : given;
    let taken = false;
    for (const route of routes) {
      if (!route.takes(record)) continue;
      taken = true;
      route.deliver(record, out);
      if (route.final) return;
    }
    if (taken) return;
    if (rest) rest.deliver(record, out);
    else unrouted += 1;
  }

  const plans = new WeakMap<Process, LinePlan | 'none'>();

  function makePlan(process: Process): LinePlan | 'none' {
    const event = fileEvent(process);
    // The lines show the process as it is.
    if (redact && redact(event)?.process !== process) return 'none';
    const taken: Route[] = [];
    for (const route of routes) {
      if (!route.fixed) return 'none';
      if (!route.takes(event)) continue;
      taken.push(route);
      if (route.final) break;
    }
    if (taken.length === 0 && rest) taken.push(rest);
    if (!taken.every((route) => route.plain)) return 'none';
    return {
      to: taken.flatMap((route) => route.to),
      redacts: redact !== undefined,
      count(lines) {
        records += lines;
        if (taken.length === 0) unrouted += lines;
        for (const route of taken) route.count(lines);
      },
    };
  }

  return {
    linePlan(process) {
      let plan = plans.get(process);
      if (plan === undefined) {
        plan = makePlan(process);
        plans.set(process, plan);
      }
      return plan === 'none' ? undefined : plan;
    },
    route(list) {
      const out: Deliveries = new Map();
      records += list.length;
      for (const record of list) one(record, out);
      return out;
    },
    due(time, every) {
      const out: Deliveries = new Map();
      for (const route of all) route.due(time, every, out);
      return out;
    },
    status: () => ({records, unrouted, routes: all.map((route) => route.status())}),
  };
}

/** Stands for all opens and closes of a process. */
export function fileEvent(process: Process): Event {
  return {kind: 'event', sourcetype: 'fs', source: 'fs.open', time: 0, channel: 'none', data: {}, process};
}
