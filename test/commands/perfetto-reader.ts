/**
 * Reads a Perfetto trace as Perfetto's importer does: protobufjs decodes by the published field numbers
 * (protos/perfetto/trace), this keeps what sequences of packets were told before.
 */
import assert from "node:assert/strict";
import protobuf from "protobufjs";

const PROTO = `syntax = "proto2";
message Trace { repeated TracePacket packet = 1; }
message TracePacket {
  optional FtraceEventBundle ftrace_events = 1; optional ProcessTree process_tree = 2;
  optional ClockSnapshot clock_snapshot = 6; optional uint64 timestamp = 8;
  optional uint32 trusted_packet_sequence_id = 10; optional TrackEvent track_event = 11;
  optional InternedData interned_data = 12; optional uint32 sequence_flags = 13; optional SystemInfo system_info = 45;
  optional uint32 timestamp_clock_id = 58; optional TracePacketDefaults trace_packet_defaults = 59;
  optional TrackDescriptor track_descriptor = 60; optional bool first_packet_on_sequence = 87;
}
message ClockSnapshot { repeated Clock clocks = 1; }
message Clock {
  optional uint32 clock_id = 1; optional uint64 timestamp = 2; optional bool is_incremental = 3;
  optional uint64 unit_multiplier_ns = 4;
}
message TracePacketDefaults {
  optional TrackEventDefaults track_event_defaults = 11; optional uint32 timestamp_clock_id = 58;
}
message TrackEventDefaults { optional uint64 track_uuid = 11; }
message InternedData {
  repeated Named event_categories = 1; repeated Named event_names = 2; repeated Named debug_annotation_names = 3;
  repeated Named debug_annotation_string_values = 29;
}
message Named { optional uint64 iid = 1; optional string name = 2; }
message TrackDescriptor {
  optional uint64 uuid = 1; optional string name = 2; optional ProcessDescriptor process = 3;
  optional ThreadDescriptor thread = 4; optional uint64 parent_uuid = 5; optional CounterDescriptor counter = 8;
}
message ProcessDescriptor { optional int32 pid = 1; optional string process_name = 6; }
message ThreadDescriptor { optional int32 pid = 1; optional int32 tid = 2; optional string thread_name = 5; }
message CounterDescriptor {}
message TrackEvent {
  repeated uint64 category_iids = 3; repeated DebugAnnotation debug_annotations = 4; optional int32 type = 9;
  optional uint64 name_iid = 10; optional uint64 track_uuid = 11; repeated string categories = 22;
  optional string name = 23; optional int64 counter_value = 30; repeated fixed64 flow_ids = 47;
}
message DebugAnnotation {
  optional uint64 name_iid = 1; optional int64 int_value = 4; optional string string_value = 6;
  optional string name = 10; optional uint64 string_value_iid = 17;
}
message SystemInfo { optional Utsname utsname = 1; }
message Utsname {
  optional string sysname = 1; optional string version = 2; optional string release = 3; optional string machine = 4;
}
message ProcessTree {
  message Thread { optional int32 tid = 1; optional string name = 2; optional int32 tgid = 3; }
  message Process { optional int32 pid = 1; optional int32 ppid = 2; repeated string cmdline = 3; }
  repeated Process processes = 1; repeated Thread threads = 2;
}
message FtraceEventBundle {
  optional uint32 cpu = 1; repeated FtraceEvent event = 2; optional bool lost_events = 3;
  optional CompactSched compact_sched = 4;
}
message CompactSched {
  repeated uint64 switch_timestamp = 1 [packed = true]; repeated int64 switch_prev_state = 2 [packed = true];
  repeated int32 switch_next_pid = 3 [packed = true]; repeated int32 switch_next_prio = 4 [packed = true];
  repeated string intern_table = 5; repeated uint32 switch_next_comm_index = 6 [packed = true];
  repeated uint64 waking_timestamp = 7 [packed = true]; repeated int32 waking_pid = 8 [packed = true];
  repeated int32 waking_target_cpu = 9 [packed = true]; repeated int32 waking_prio = 10 [packed = true];
  repeated uint32 waking_comm_index = 11 [packed = true]; repeated uint32 waking_common_flags = 12 [packed = true];
}
message FtraceEvent {
  optional uint64 timestamp = 1; optional uint32 pid = 2; optional SchedSwitch sched_switch = 4;
  optional Softirq softirq_entry = 24; optional Softirq softirq_exit = 25; optional IrqEntry irq_handler_entry = 36;
  optional IrqExit irq_handler_exit = 37; optional NewTask task_newtask = 235; optional Exit sched_process_exit = 238;
  optional Exit sched_process_free = 240;
}
message SchedSwitch {
  optional string prev_comm = 1; optional int32 prev_pid = 2; optional int32 prev_prio = 3;
  optional int64 prev_state = 4; optional string next_comm = 5; optional int32 next_pid = 6;
  optional int32 next_prio = 7;
}
message Softirq { optional uint32 vec = 1; }
message IrqEntry { optional int32 irq = 1; optional string name = 2; }
message IrqExit { optional int32 irq = 1; }
message NewTask { optional int32 pid = 1; optional string comm = 2; optional uint64 clone_flags = 3; }
message Exit { optional string comm = 1; optional int32 pid = 2; optional int32 tgid = 3; }
`;

