# Cause: in a server written in Python the thread "reporter" sleeps with a lock held that requests need.
. /share/common.sh
cat > /tmp/app.py <<'PY'
import socket, threading, time
cache = threading.Lock()
def reporter():
    open("/proc/self/task/%d/comm" % threading.get_native_id(), "w").write("reporter")
    while True:
        time.sleep(2)
        with cache: time.sleep(0.4)
def worker():
    while True:
        c, _ = s.accept()
        c.recv(100)
        with cache: sum(range(3000))
        c.send(b"ok"); c.close()
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1", 8000)); s.listen(50)
threading.Thread(target=reporter, daemon=True).start()
for i in range(3): threading.Thread(target=worker).start()
PY
python3 /tmp/app.py & S=$!
sleep 1.5
record pylock requests 50 100
kill -9 $S; sleep 0.5
