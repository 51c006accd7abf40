/** Which CPUs and threads an analysis counts. */

import type { Cpu, Thread } from "../kernel/state.js";

export interface FilterOptions {
  readonly cpus?: readonly number[];
  readonly tids?: readonly number[];
  /** Names of threads at the time of the event record; `*` and `?` are wildcards. */
  readonly procnames?: readonly string[];
  /** Inode numbers of cgroup namespaces. */
  readonly cgroups?: readonly number[];
  /** Inode numbers of namespaces of any kind. */
  readonly containers?: readonly number[];
}

function patternOf(name: string): RegExp {
  const source = name
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replace(/\*/g, ".*")
    .replace(/\?/g, ".");
  return new RegExp(`^${source}$`, "s");
}

export class Filter {
  /** No thread is left out. */
  readonly allThreads: boolean;
  readonly allCpus: boolean;
  readonly #cpus: ReadonlySet<number>;
  readonly #tids: ReadonlySet<number>;
  readonly #patterns: readonly RegExp[];
  readonly #names = new Map<string, boolean>();

  constructor(private readonly options: FilterOptions = {}) {
    const { cpus, tids, procnames, cgroups, containers } = options;
    this.#cpus = new Set(cpus ?? []);
    this.#tids = new Set(tids ?? []);
    this.#patterns = (procnames ?? []).map(patternOf);
    this.allCpus = cpus === undefined;
    this.allThreads =
      tids === undefined && procnames === undefined && cgroups === undefined && containers === undefined;
  }

  cpu(cpu: Cpu): boolean {
    return this.allCpus || this.#cpus.has(cpu.number);
  }

  /** An unknown thread is kept only when no thread is left out. */
  thread(thread: Thread | undefined): boolean {
    return this.allThreads || (thread !== undefined && this.#keeps(thread));
  }

  #keeps(thread: Thread): boolean {
    const { tids, procnames, cgroups, containers } = this.options;
    if (tids !== undefined && !this.#tids.has(thread.tid)) return false;
    if (procnames !== undefined && !this.#named(thread.name)) return false;
    const { namespaces } = thread;
    if (cgroups !== undefined && !cgroups.includes(namespaces?.get("cgroup") ?? -1)) return false;
    if (containers !== undefined && ![...(namespaces?.values() ?? [])].some((n) => containers.includes(n)))
      return false;
    return true;
  }

  #named(name: string): boolean {
    let kept = this.#names.get(name);
    if (kept === undefined) {
      kept = this.#patterns.some((pattern) => pattern.test(name));
      this.#names.set(name, kept);
    }
    return kept;
  }
}
