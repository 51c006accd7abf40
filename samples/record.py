#!/usr/bin/python3
"""Records system calls, switches and process events of some processes through a tracefs instance while a command
runs, and writes them as CTF with babeltrace2's writer, under LTTng's names. usage: record.py OUT PIDS -- COMMAND"""
import os, re, subprocess, sys, time, shutil
import bt2

out = sys.argv[1]
pids = [int(p) for p in sys.argv[2].split(",")]
command = sys.argv[4:]
T = "/sys/kernel/tracing/instances/periscope-sample"
if not os.path.isdir(T): os.mkdir(T)
def put(path, text):
    with open(f"{T}/{path}", "w") as f: f.write(text)
put("tracing_on", "0"); put("trace_clock", "x86-tsc"); put("buffer_size_kb", "16384"); put("trace", "")
put("events/syscalls/enable", "1")
for e in ("sched_switch", "sched_process_fork", "sched_process_exec", "sched_process_exit"):
    put(f"events/sched/{e}/enable", "1")
def state(pid):
    rows = []
    for tid in os.listdir(f"/proc/{pid}/task"):
        comm = open(f"/proc/{pid}/task/{tid}/comm").read().strip()
        rows.append((int(tid), pid, comm))
    return rows
dump = [row for pid in pids for row in state(pid)]
epoch_offset = time.time_ns() - time.clock_gettime_ns(time.CLOCK_MONOTONIC)
began = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
put("tracing_on", "1")
def mark(word):
    a = time.clock_gettime_ns(time.CLOCK_MONOTONIC); put("trace_marker", word); b = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    return (a + b) // 2
marks = [mark("first")]
subprocess.run(command, check=True)
marks.append(mark("last"))
put("tracing_on", "0")
lines = open(f"{T}/trace").read().splitlines()
put("events/enable", "0")
os.rmdir(T)

LINE = re.compile(r"^\s*(.{1,16})-(\d+)\s+\[(\d+)\]\s+\S+\s+(\d+): (\w+)(.*)$")
cycles = [int(re.search(r"\s(\d+): tracing_mark_write", l).group(1)) for l in lines if "tracing_mark_write" in l]
scale = (marks[1] - marks[0]) / (cycles[-1] - cycles[0])
records = []
for tid, pid, comm in dump:
    records.append((began, 0, "lttng_statedump_process_state", {"tid": tid, "pid": pid, "ppid": 1, "name": comm}))
tids = [tid for tid, _, _ in dump]
for line in lines:
    while len(tids) < len(records): tids.append(int(tid))
    m = LINE.match(line)
    if not m: continue
    comm, tid, cpu, tsc, what, rest = m.groups()
    ns = marks[0] + round((int(tsc) - cycles[0]) * scale)
    cpu = int(cpu)
    if what.startswith("sys_") and rest.startswith(" -> "):
        ret = int(rest[4:].strip(), 16)
        if ret >= 1 << 63: ret -= 1 << 64
        records.append((ns, cpu, "syscall_exit_" + what[4:], {"ret": ret}))
    elif what.startswith("sys_") and rest.startswith("("):
        args = {}
        for part in re.split(r", (?=\w+: )", rest[1:].rstrip(")")):
            if ": " not in part: continue
            name, value = part.split(": ", 1)
            try: number = int(value.split()[0], 16)
            except ValueError: continue
            args[name] = number - (1 << 64) if number >= 1 << 63 else number
        records.append((ns, cpu, "syscall_entry_" + what[4:], args))
    elif what == "sched_switch":
        f = dict(re.findall(r"(\w+)=(.*?)(?= \w+=| ==>|$)", rest))
        records.append((ns, cpu, what, {"prev_comm": f["prev_comm"], "prev_tid": int(f["prev_pid"]), "prev_prio": int(f["prev_prio"]),
            "prev_state": 0 if f["prev_state"].startswith("R") else 1, "next_comm": f["next_comm"], "next_tid": int(f["next_pid"]), "next_prio": int(f["next_prio"])}))
    elif what == "sched_process_fork":
        f = dict(re.findall(r"(\w+)=(\S+)", rest))
        records.append((ns, cpu, what, {"parent_comm": f["comm"], "parent_tid": int(f["pid"]), "parent_pid": int(f["pid"]),
            "child_comm": f["child_comm"], "child_tid": int(f["child_pid"]), "child_pid": int(f["child_pid"])}))
    elif what == "sched_process_exec":
        f = dict(re.findall(r"(\w+)=(\S+)", rest))
        records.append((ns, cpu, what, {"filename": f["filename"], "tid": int(f["pid"]), "old_tid": int(f["old_pid"])}))
    elif what == "sched_process_exit":
        f = dict(re.findall(r"(\w+)=(\S+)", rest))
        records.append((ns, cpu, what, {"comm": f["comm"], "tid": int(f["pid"]), "prio": int(f["prio"])}))
