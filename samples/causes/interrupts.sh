# Cause: for 2 s CPU 1, on which the service runs, receives a flood of packets (softirq NET_RX) that nobody reads.
. /share/common.sh
. /share/netns.sh
echo 2 > /sys/class/net/veth-web/queues/rx-0/rps_cpus
cp /tmp/service /tmp/flood
taskset -c 1 /tmp/service cpu & S=$!
sleep 0.5
work() { (sleep 2; exec taskset -c 0 ip netns exec db /tmp/flood flood) & requests 60 60; wait $!; }
record interrupts work
kill $S; ip netns del db
