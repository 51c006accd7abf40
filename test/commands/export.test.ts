// `periscope export`, read back by decoders that are not ours, and compared with what other commands say.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { parquetReadObjects } from "hyparquet";
import protobuf from "protobufjs";
import { periscope, root } from "../support.js";

const trace = join(root, "samples/dns-outlier");
const profile = ["--profile", "apache-php-mysql"];
const directory = mkdtempSync(join(tmpdir(), "periscope-export-"));
after(() => rmSync(directory, { recursive: true, force: true }));

function exported(format: string, ...options: string[]): string {
  const path = join(directory, `out-${format}-${options.length}`);
  const run = periscope(["export", "--format", format, "-o", path, ...options, trace]);
  assert.equal(run.code, 0, run.stderr);
  return path;
}

interface Logged {
  readonly beginNs: number;
  readonly endNs: number;
}

/** Bounds of the instances of a period, exact, by another command. */
function loggedInstances(path: string): bigint[][] {
  const run = periscope(["periodlog", "--json", ...profile, trace]);
  assert.equal(run.code, 0, run.stderr);
  const { log } = JSON.parse(run.stdout).slices[0].result as {
    log: (Logged & { path?: string; name?: string; period?: string })[];
  };
  const found: bigint[][] = [];
  for (const one of log) {
    if ((one.path ?? one.name ?? one.period) === path) found.push([BigInt(one.beginNs), BigInt(one.endNs)]);
  }
  return found;
}

/** Field numbers as Perfetto publishes them (protos/perfetto/trace). */
const PROTO = `syntax = "proto2";
message Trace { repeated TracePacket packet = 1; }
message TracePacket {
  optional uint64 timestamp = 8; optional uint32 trusted_packet_sequence_id = 10; optional TrackEvent track_event = 11;
  optional uint32 timestamp_clock_id = 58; optional TrackDescriptor track_descriptor = 60;
}
message TrackDescriptor {
  optional uint64 uuid = 1; optional string name = 2; optional ProcessDescriptor process = 3;
  optional ThreadDescriptor thread = 4; optional uint64 parent_uuid = 5; optional CounterDescriptor counter = 8;
}
message ProcessDescriptor { optional int32 pid = 1; optional string process_name = 6; }
message ThreadDescriptor { optional int32 pid = 1; optional int32 tid = 2; optional string thread_name = 5; }
message CounterDescriptor {}
message TrackEvent {
  repeated DebugAnnotation debug_annotations = 4; optional int32 type = 9; optional uint64 track_uuid = 11;
  repeated string categories = 22; optional string name = 23; optional int64 counter_value = 30;
  repeated fixed64 flow_ids = 47;
}
message DebugAnnotation { optional int64 int_value = 4; optional string string_value = 6; optional string name = 10; }
`;

interface Packet {
  readonly timestamp?: string;
  readonly trackEvent?: {
    readonly type: number;
    readonly trackUuid: string;
    readonly name?: string;
    readonly categories?: string[];
    readonly flowIds?: string[];
    readonly debugAnnotations?: { readonly name: string; readonly stringValue?: string }[];
  };
  readonly trackDescriptor?: {
    readonly uuid: string;
    readonly name?: string;
    readonly parentUuid?: string;
    readonly process?: { readonly pid: number; readonly processName: string };
    readonly thread?: { readonly pid: number; readonly tid: number; readonly threadName: string };
  };
}

