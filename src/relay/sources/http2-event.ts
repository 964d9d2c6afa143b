// SPDX-License-Identifier: Apache-2.0
/** `data` of http.req and http.resp of HTTP/2, whose members come in an order of their own. */

import {type Address, durationName} from './http-event.js';
import type {Exchange} from './http-exchange.js';
import {type Request, schemeOf} from './http-message.js';

export function http2RequestData(
  request: Request,
  stream: number,
  tls: boolean,
  address: Address,
): Record<string, unknown> {
  const {http_host, ...shown} = request.shown;
  return {
    http_flavor: request.flavor,
    http_stream: stream,
    http_method: request.method,
    http_frame: request.frame ?? 'HEADERS',
    ...(http_host === undefined ? {} : {http_host}),
    http_target: request.target,
    http_scheme: schemeOf(request, tls),
    ...shown,
    ...(request.contentLength > 0 ? {http_request_content_length: request.contentLength} : {}),
    ...address.fields,
  };
}

export function http2ResponseData(
  exchange: Exchange,
  duration: number,
  address: Address,
): Record<string, unknown> {
  const response = exchange.response.message;
  const request = exchange.request?.message;
  const data: Record<string, unknown> = {
    http_flavor: response.flavor,
    http_stream: exchange.stream,
    http_status_code: response.status,
    http_status_text: response.reason,
    ...response.shown,
  };
  if (response.grpcStatus !== undefined) data.grpc_status = response.grpcStatus;
  if (response.contentLength > 0) data.http_response_content_length = response.contentLength;
  Object.assign(data, address.fields);
  data[durationName(exchange)] = duration;
  if (request === undefined) return data;
  const {http_host, http_user_agent} = request.shown;
  if (http_host !== undefined) data.http_host = http_host;
  data.http_method = request.method;
  data.http_target = request.target;
  if (http_user_agent !== undefined) data.http_user_agent = http_user_agent;
  return data;
}
