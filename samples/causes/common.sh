# Shared by the scripts of causes: record NAME COMMAND... records a kernel trace while COMMAND runs.
. /share/lib.sh
start_lttng
cp /share/service /tmp/service
EVENTS="sched_switch sched_wakeup sched_wakeup_new sched_waking sched_migrate_task sched_process_fork sched_process_exec sched_process_exit sched_process_free sched_pi_setprio irq_* block_rq_issue block_rq_complete block_getrq block_bio_remap block_bio_backmerge block_dirty_buffer net_dev_queue net_dev_xmit net_if_receive_skb lttng_statedump_* signal_generate signal_deliver mm_vmscan_direct_reclaim_begin mm_vmscan_direct_reclaim_end timer_hrtimer_expire_entry timer_hrtimer_expire_exit"
record() {
  local name=$1; shift
  lab_session "$name" "/dev/shm/$name" 1M 16 --discard "pid tid procname"
  lttng start
  sleep 0.3
  "$@"
  lab_stop "$name"; keep "$name" "/dev/shm/$name"; rm -rf "/dev/shm/$name"
}
# requests COUNT MS: that many, one after the other, MS apart
requests() { /tmp/service client "$1" "$2"; }
