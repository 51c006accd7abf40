# Cause: "backup-agent" writes 30 MB to the disk on which requests sync their log, and syncs them in steps of 4 MB
# (boot the machine with BPSW=5242880 BPSWMAX=5242880: the disk writes 5 MiB/s).
. /share/common.sh
cat > /tmp/backup-agent.py <<'PY'
import os
open("/proc/self/comm", "w").write("backup-agent")
block = os.urandom(1 << 20)
with open("/var/lib/backup.img", "wb") as f:
    for i in range(30):
        f.write(block)
        if i % 4 == 3: f.flush(); os.fsync(f.fileno())
PY
rm -f /var/lib/orders.log /var/lib/backup.img; sync
/tmp/service fsync & S=$!
sleep 0.5
work() { (sleep 2; exec python3 /tmp/backup-agent.py) & requests 60 60; wait $!; }
record fsync work
kill $S; rm -f /var/lib/backup.img
