// SPDX-License-Identifier: Apache-2.0
/** The one error type of the project; docs/errors.md lists the codes. */

export const ERROR_CODES = [
  'SCOPE_CONFIG_INVALID',
  'SCOPE_USAGE',
  'SCOPE_NOT_FOUND',
  'SCOPE_SESSION_INVALID',
  'SCOPE_CHANNEL_INVALID',
  'SCOPE_IO',
  'SCOPE_DESTINATION',
  'SCOPE_PERMISSION',
  'SCOPE_INTERNAL',
] as const;
export type ErrorCode = (typeof ERROR_CODES)[number];

/** An error with a code that tests and callers can tell apart; the message is for people. */
export class ScopeError extends Error {
  readonly code: ErrorCode;
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, options: {cause?: unknown; retryable?: boolean} = {}) {
    super(message, {cause: options.cause});
    this.name = 'ScopeError';
    this.code = code;
    this.retryable = options.retryable ?? false;
  }
}
