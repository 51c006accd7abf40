/** Threads and who runs. LTTng says tid where the kernel says pid, and pid where it says tgid. */
import { comm, event, i32, i64, priority, processOf, string } from "../mapping.js";

export const SCHED = [
  event(
    "sched/sched_switch",
    "sched_switch",
    [
      comm("prev_comm"),
      i32("prev_tid", "prev_pid"),
      priority("prev_prio"),
      i64("prev_state"),
      comm("next_comm"),
      i32("next_tid", "next_pid"),
      priority("next_prio"),
    ],
    "switch",
  ),
  ...["sched_waking", "sched_wakeup", "sched_wakeup_new"].map((name) =>
    event(
      `sched/${name}`,
      name,
      [comm("comm"), i32("tid", "pid"), priority("prio"), i32("target_cpu")],
      "wake",
    ),
  ),
  event("sched/sched_migrate_task", "sched_migrate_task", [
    comm("comm"),
    i32("tid", "pid"),
    priority("prio"),
    i32("orig_cpu"),
    i32("dest_cpu"),
  ]),
  event(
    "sched/sched_process_fork",
    "sched_process_fork",
    [
      comm("parent_comm"),
      i32("parent_tid", "parent_pid"),
      processOf("parent_pid", "parent_pid"),
      comm("child_comm"),
      i32("child_tid", "child_pid"),
      processOf("child_pid", "child_pid"),
    ],
    "fork",
  ),
  event(
    "sched/sched_process_exec",
    "sched_process_exec",
    [string("filename"), i32("tid", "pid"), i32("old_tid", "old_pid")],
    "exec",
  ),
  ...["sched_process_exit", "sched_process_free", "sched_process_wait"].map((name) =>
    event(`sched/${name}`, name, [comm("comm"), i32("tid", "pid"), priority("prio")]),
  ),
  event("sched/sched_pi_setprio", "sched_pi_setprio", [
    comm("comm"),
    i32("tid", "pid"),
    priority("oldprio"),
    priority("newprio"),
  ]),
];

/** Read for processes and names of threads; LTTng has no such events. */
export const CARRIERS = [
  event("task/task_newtask", undefined, [], "newtask"),
  event("task/task_rename", undefined, [], "rename"),
];