# Only the processes asked for, their children, and the switches to and from them.
mine = {tid for tid, _, _ in dump}
kept = []
while len(tids) < len(records): tids.append(int(tid))
for r, tid in zip(records, tids):
    f = r[3]
    if r[2] == "sched_process_fork" and f["parent_tid"] in mine: mine.add(f["child_tid"])
    if r[2].startswith("lttng_") or tid in mine or f.get("next_tid") in mine or f.get("prev_tid") in mine: kept.append(r)
records = kept
records.sort(key=lambda r: r[0])
shapes = {}
for _, _, name, fields in records:
    known = shapes.setdefault(name, {})
    for key, value in fields.items(): known[key] = type(value)
cpus = sorted({r[1] for r in records})

class Messages(bt2._UserMessageIterator):
    def __init__(self, config, port):
        self._it = self._make(port.user_data)
    def _make(self, data):
        sc, events, trace = data
        streams, packets = {}, {}
        for cpu in cpus:
            streams[cpu] = trace.create_stream(sc)
            yield self._create_stream_beginning_message(streams[cpu])
            packets[cpu] = streams[cpu].create_packet()
            packets[cpu].context_field["cpu_id"] = cpu
            yield self._create_packet_beginning_message(packets[cpu], default_clock_snapshot=records[0][0])
        for ns, cpu, name, fields in records:
            msg = self._create_event_message(events[name], packets[cpu], default_clock_snapshot=ns)
            for key, type_ in shapes[name].items():
                msg.event.payload_field[key] = fields.get(key, type_())
            yield msg
        for cpu in cpus:
            yield self._create_packet_end_message(packets[cpu], default_clock_snapshot=records[-1][0])
            yield self._create_stream_end_message(streams[cpu])
    def __next__(self):
        return next(self._it)

class Source(bt2._UserSourceComponent, message_iterator_class=Messages):
    def __init__(self, config, params, obj):
        tc = self._create_trace_class()
        clock = self._create_clock_class(name="mono", frequency=10**9, offset=bt2.ClockClassOffset(epoch_offset // 10**9, epoch_offset % 10**9), origin_is_unix_epoch=True)
        context = tc.create_structure_field_class()
        context += [("cpu_id", tc.create_unsigned_integer_field_class(32))]
        sc = tc.create_stream_class(default_clock_class=clock, supports_packets=True, packet_context_field_class=context,
            packets_have_beginning_default_clock_snapshot=True, packets_have_end_default_clock_snapshot=True)
        events = {}
        for name, shape in shapes.items():
            payload = tc.create_structure_field_class()
            payload += [(key, tc.create_signed_integer_field_class(64) if t is int else tc.create_string_field_class()) for key, t in shape.items()]
            events[name] = sc.create_event_class(name=name, payload_field_class=payload)
        trace = tc(environment={"hostname": os.uname().nodename, "domain": "kernel", "kernel_release": os.uname().release, "tracer_name": "tracefs"})
        self._add_output_port("out", (sc, events, trace))

g = bt2.Graph()
src = g.add_component(Source, "src")
fs = bt2.find_plugin("ctf").sink_component_classes["fs"]
shutil.rmtree(out, ignore_errors=True)
sink = g.add_component(fs, "sink", params={"path": out, "assume-single-trace": True, "quiet": True})
g.connect_ports(src.output_ports["out"], sink.input_ports["in"])
g.run()
print(len(records), "event records,", out)
import gc
del g, src, sink, fs
gc.collect()
