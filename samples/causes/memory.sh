# Cause: "hoarder" takes all memory that is left and more; requests that need memory must reclaim it, and swap it out,
# first (boot the machine with MEM=1200).
. /share/common.sh
fallocate -l 1500M /traces/swap
chmod 600 /traces/swap; mkswap /traces/swap > /dev/null; swapon /traces/swap
/tmp/service memory & S=$!
sleep 0.5
work() {
  (sleep 3; exec /tmp/service hoard $(($(awk '/MemAvailable/ { print $2 }' /proc/meminfo) / 1024 + 150))) & H=$!
  requests 34 60; wait $H
}
record memory work
kill $S; swapoff /traces/swap; rm /traces/swap
