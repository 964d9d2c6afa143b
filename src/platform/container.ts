// SPDX-License-Identifier: Apache-2.0
/** Container ids in the cgroup paths that container managers make. */

/** Docker, containerd, CRI-O, Podman, with cgroupfs and systemd names; not the monitors beside the container. */
const HEX = /(?<!conmon-)(?<=^|[/:-])[0-9a-f]{64}(?=\.scope|\/|$)/g;
/** AWS Fargate: a task's 32 digits, then the container's number. */
const FARGATE = /(?<=\/)[0-9a-f]{32}-\d{5,20}(?=\/|$)/g;
/** Managers that use names: systemd-nspawn and other machines, LXC, Incus. */
const NAMED = [
  /\/machine-([^/]+)\.scope(?=\/|$)/g,
  /\/systemd-nspawn@([^/]+)\.service(?=\/|$)/g,
  /\/lxc(?:\.payload\.|\/)([^/]+)(?=\/|$)/g,
];

/**
 * The innermost container that a cgroup belongs to; '' when it is in none. `text`: a path, or lines as in
 * /proc/PID/cgroup, of which the first with a container counts.
 */
export function containerId(text: string): string {
  for (const line of text.split('\n')) {
    const hex = line.match(HEX) ?? line.match(FARGATE);
    if (hex) return hex.at(-1)!;
    for (const form of NAMED) {
      const name = [...line.matchAll(form)].at(-1)?.[1];
      if (name !== undefined) return unescapeUnit(name);
    }
  }
  return '';
}

/** systemd writes other characters of a name as \xNN. */
function unescapeUnit(name: string): string {
  return name.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
