# Cause: for 2 s the service is in a cgroup that may use 15 ms of CPU in every 100 ms.
. /share/common.sh
mkdir -p /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup 2>/dev/null
echo +cpu > /sys/fs/cgroup/cgroup.subtree_control
mkdir -p /sys/fs/cgroup/limited; echo "15000 100000" > /sys/fs/cgroup/limited/cpu.max
/tmp/service cpu & S=$!
sleep 0.5
work() {
  (sleep 2; echo $S > /sys/fs/cgroup/limited/cgroup.procs; sleep 2; echo $S > /sys/fs/cgroup/cgroup.procs) &
  requests 60 60
}
record cpulimit work
kill $S