test("Perfetto: slices nest, threads have names, periods are those of periodlog", () => {
  const bytes = readFileSync(exported("perfetto", ...profile));
  const type = protobuf.parse(PROTO).root.lookupType("Trace");
  const { packet } = type.toObject(type.decode(bytes), { longs: String }) as { packet: Packet[] };
  const tracks = new Map(packet.flatMap(({ trackDescriptor: t }) => (t === undefined ? [] : [[t.uuid, t]])));
  const threads = [...tracks.values()].flatMap(({ thread }) => (thread === undefined ? [] : [thread]));
  assert.ok(threads.some(({ tid, threadName }) => tid === 668 && threadName === "apache2"));
  for (const { parentUuid, process } of tracks.values()) {
    if (process === undefined)
      assert.ok(tracks.get(parentUuid!)?.process !== undefined, "a track without process");
  }
  const open = new Map<string, { name: string; at: bigint }[]>();
  const last = new Map<string, bigint>();
  const requests: bigint[][] = [];
  const flows = new Map<string, number>();
  let slices = 0;
  for (const { timestamp, trackEvent: event } of packet) {
    if (event === undefined) continue;
    assert.ok(tracks.has(event.trackUuid), `track ${event.trackUuid} is not described`);
    for (const flow of event.flowIds ?? []) flows.set(flow, (flows.get(flow) ?? 0) + 1);
    const at = BigInt(timestamp!);
    const stack = open.get(event.trackUuid) ?? [];
    open.set(event.trackUuid, stack);
    assert.ok(at >= (last.get(event.trackUuid) ?? 0n), "time goes back on a track");
    last.set(event.trackUuid, at);
    if (event.type === 1) stack.push({ name: event.name!, at });
    if (event.type === 2) {
      const begun = stack.pop();
      assert.ok(begun !== undefined, "an end without a begin");
      slices++;
      if (begun.name === "request") requests.push([begun.at, at]);
    }
  }
  for (const stack of open.values()) assert.equal(stack.length, 0, "a slice does not end");
  assert.ok(slices > 10_000, `${slices} slices`);
  assert.ok([...flows.values()].filter((n) => n === 2).length > 100, "wake-ups have two ends");
  const durations = requests.map(([begin, end]) => end! - begin!).sort((a, b) => (a < b ? -1 : 1));
  const expected = loggedInstances("request").map(([begin, end]) => end! - begin!);
  for (const one of expected) assert.ok(durations.includes(one), `a request of ${one} ns`);
  assert.ok(expected.length > 5);
});

test("Chrome's JSON: begins and ends are pairs", () => {
  const { traceEvents } = JSON.parse(readFileSync(exported("chrome", ...profile), "utf8")) as {
    traceEvents: { ph: string; pid: number; tid: number; ts: number; name?: string }[];
  };
  const depth = new Map<string, number>();
  for (const { ph, pid, tid } of traceEvents) {
    const key = `${pid} ${tid}`;
    if (ph === "B") depth.set(key, (depth.get(key) ?? 0) + 1);
    if (ph === "E") {
      assert.ok((depth.get(key) ?? 0) > 0);
      depth.set(key, depth.get(key)! - 1);
    }
  }
  assert.ok([...depth.values()].every((n) => n === 0));
  assert.ok(traceEvents.some(({ name }) => name === "db_queries"));
});

test("collapsed stacks of a thread sum up to what waits says", () => {
  const lines = readFileSync(exported("stacks"), "utf8").trim().split("\n");
  const sum = lines
    .filter((line) => line.includes("apache2 (668)"))
    .reduce((n, line) => n + Number(/ (\d+)$/.exec(line)![1]), 0);
  const run = periscope(["waits", "--tid", "668", "--json", trace]);
  assert.equal(run.code, 0, run.stderr);
  const known = [...run.stdout.matchAll(/"durationNs":\s*(\d+)/g)].map(([, n]) => Number(n));
  // The first duration is that of the range.
  assert.ok(known.length > 0 && sum > 0 && sum <= Math.max(...known) / 1000 + lines.length, `${sum} us`);
  assert.ok(
    lines.some((line) => /668\);poll;waits for network;.*8\.8\.6\.6:53/.test(line)),
    lines[0],
  );
});

test("tables: CSV by Python's reader, Parquet by hyparquet, the same numbers to the nanosecond", async () => {
  const csv = exported("csv", ...profile);
  const script =
    "import csv,json,sys; print(json.dumps(list(csv.DictReader(open(sys.argv[1], newline='')))))";
  const python = spawnSync("/usr/bin/python3", ["-c", script, csv], { encoding: "utf8" });
  assert.equal(python.status, 0, python.stderr);
  const rows = JSON.parse(python.stdout) as Record<string, string>[];
  const bytes = readFileSync(exported("parquet", ...profile));
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
  const read = (await parquetReadObjects({ file })) as Record<string, bigint | string | boolean>[];
  assert.equal(rows.length, read.length);
  rows.forEach((row, i) => {
    for (const [name, value] of Object.entries(row)) assert.equal(String(read[i]![name]), value, name);
  });
  const requests = rows.filter(({ period, completed }) => period === "request" && completed === "true");
  assert.equal(requests.length, loggedInstances("request").length);
  assert.ok(
    requests.every(
      (row) => BigInt(row["end_ns"]!) - BigInt(row["begin_ns"]!) === BigInt(row["duration_ns"]!),
    ),
  );
  assert.ok(BigInt(requests[0]!["begin_ns"]!) > 2n ** 53n);
  assert.match(requests[0]!["captures"]!, /worker_pid/);
});

