// SPDX-License-Identifier: Apache-2.0
/** The part of dns-packet that the tests use; the package has no types of its own. */
declare module 'dns-packet' {
  const packet: {
    RECURSION_DESIRED: number;
    encode(message: Record<string, unknown>): Buffer;
  };
  export default packet;
}