interface Named {
  readonly iid: string;
  readonly name: string;
}

interface RawEvent {
  readonly type: number;
  readonly trackUuid?: string;
  readonly nameIid?: string;
  readonly categoryIids?: string[];
  readonly counterValue?: string;
  readonly flowIds?: string[];
  readonly debugAnnotations?: {
    readonly nameIid: string;
    readonly stringValue?: string;
    readonly stringValueIid?: string;
    readonly intValue?: string;
  }[];
}

export interface Descriptor {
  readonly uuid: string;
  readonly name?: string;
  readonly parentUuid?: string;
  readonly process?: { readonly pid: number; readonly processName: string };
  readonly thread?: { readonly pid: number; readonly tid: number; readonly threadName?: string };
}

interface RawSwitch {
  readonly prevPid: number;
  readonly prevState: string;
  readonly nextComm: string;
  readonly nextPid: number;
  readonly nextPrio: number;
}

interface RawBundle {
  readonly cpu?: number;
  readonly event?: {
    readonly timestamp: string;
    readonly pid: number;
    readonly schedSwitch?: RawSwitch;
    readonly softirqEntry?: { readonly vec: number };
    readonly irqHandlerEntry?: { readonly irq: number; readonly name: string };
    readonly taskNewtask?: { readonly pid: number; readonly comm: string; readonly cloneFlags: string };
  }[];
  readonly compactSched?: Partial<Record<string, string[] | number[]>>;
}

export interface ProcessTree {
  readonly processes?: { readonly pid: number; readonly ppid?: number; readonly cmdline: string[] }[];
  readonly threads?: { readonly tid: number; readonly tgid: number; readonly name: string }[];
}

interface RawPacket {
  readonly ftraceEvents?: RawBundle;
  readonly processTree?: ProcessTree;
  readonly systemInfo?: { readonly utsname: { readonly release: string } };
  readonly timestamp?: string;
  readonly timestampClockId?: number;
  readonly trustedPacketSequenceId?: number;
  readonly sequenceFlags?: number;
  readonly trackEvent?: RawEvent;
  readonly trackDescriptor?: Descriptor;
  readonly clockSnapshot?: { clocks: { clockId: number; timestamp: string; isIncremental?: boolean }[] };
  readonly tracePacketDefaults?: { timestampClockId: number; trackEventDefaults: { trackUuid: string } };
  readonly internedData?: Record<string, Named[] | undefined>;
}

export interface TrackEvent {
  /** Epoch ns. */
  readonly at: bigint;
  readonly type: "begin" | "end" | "instant" | "counter";
  readonly track: string;
  readonly name: string;
  readonly category: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly flows: readonly string[];
}

