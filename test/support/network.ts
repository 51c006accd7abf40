/** Hosts as network namespaces on one bridge, which is in a namespace of its own: the machine's network stays as it is. */
import { spawnSync } from "node:child_process";

let networks = 0;

/** Why it cannot be had here; false: it can. */
export function whyNoNetwork(): string | false {
  if (process.getuid?.() !== 0) return "network namespaces: not root";
  const name = `periscope-try-${process.pid}`;
  const { status, stderr, error } = spawnSync("ip", ["netns", "add", name], { encoding: "utf8" });
  if (error !== undefined) return "ip (of the package iproute2) is not installed";
  if (status !== 0) return `network namespaces cannot be made here: ${stderr.trim()}`;
  const veth = spawnSync("ip", ["-n", name, "link", "add", "one", "type", "veth", "peer", "name", "two"], {
    encoding: "utf8",
  });
  const bridge = spawnSync("ip", ["-n", name, "link", "add", "hub", "type", "bridge"], { encoding: "utf8" });
  spawnSync("ip", ["netns", "delete", name]);
  if (veth.status !== 0) return `veth devices cannot be made here: ${veth.stderr.trim()}`;
  if (bridge.status !== 0) return `bridges cannot be made here: ${bridge.stderr.trim()}`;
  return false;
}

export class Network {
  readonly #prefix = `periscope-${process.pid}-${networks++}`;
  readonly #hosts = new Map<string, string>();

  constructor(...hosts: readonly string[]) {
    const hub = `${this.#prefix}-hub`;
    ip("netns", "add", hub);
    ip("-n", hub, "link", "add", "bridge", "type", "bridge");
    ip("-n", hub, "link", "set", "bridge", "up");
    hosts.forEach((host, i) => {
      const name = `${this.#prefix}-${host}`;
      const address = `10.77.0.${i + 1}`;
      this.#hosts.set(host, address);
      ip("netns", "add", name);
      ip("-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", `to${i}`, "netns", hub);
      ip("-n", hub, "link", "set", `to${i}`, "master", "bridge");
      ip("-n", hub, "link", "set", `to${i}`, "up");
      ip("-n", name, "address", "add", `${address}/24`, "dev", "eth0");
      for (const device of ["lo", "eth0"]) ip("-n", name, "link", "set", device, "up");
    });
  }

  address(host: string): string {
    return this.#hosts.get(host)!;
  }

  /** The namespace as a file. */
  file(host: string): string {
    return `/run/netns/${this.#prefix}-${host}`;
  }

  /** What starts a program there. Not `ip netns exec`, which mounts another /sys: tracefs would be away. */
  on(host: string): string[] {
    return ["nsenter", `--net=${this.file(host)}`];
  }

  remove(): void {
    for (const host of [...this.#hosts.keys(), "hub"]) {
      spawnSync("ip", ["netns", "delete", `${this.#prefix}-${host}`]);
    }
  }
}

function ip(...args: string[]): void {
  const { status, stderr } = spawnSync("ip", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`ip ${args.join(" ")}: ${stderr}`);
}
