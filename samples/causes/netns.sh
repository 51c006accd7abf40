# A second host on this machine: the network namespace "db" at 10.99.0.2, by a veth pair.
modprobe veth
ip netns add db; ip link add veth-web type veth peer name veth-db netns db
ip addr add 10.99.0.1/24 dev veth-web; ip link set veth-web up
ip netns exec db ip addr add 10.99.0.2/24 dev veth-db; ip netns exec db ip link set veth-db up
ip netns exec db ip link set lo up
