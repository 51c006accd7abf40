"""Counts what test/peers/periods.test.ts defines as periods, by hand: no definitions, no engine, a few
dictionaries over the text of babeltrace2. Prints one line per completed instance: name begin-ns end-ns pid."""
import re
import subprocess
import sys

LINE = re.compile(r"\[(\d+)\.(\d+)\] \S+ (\w+): .*?pid = (\d+).*?procname = \"([^\"]*)\" \}, \{ ?(.*)\}$")
THEME = "/var/lib/wordpress/wp-content/themes/twentytwentyone/template-parts/content/content-single.php"


def field(text, name):
    found = re.search(r"\b%s = (-?\d+|\"[^\"]*\")" % name, text)
    return None if found is None else found.group(1).strip('"')


command = ["babeltrace2", "--clock-seconds", "--no-delta", sys.argv[1]]
out = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="latin1")
# Per worker: the socket, when the request began, and when each phase did.
requests = {}
done = []
for line in out.stdout:
    if "apache2" not in line:
        continue
    match = LINE.match(line.rstrip("\n"))
    if match is None:
        continue
    seconds, nanos, event, pid, procname, payload = match.groups()
    ns = int(seconds) * 10**9 + int(nanos)
    now = requests.get(pid)
    if now is not None:
        phases = now["phases"]
        if event == "syscall_entry_newfstatat" and field(payload, "filename") == "/usr/share/wordpress/index.php":
            if field(payload, "flag") == "0":
                done.append(("url_rewrite", phases.pop("url_rewrite"), ns, pid))
                phases["before_db_connect"] = ns
        elif event == "syscall_entry_connect" and field(payload, "dport") == "3306":
            done.append(("before_db_connect", phases.pop("before_db_connect"), ns, pid))
            phases["db_queries"] = ns
        elif event == "syscall_entry_access" and field(payload, "filename") == THEME:
            done.append(("db_queries", phases.pop("db_queries"), ns, pid))
            phases["rendering"] = ns
        elif event == "syscall_entry_writev" and field(payload, "fd") == now["fd"] and "rendering" in phases:
            done.append(("rendering", phases.pop("rendering"), ns, pid))
        elif event == "syscall_entry_close" and field(payload, "fd") == now["fd"]:
            done.append(("request", now["begin"], ns, pid))
            del requests[pid]
    if event == "syscall_exit_accept4" and procname == "apache2":
        requests[pid] = {"fd": field(payload, "ret"), "begin": ns, "phases": {"url_rewrite": ns}}
for name, begin, end, pid in sorted(done, key=lambda row: (row[1], row[0])):
    print(name, begin, end, pid)
