// SPDX-License-Identifier: Apache-2.0
/** Captured bytes of connections: all of them, or those of protocols whose definition has `payload: true`. */
import {REC, REC_FLAG, type RecordCursor} from '../../channel/index.js';
import type {Payload} from '../../records/types.js';
import {isInet} from './address.js';
import type {Image, Source, SourceKind} from './source.js';

const UNIX_PREFIX = 'af_unix:';

class PayloadSource implements Source {
  readonly #image: Image;

  constructor(image: Image) {
    this.#image = image;
  }

  #wants(protocol: string): boolean {
    const {payload, protocols} = this.#image.settings;
    if (payload.enabled) return true;
    return protocols.some((entry) => entry.payload && entry.name.toUpperCase() === protocol.toUpperCase());
  }

  record(record: RecordCursor): void {
    const image = this.#image;
    const protocol = image.protocols.get(record.object) ?? '';
    if (!this.#wants(protocol)) return;
    image.payload({
      time: image.time(record),
      channel: image.channelId(record.object),
      fd: record.fd,
      source: sourceOf(record),
      ...this.#ends(record),
      protocol,
      // The cursor's bytes do not outlive the call.
      bytes: Buffer.from(record.data()),
    });
  }

  #ends(record: RecordCursor): Pick<Payload, 'localIp' | 'localPort' | 'remoteIp' | 'remotePort'> {
    const connection = this.#image.connection(record.object);
    if (connection === undefined) return {localIp: '', localPort: 0, remoteIp: '', remotePort: 0};
    const {localIp, localPort, remoteIp, remotePort, localInode, remoteInode} = connection;
    if (isInet(connection)) return {localIp, localPort, remoteIp, remotePort};
    return {
      localIp: UNIX_PREFIX + localInode,
      localPort: 0,
      remoteIp: UNIX_PREFIX + remoteInode,
      remotePort: 0,
    };
  }
}

function sourceOf(record: RecordCursor): Payload['source'] {
  const tls = (record.flags & REC_FLAG.TLS) !== 0;
  if (record.flags & REC_FLAG.TX) return tls ? 'tlstx' : 'nettx';
  return tls ? 'tlsrx' : 'netrx';
}

export const payloadSource: SourceKind = {
  name: 'payload',
  types: () => [REC.PAYLOAD],
  create: (image) =>
    image.settings.payload.enabled || image.settings.protocols.some((entry) => entry.payload)
      ? new PayloadSource(image)
      : undefined,
};
