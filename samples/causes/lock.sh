# Cause: requests wait for a mutex that the thread "janitor" of the same process holds while it computes for 0.5 s.
. /share/common.sh
/tmp/service lock & S=$!
sleep 0.5
record lock requests 60 80
kill $S
