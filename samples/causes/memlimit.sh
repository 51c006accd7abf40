# Cause: for 3 s the service is in a cgroup that may have 12 MiB of memory (memory.max); requests need 24 MiB.
. /share/common.sh
fallocate -l 600M /traces/swap; chmod 600 /traces/swap; mkswap /traces/swap > /dev/null; swapon /traces/swap
mkdir -p /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup 2>/dev/null
echo +memory > /sys/fs/cgroup/cgroup.subtree_control
mkdir -p /sys/fs/cgroup/small; echo 12M > /sys/fs/cgroup/small/memory.max
EVENTS="$EVENTS mm_vmscan_memcg_reclaim_begin mm_vmscan_memcg_reclaim_end"
/tmp/service memory & S=$!
sleep 0.5
work() { (sleep 3; echo $S > /sys/fs/cgroup/small/cgroup.procs; sleep 3; echo $S > /sys/fs/cgroup/cgroup.procs) & requests 40 60; }
record memlimit work
kill $S; swapoff /traces/swap; rm /traces/swap
