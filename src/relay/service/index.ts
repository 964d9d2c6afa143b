// SPDX-License-Identifier: Apache-2.0
/** The relay service, for `scope relay`. */
export {RelayService, type ServiceOptions} from './service.js';
export {isAlive, readStatus, type ServiceStatus} from './status.js';