/** An event record of the kernel; moments are epoch ns. */
export interface KernelEvent {
  readonly at: bigint;
  readonly cpu: number;
  readonly kind: "switch" | "waking" | "irq" | "softirq" | "new task";
  /** Switches: who leaves; undefined where a compact one leaves it to the reader. */
  readonly prevTid?: number | undefined;
  readonly prevState?: number;
  /** Who comes, who is woken, who is born; the interrupt's number. */
  readonly number: number;
  readonly name: string;
  readonly prio?: number;
  readonly flags?: number;
}

export interface PerfettoTrace {
  readonly tracks: ReadonlyMap<string, Descriptor>;
  readonly events: readonly TrackEvent[];
  /** In the order in which a CPU's are sorted by time. */
  readonly kernel: readonly KernelEvent[];
  readonly trees: readonly ProcessTree[];
  readonly kernelRelease: string;
}

const TYPES = [undefined, "begin", "end", "instant", "counter"] as const;
const BOOT_TIME = 6;

class Sequence {
  readonly texts = new Map<string, Map<string, string>>();
  track = "";
  clock = BOOT_TIME;
  /** Of the incremental clock: its base on boot time, and what it shows. */
  base = 0n;
  now = 0n;

  text(kind: string, iid: string | undefined): string {
    if (iid === undefined) return "";
    const text = this.texts.get(kind)?.get(iid);
    assert.ok(text !== undefined, `${kind} ${iid} is not interned on its sequence`);
    return text;
  }

  clocks(clocks: NonNullable<RawPacket["clockSnapshot"]>["clocks"]): void {
    const own = clocks.find(({ clockId }) => clockId >= 64);
    if (own === undefined) return;
    assert.equal(own.isIncremental, true);
    this.now = BigInt(own.timestamp);
    this.base = BigInt(clocks.find(({ clockId }) => clockId === BOOT_TIME)!.timestamp) - this.now;
  }

  time(packet: RawPacket): bigint {
    const value = BigInt(packet.timestamp!);
    const clock = packet.timestampClockId ?? this.clock;
    if (clock === BOOT_TIME) return value;
    assert.equal(clock, 64);
    this.now += value;
    return this.base + this.now;
  }
}

function kernelEvents({ cpu, event = [], compactSched = {} }: RawBundle): KernelEvent[] {
  assert.ok(cpu !== undefined, "a bundle of no CPU");
  const found: KernelEvent[] = [];
  for (const { timestamp, schedSwitch, softirqEntry, irqHandlerEntry, taskNewtask } of event) {
    const at = BigInt(timestamp);
    if (schedSwitch !== undefined) {
      const { prevPid, prevState, nextPid, nextComm, nextPrio } = schedSwitch;
      found.push({
        at,
        cpu,
        kind: "switch",
        prevTid: prevPid,
        prevState: Number(prevState),
        number: nextPid,
        name: nextComm,
        prio: nextPrio,
      });
    }
    if (softirqEntry !== undefined)
      found.push({ at, cpu, kind: "softirq", number: softirqEntry.vec, name: "" });
    if (irqHandlerEntry !== undefined) {
      found.push({ at, cpu, kind: "irq", number: irqHandlerEntry.irq, name: irqHandlerEntry.name });
    }
    if (taskNewtask !== undefined) {
      found.push({ at, cpu, kind: "new task", number: taskNewtask.pid, name: taskNewtask.comm });
    }
  }
  const column = (name: string) => compactSched[name] ?? [];
  const names = column("internTable");
  const all = (of: "switch" | "waking", ...columns: string[]) => {
    const values = [`${of}Timestamp`, ...columns].map(column);
    for (const one of values)
      assert.equal(one.length, values[0]!.length, `columns of ${of} differ in length`);
    return values;
  };
  const [switchTimes, states, nextPids, prios, nextNames] = all(
    "switch",
    ...["switchPrevState", "switchNextPid", "switchNextPrio", "switchNextCommIndex"],
  );
  let at = 0n;
  switchTimes!.forEach((delta, i) => {
    at += BigInt(delta);
    found.push({
      at,
      cpu,
      kind: "switch",
      prevState: Number(states![i]),
      number: Number(nextPids![i]),
      name: String(names[Number(nextNames![i])]),
      prio: Number(prios![i]),
    });
  });
  const [wakingTimes, pids, , wakingPrios, wakingNames, flags] = all(
    "waking",
    ...["wakingPid", "wakingTargetCpu", "wakingPrio", "wakingCommIndex", "wakingCommonFlags"],
  );
  at = 0n;
  wakingTimes!.forEach((delta, i) => {
    at += BigInt(delta);
    found.push({
      at,
      cpu,
      kind: "waking",
      number: Number(pids![i]),
      name: String(names[Number(wakingNames![i])]),
      prio: Number(wakingPrios![i]),
      flags: Number(flags![i]),
    });
  });
  return found;
}

