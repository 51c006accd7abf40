/**
 * Which event of this trace plays which role.
 *
 * Tracers renamed events over the years (`softirq_entry` became `irq_softirq_entry`) and traces record only
 * what was enabled. Everything above asks for roles; the names are looked at once per event record class.
 */

import type { EventInfo, SourceInfo } from "../sources/source.js";

/** All names each role has had, newest first. The first is the one to recommend enabling. */
export const ROLE_NAMES = {
  schedSwitch: ["sched_switch"],
  schedWaking: ["sched_waking"],
  schedWakeup: ["sched_wakeup"],
  schedWakeupNew: ["sched_wakeup_new"],
  schedMigrate: ["sched_migrate_task"],
  schedFork: ["sched_process_fork"],
  schedExec: ["sched_process_exec"],
  schedExit: ["sched_process_exit"],
  schedFree: ["sched_process_free"],
  schedSetPrio: ["sched_pi_setprio"],
  dumpProcess: ["lttng_statedump_process_state"],
  dumpFile: ["lttng_statedump_file_descriptor"],
  dumpDisk: ["lttng_statedump_block_device"],
  dumpInterrupt: ["lttng_statedump_interrupt"],
  blockRemap: ["block_bio_remap"],
  blockMerge: ["block_bio_backmerge"],
  blockGetRequest: ["block_getrq"],
  blockIssue: ["block_rq_issue"],
  blockComplete: ["block_rq_complete"],
  blockRequeue: ["block_rq_requeue"],
  dirtyBuffer: ["block_dirty_buffer"],
  signalGenerate: ["signal_generate"],
  signalDeliver: ["signal_deliver"],
  reclaimBegin: ["mm_vmscan_direct_reclaim_begin", "mm_vmscan_memcg_reclaim_begin"],
  reclaimEnd: ["mm_vmscan_direct_reclaim_end", "mm_vmscan_memcg_reclaim_end"],
  netQueue: ["net_dev_queue"],
  netSend: ["net_dev_xmit"],
  netReceive: ["net_if_receive_skb", "netif_receive_skb"],
  irqEntry: ["irq_handler_entry"],
  irqExit: ["irq_handler_exit"],
  softirqRaise: ["irq_softirq_raise", "softirq_raise"],
  softirqEntry: ["irq_softirq_entry", "softirq_entry"],
  softirqExit: ["irq_softirq_exit", "softirq_exit"],
  timerEntry: ["timer_hrtimer_expire_entry", "hrtimer_expire_entry"],
  timerExit: ["timer_hrtimer_expire_exit", "hrtimer_expire_exit"],
  pageAlloc: ["kmem_mm_page_alloc", "mm_page_alloc"],
  pageFree: ["kmem_mm_page_free", "mm_page_free"],
} as const satisfies Record<string, readonly string[]>;

/** `lttng_statedump_process_cgroup_ns` and its like: the kind of namespace that an event tells. */
export function namespaceKind(event: string): string | undefined {
  return /^lttng_statedump_process_([a-z]+)_ns$/.exec(event)?.[1];
}

export type Role = keyof typeof ROLE_NAMES;

const ROLE_OF = new Map<string, Role>();
for (const role of Object.keys(ROLE_NAMES) as Role[])
  for (const name of ROLE_NAMES[role]) ROLE_OF.set(name, role);

/** What a system call event is about: `compat` marks calls of 32-bit programs on a 64-bit kernel. */
export interface SyscallName {
  readonly kind: "entry" | "exit";
  readonly name: string;
  readonly compat: boolean;
}

/** Undefined when `event` is no system call event. The single exit of old tracers has the name "". */
export function syscallName(event: string): SyscallName | undefined {
  if (event === "exit_syscall") return { kind: "exit", name: "", compat: false };
  const match = /^(compat_)?(?:syscall_(entry|exit)_|sys_)(.+)$/.exec(event);
  if (match === null) return undefined;
  return { kind: match[2] === "exit" ? "exit" : "entry", name: match[3]!, compat: match[1] !== undefined };
}

export interface KernelNames {
  /** Does the trace have this role at all? */
  has(role: Role): boolean;
  readonly hasSyscalls: boolean;
  /** A test for subscriptions. */
  is(role: Role): (event: EventInfo) => boolean;
  /** The system call of an event of a kernel trace. */
  syscall(event: EventInfo): SyscallName | undefined;
  /** Of the roles given, the names of those that the trace lacks. */
  missing(...roles: Role[]): string[];
}

export function resolveNames(info: SourceInfo): KernelNames {
  const roles = new Map<EventInfo, Role>();
  const syscalls = new Map<EventInfo, SyscallName>();
  const present = new Set<Role>();
  for (const event of info.events) {
    if (info.traces[event.trace]?.domain === "ust") continue;
    const role = ROLE_OF.get(event.name);
    if (role !== undefined) {
      roles.set(event, role);
      present.add(role);
      continue;
    }
    const syscall = syscallName(event.name);
    if (syscall !== undefined) syscalls.set(event, syscall);
  }
  return {
    has: (role) => present.has(role),
    hasSyscalls: syscalls.size > 0,
    is: (role) => (event) => roles.get(event) === role,
    syscall: (event) => syscalls.get(event),
    missing: (...wanted) => wanted.filter((role) => !present.has(role)).map((role) => ROLE_NAMES[role][0]!),
  };
}

const SOFTIRQS = [
  "HI",
  "TIMER",
  "NET_TX",
  "NET_RX",
  "BLOCK",
  "IRQ_POLL",
  "TASKLET",
  "SCHED",
  "HRTIMER",
  "RCU",
];

export function softirqName(vector: number): string {
  return SOFTIRQS[vector] ?? `softirq ${vector}`;
}

/**
 * Calls that lttng-modules records as `unknown` with a number (x86-64 numbers; other machines keep the
 * number).
 */
const X86_64: Readonly<Record<number, string>> = {
  15: "rt_sigreturn",
  158: "arch_prctl",
  317: "seccomp",
  318: "getrandom",
  319: "memfd_create",
  321: "bpf",
  322: "execveat",
  323: "userfaultfd",
  324: "membarrier",
  325: "mlock2",
  326: "copy_file_range",
  327: "preadv2",
  328: "pwritev2",
  332: "statx",
  333: "io_pgetevents",
  334: "rseq",
  424: "pidfd_send_signal",
  425: "io_uring_setup",
  426: "io_uring_enter",
  427: "io_uring_register",
  434: "pidfd_open",
  435: "clone3",
  436: "close_range",
  437: "openat2",
  438: "pidfd_getfd",
  439: "faccessat2",
  440: "process_madvise",
  441: "epoll_pwait2",
  447: "memfd_secret",
  449: "futex_waitv",
};

export function unknownSyscallName(id: number, x86_64: boolean): string {
  return (x86_64 ? X86_64[id] : undefined) ?? `syscall ${id}`;
}
