# Cause: every 12th request runs /tmp/thumbnailer, which compresses for the best part of a second; others run `true`.
. /share/common.sh
head -c 1500000 /dev/urandom > /tmp/blob
cp "$(command -v xz)" /tmp/thumbnail-xz
printf '#!/bin/sh\nexec /tmp/thumbnail-xz -9 -k -c "$1" > /dev/null\n' > /tmp/thumbnailer; chmod +x /tmp/thumbnailer
/tmp/service child & S=$!
sleep 0.5
record child requests 40 50
kill $S