export function readPerfetto(bytes: Uint8Array): PerfettoTrace {
  const type = protobuf.parse(PROTO).root.lookupType("Trace");
  const { packet: packets } = type.toObject(type.decode(bytes), { longs: String }) as { packet: RawPacket[] };
  const sequences = new Map<number, Sequence>();
  const tracks = new Map<string, Descriptor>();
  const events: TrackEvent[] = [];
  const kernel: KernelEvent[] = [];
  const trees: ProcessTree[] = [];
  let kernelRelease = "";
  for (const packet of packets) {
    const id = packet.trustedPacketSequenceId;
    assert.ok(id !== undefined && id > 0, "a packet of no sequence");
    const isCleared = ((packet.sequenceFlags ?? 0) & 1) !== 0;
    if (isCleared) sequences.set(id, new Sequence());
    const sequence = sequences.get(id);
    assert.ok(sequence !== undefined, `sequence ${id} begins without SEQ_INCREMENTAL_STATE_CLEARED`);
    const {
      tracePacketDefaults: defaults,
      internedData,
      clockSnapshot,
      trackDescriptor,
      trackEvent,
    } = packet;
    if (defaults !== undefined) {
      sequence.clock = defaults.timestampClockId;
      sequence.track = defaults.trackEventDefaults.trackUuid;
    }
    for (const [kind, entries] of Object.entries(internedData ?? {})) {
      const known = sequence.texts.get(kind) ?? new Map<string, string>();
      sequence.texts.set(kind, known);
      for (const { iid, name } of entries ?? []) {
        assert.ok(!known.has(iid), `${kind} ${iid} is interned twice`);
        known.set(iid, name);
      }
    }
    if (clockSnapshot !== undefined) sequence.clocks(clockSnapshot.clocks);
    if (trackDescriptor !== undefined) tracks.set(trackDescriptor.uuid, trackDescriptor);
    if (packet.ftraceEvents !== undefined)
      for (const one of kernelEvents(packet.ftraceEvents)) kernel.push(one);
    if (packet.processTree !== undefined) trees.push(packet.processTree);
    if (packet.systemInfo !== undefined) kernelRelease = packet.systemInfo.utsname.release;
    if (trackEvent === undefined) continue;
    assert.equal((packet.sequenceFlags ?? 0) & 2, 2, "SEQ_NEEDS_INCREMENTAL_STATE is missing");
    events.push({
      at: sequence.time(packet),
      type: TYPES[trackEvent.type]!,
      track: trackEvent.trackUuid ?? sequence.track,
      name: sequence.text("eventNames", trackEvent.nameIid),
      category: sequence.text("eventCategories", trackEvent.categoryIids?.[0]),
      attributes: new Map(
        (trackEvent.debugAnnotations ?? []).map((one) => [
          sequence.text("debugAnnotationNames", one.nameIid),
          one.stringValue ?? one.intValue ?? sequence.text("debugAnnotationStringValues", one.stringValueIid),
        ]),
      ),
      flows: trackEvent.flowIds ?? [],
    });
  }
  kernel.sort((a, b) => a.cpu - b.cpu || (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  return { tracks, events, kernel, trees, kernelRelease };
}
