# Cause: requests ask "pricing", a server at 10.99.0.2:9000 in a network namespace of its own, every 12th of whose
# answers takes 0.6 s longer, asleep.
. /share/common.sh
. /share/netns.sh
cp /tmp/service /tmp/pricing
ip netns exec db /tmp/pricing backend & D=$!
/tmp/service remote & S=$!
sleep 0.5
record remote requests 40 50
kill $S $D; ip netns del db
