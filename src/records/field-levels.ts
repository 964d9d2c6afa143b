// SPDX-License-Identifier: Apache-2.0
/** The verbosity from which a field of a metric is shown in StatsD (its cardinality). NDJSON always shows all. */

// biome-ignore format: a table
const LEVELS: readonly (readonly string[])[] = [
  [],
  ['data', 'unit', 'summary', 'http_status_code', 'http_method', 'http_scheme', 'http_flavor', 'http_host', 'net_transport', 'net_peer_ip', 'net_peer_port', 'net_host_ip', 'net_host_port', 'net_peer_name', 'net_protocol'],
  ['class', 'proto'],
  ['op'],
  ['pid', 'host', 'proc', 'proc_uid', 'proc_gid', 'proc_cgroup', 'http_status', 'http_target', 'uid', 'gid', 'username', 'groupname'],
  ['domain', 'file', 'file_perms', 'file_owner', 'file_group', 'file_read_bytes', 'file_read_ops', 'file_write_bytes', 'file_write_ops', 'http_user_agent', 'http_client_ip', 'x-appscope'],
  ['localip', 'remoteip', 'localp', 'remotep', 'localn', 'remoten', 'port'],
  ['fd', 'args'],
  ['duration', 'numops', 'req_per_sec', 'req', 'resp', 'protocol'],
  [],
  ['http_request_content_length', 'http_response_content_length', 'http_server_duration', 'http_client_duration'],
];

const BY_FIELD = new Map(LEVELS.flatMap((names, level) => names.map((name) => [name, level] as const)));

/**
 * Lowest verbosity that shows `field` of metric `metric`; 0 for names that are not ours (custom tags, captured
 * dimensions); 10: never shown.
 */
export function fieldLevel(field: string, metric = ''): number {
  if (field === 'unit' && metric.startsWith('http.')) return 4;
  return BY_FIELD.get(field) ?? 0;
}
