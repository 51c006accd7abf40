/** Which events to record, by LTTng's names: all that the analyses need, or those of a profile. */
import { definePeriods } from "../periods/define.js";
import { type Profile, periodArguments } from "../profiles/profile.js";
import type { EventSelection } from "./recorder.js";

/** What `why` cannot do without: who runs, who wakes whom, interrupts, calls, disks. */
const EXPLAIN = [
  "sched_switch",
  "sched_waking",
  "sched_wakeup",
  "sched_wakeup_new",
  "sched_migrate_task",
  "sched_process_fork",
  "sched_process_exec",
  "sched_process_exit",
  "sched_process_free",
  "sched_pi_setprio",
  "irq_handler_entry",
  "irq_handler_exit",
  "irq_softirq_raise",
  "irq_softirq_entry",
  "irq_softirq_exit",
  "timer_hrtimer_expire_entry",
  "timer_hrtimer_expire_exit",
  "block_rq_issue",
  "block_rq_complete",
  "block_rq_requeue",
  "block_dirty_buffer",
  "syscall_*",
];

const REST = [
  "block_getrq",
  "block_bio_remap",
  "block_bio_backmerge",
  "net_dev_queue",
  "net_dev_xmit",
  "net_if_receive_skb",
  "kmem_mm_page_alloc",
  "kmem_mm_page_free",
  "mm_vmscan_direct_reclaim_begin",
  "mm_vmscan_direct_reclaim_end",
  "mm_vmscan_memcg_reclaim_begin",
  "mm_vmscan_memcg_reclaim_end",
  "signal_generate",
  "signal_deliver",
];

/** Everything that any analysis uses. */
export const ALL_EVENTS: EventSelection = { patterns: [...EXPLAIN, ...REST], required: [] };

/** Names and patterns of events in the text of an expression. */
const NAME_TEST = /\$name\s*(?:(?:==|=\*)\s*"[^"]+"|in\s*\([^)]*\))/g;

function namedEvents(text: string): string[] {
  const tests = text.match(NAME_TEST) ?? [];
  return tests.flatMap((test) => [...test.matchAll(/"([^"]+)"/g)].map((match) => match[1]!));
}

/** What the periods of a profile name, and what `why` needs. Throws `PeriodError`. */
export function eventsOfProfile(profile: Profile): EventSelection {
  const { periods, captures } = periodArguments(profile);
  // The definitions must be right before anything is recorded for them.
  definePeriods({ periods, captures });
  const named = periods.flatMap(namedEvents);
  return { patterns: [...new Set([...EXPLAIN, ...profile.events.flat(), ...named])], required: [] };
}

/** Exactly the events of these patterns (`--events`). */
export function eventsByName(patterns: readonly string[]): EventSelection {
  return { patterns: [], required: patterns };
}
