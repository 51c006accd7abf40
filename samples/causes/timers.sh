# Cause: for 2 s "stress-ng --timer" makes CPUs handle hundreds of thousands of timer interrupts per second.
. /share/common.sh
/tmp/service cpu & S=$!
sleep 0.5
work() { (sleep 2; exec stress-ng --quiet --timer 2 --timer-freq 200000 --timeout 2) & requests 60 60; }
record timers work
kill $S
