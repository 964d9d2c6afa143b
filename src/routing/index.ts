// SPDX-License-Identifier: Apache-2.0
/** Routing: from records to deliveries, by the `routes` and `default` of the configuration. */
export {
  createRouter,
  type Deliveries,
  fileEvent,
  type LinePlan,
  type Router,
  type RouterStatus,
  type RouteStatus,
} from './router.js';
