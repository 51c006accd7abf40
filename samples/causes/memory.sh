# Cause: "hoarder" takes all memory that is left and more; requests that need memory must reclaim it, and swap it out,
# first (boot the machine with MEM=800). Softirqs and timers are not recorded: the trace must fit into memory, too.
. /share/common.sh
fallocate -l 1500M /traces/swap
chmod 600 /traces/swap; mkswap /traces/swap > /dev/null; swapon /traces/swap
EVENTS=$(printf '%s\n' $EVENTS | grep -vE 'irq_|hrtimer|block_bio|net_')
/tmp/service memory & S=$!
sleep 0.5
work() {
  (sleep 5; exec /tmp/service hoard $(($(awk '/MemAvailable/ { print $2 }' /proc/meminfo) / 1024 + 150))) & H=$!
  requests 60 60; wait $H
}
record memory work
kill $S; swapoff /traces/swap; rm /traces/swap
