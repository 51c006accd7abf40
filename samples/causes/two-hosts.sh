# Cause: as in remote.sh, but the server is another machine with a clock of its own, and both are traced. Boot both with
# boot-two.sh.
. /share/common.sh
hostname webvm
IF=$(ls /sys/class/net | grep -E '^eth' | tail -1)
ip addr add 10.99.0.1/24 dev "$IF"; ip link set "$IF" up
while [ ! -e /share/listening ]; do sleep 0.2; done
touch /share/begun
/tmp/service remote & S=$!
sleep 6
record two-hosts-web requests 40 50
sleep 1
touch /share/over
kill $S