test("OTLP: a receiver gets every span once, though it is busy first", async () => {
  const bodies: string[] = [];
  let refused = 0;
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (part: Buffer) => {
      body += part;
    });
    request.on("end", () => {
      assert.equal(request.url, "/v1/traces");
      assert.equal(request.headers["x-tenant"], "lab");
      if (refused++ === 0) return response.writeHead(503, { "retry-after": "1" }).end();
      bodies.push(body);
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const child = spawn(process.execPath, [
    ...[join(root, "bin/periscope"), "export", "--format", "otlp", "--endpoint", endpoint],
    ...["--header", "X-Tenant: lab", ...profile, trace],
  ]);
  let errors = "";
  child.stderr.on("data", (part: Buffer) => {
    errors += part;
  });
  const code = await new Promise((resolve) => child.on("exit", resolve));
  server.close();
  assert.equal(code, 0, errors);
  interface Span {
    readonly traceId: string;
    readonly spanId: string;
    readonly parentSpanId?: string;
    readonly name: string;
    readonly startTimeUnixNano: string;
    readonly endTimeUnixNano: string;
  }
  const spans = bodies.flatMap((body) =>
    (JSON.parse(body).resourceSpans as { scopeSpans: { spans: Span[] }[] }[]).flatMap(({ scopeSpans }) =>
      scopeSpans.flatMap((scope) => scope.spans),
    ),
  );
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  assert.equal(byId.size, spans.length);
  for (const { traceId, spanId, parentSpanId, startTimeUnixNano } of spans) {
    assert.match(traceId, /^[0-9a-f]{32}$/);
    assert.match(spanId, /^[0-9a-f]{16}$/);
    if (parentSpanId === undefined) continue;
    const parent = byId.get(parentSpanId);
    assert.equal(parent?.traceId, traceId);
    assert.ok(BigInt(parent!.startTimeUnixNano) <= BigInt(startTimeUnixNano));
  }
  const lengths = spans
    .filter(({ name }) => name === "request")
    .map((span) => BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano));
  for (const [begin, end] of loggedInstances("request")) assert.ok(lengths.includes(end! - begin!));
});

test("a damaged trace: what can be read is exported, and the exit code tells", () => {
  const damaged = join(directory, "damaged");
  cpSync(join(root, "samples/idle-small"), damaged, { recursive: true });
  const kernel = join(damaged, "kernel");
  truncateSync(
    join(
      kernel,
      readdirSync(kernel)
        .filter((name) => /_\d+$/.test(name))
        .sort()
        .at(-1)!,
    ),
    10_000,
  );
  const path = join(directory, "damaged.txt");
  const run = periscope(["export", "--format", "stacks", "-o", path, damaged]);
  assert.equal(run.code, 1);
  assert.match(run.stderr, /byte 0: packet of \d+ bytes, but the file has only 10000 more/);
  assert.match(readFileSync(path, "utf8"), /;waits for a CPU \d+\n/);
});

test("wrong usage, and a collector that is not there", () => {
  for (const [args, message] of [
    [[], /expected --format perfetto, chrome/],
    [["--format", "pdf"], /"pdf", expected/],
    [["--format", "otlp"], /spans are periods/],
    [["--format", "csv", "--table", "periods"], /expected --profile or --period/],
    [["--format", "otlp", ...profile, "--header", "x"], /expected NAME: VALUE/],
  ] as const) {
    const run = periscope(["export", ...args, trace]);
    assert.equal(run.code, 2, run.stderr);
    assert.match(run.stderr, message);
  }
  const gone = periscope([
    "export",
    "--format",
    "otlp",
    "--endpoint",
    "http://127.0.0.1:9",
    ...profile,
    trace,
  ]);
  assert.equal(gone.code, 1);
  assert.match(gone.stderr, /127\.0\.0\.1:9\/v1\/traces: /);
  const path = join(directory, "none/there");
  assert.equal(periscope(["export", "--format", "chrome", "-o", path, trace]).code, 1);
  assert.equal(existsSync(path), false);
});
