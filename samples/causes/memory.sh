# Cause: "hoarder" takes nearly all memory for 3 s; requests that need memory must reclaim it, and swap it out, first.
. /share/common.sh
fallocate -l 1500M /traces/swap || dd if=/dev/zero of=/traces/swap bs=1M count=1500
chmod 600 /traces/swap; mkswap /traces/swap > /dev/null; swapon /traces/swap
cat > /tmp/hoarder.py <<'PY'
import mmap, time
open("/proc/self/comm", "w").write("hoarder")
free = int(next(l for l in open("/proc/meminfo") if l.startswith("MemAvailable")).split()[1]) * 1024
take = mmap.mmap(-1, free + (60 << 20))
for at in range(0, len(take), 4096): take[at] = 1
time.sleep(3)
PY
/tmp/service memory & S=$!
sleep 0.5
work() { (sleep 3; exec python3 /tmp/hoarder.py) & requests 40 60; wait $!; }
record memory work
kill $S; swapoff /traces/swap; rm /traces/swap
