// SPDX-License-Identifier: Apache-2.0
/** A process as OpenTelemetry's resource: who it is, where it runs, and what its own OTEL_* variables say. */
import type {Attributes, Process} from './types.js';
import {RELEASE} from './version.js';

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** `key=value,key=value` with percent escapes; what is no pair is passed over. */
export function parseResourceAttributes(text: string): Record<string, string> {
  const out: Record<string, string> = {};
  for (const pair of text.split(',')) {
    const at = pair.indexOf('=');
    const key = decode(pair.slice(0, at).trim());
    if (at > 0 && key !== '') out[key] = decode(pair.slice(at + 1).trim());
  }
  return out;
}

/** `go1.22.1` -> go, 1.22.1 */
function runtime(text: string): Attributes {
  const match = /^([A-Za-z]+)[-\s/]?v?(\d.*)?$/.exec(text);
  if (match === null) return {};
  const name: Attributes = {'process.runtime.name': match[1]!.toLowerCase()};
  return match[2] ? {...name, 'process.runtime.version': match[2]} : name;
}

function kubernetes(process: Process): Attributes {
  const {env} = process;
  const pod = env.K8S_POD_NAME ?? env.KUBERNETES_POD_NAME ?? env.CRIBL_K8S_POD ?? env.POD_NAME;
  const names: [string, string | undefined][] = [
    ['k8s.pod.name', pod ?? (env.KUBERNETES_SERVICE_HOST === undefined ? undefined : process.host)],
    ['k8s.namespace.name', env.K8S_NAMESPACE ?? env.KUBERNETES_NAMESPACE ?? env.POD_NAMESPACE],
    ['k8s.node.name', env.K8S_NODE_NAME ?? env.KUBERNETES_NODE_NAME ?? env.NODE_NAME],
    ['k8s.container.name', env.K8S_CONTAINER_NAME ?? env.KUBERNETES_CONTAINER_NAME],
  ];
  return Object.fromEntries(names.filter((pair): pair is [string, string] => !!pair[1]));
}

function withoutEmpty(attributes: Attributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== ''));
}

/** `process.pid` is the number on the host where that is known, `process.vpid` the one in the process' own namespace. */
function pids(process: Process): Attributes {
  const {pid, hostPid} = process;
  return hostPid && hostPid !== pid ? {'process.pid': hostPid, 'process.vpid': pid} : {'process.pid': pid};
}

/** Attributes of the resource, in ascending precedence: facts, `extra`, tags, then the target's own variables. */
export function resourceOf(process: Process, extra: Record<string, string> = {}): Attributes {
  const {env} = process;
  const own = parseResourceAttributes(env.OTEL_RESOURCE_ATTRIBUTES ?? '');
  if (env.OTEL_SERVICE_NAME) own['service.name'] = env.OTEL_SERVICE_NAME;
  const cluster = kubernetes(process);
  const {'k8s.namespace.name': space, 'k8s.pod.name': pod, 'k8s.container.name': container} = cluster;
  const instance = space && pod && container ? `${space}.${pod}.${container}` : process.uuid;
  const created = Number.isFinite(process.startTime) && process.startTime > 0 && process.startTime < 1e11;
  return withoutEmpty({
    'service.name': container ? String(container) : `unknown_service:${process.proc}`,
    'service.instance.id': instance,
    ...pids(process),
    'process.parent_pid': process.ppid,
    'process.creation.time': created ? new Date(process.startTime * 1000).toISOString() : '',
    'process.executable.name': process.proc,
    'process.executable.path': process.exe,
    'process.owner': process.username,
    ...runtime(process.runtime),
    'host.name': process.host,
    'host.id': process.machineId,
    'os.type': 'linux',
    'container.id': process.containerId,
    ...cluster,
    'telemetry.distro.name': 'appscope',
    'telemetry.distro.version': RELEASE.replace(/^v/, ''),
    ...extra,
    ...process.tags,
    ...own,
  });
}
