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
import { babeltrace2, needs, periscope, root, sample } from "../support.js";
import { readPerfetto } from "./perfetto-reader.js";

const trace = join(root, "samples/dns-outlier");
const profile = ["--profile", "apache-php-mysql"];
const directory = mkdtempSync(join(tmpdir(), "periscope-export-"));
after(() => rmSync(directory, { recursive: true, force: true }));

/** One end of a thread's time on a CPU. */
interface Switch {
  /** Epoch ns. */
  readonly at: bigint;
  readonly cpu: number;
  readonly prevTid: number;
  readonly nextTid: number;
  readonly prevState: number;
  readonly nextComm: string;
  readonly nextPrio: number;
}

/** All switches, as babeltrace2 tells them. */
function switchesOf(path: string): Switch[] {
  const run = babeltrace2(["--clock-seconds", path]);
  assert.equal(run.code, 0, run.stderr);
  const found: Switch[] = [];
  for (const line of run.stdout.split("\n")) {
    const match =
      /^\[(\d+)\.(\d{9})\].* sched_switch: \{ cpu_id = (\d+) \}.* prev_tid = (\d+), .* prev_state = (\d+), next_comm = "(.*)", next_tid = (\d+), next_prio = (-?\d+)/.exec(
        line,
      );
    if (match === null) continue;
    const [, s, ns, cpu, prevTid, prevState, nextComm, nextTid, nextPrio] = match;
    found.push({
      at: BigInt(s! + ns!),
      cpu: Number(cpu),
      prevTid: Number(prevTid),
      nextTid: Number(nextTid),
      prevState: Number(prevState),
      nextComm: nextComm!,
      nextPrio: Number(nextPrio),
    });
  }
  return found;
}

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

test("Perfetto: slices nest, threads have names, wake-ups go forward, periods are those of periodlog", () => {
  const { tracks, events, trees } = readPerfetto(readFileSync(exported("perfetto", ...profile)));
  const names = new Map(trees.flatMap(({ threads = [] }) => threads.map(({ tid, name }) => [tid, name])));
  assert.equal(names.get(668), "apache2");
  for (const { thread } of tracks.values()) {
    if (thread !== undefined) assert.ok(names.has(thread.tid), `thread ${thread.tid} is in no process tree`);
  }
  for (const { parentUuid, uuid } of tracks.values()) {
    if (parentUuid !== undefined) assert.ok(tracks.has(parentUuid), `track ${uuid} has no parent`);
  }
  const open = new Map<string, { name: string; at: bigint }[]>();
  const last = new Map<string, bigint>();
  const requests: bigint[][] = [];
  const flows = new Map<string, { at: bigint; name: string }[]>();
  let waitsInCalls = 0;
  let slices = 0;
  for (const { at, type, track, name, category, flows: ids } of events) {
    assert.ok(tracks.has(track), `track ${track} is not described`);
    for (const flow of ids) flows.set(flow, [...(flows.get(flow) ?? []), { at, name }]);
    const stack = open.get(track) ?? [];
    open.set(track, stack);
    assert.ok(at >= (last.get(track) ?? 0n), "time goes back on a track");
    last.set(track, at);
    if (type === "begin") {
      if (category === "wait" && stack.length > 0) waitsInCalls++;
      stack.push({ name, at });
    }
    if (type === "end") {
      const begun = stack.pop();
      assert.ok(begun !== undefined, "an end without a begin");
      slices++;
      if (begun.name === "request") requests.push([begun.at, at]);
    }
  }
  for (const stack of open.values()) assert.equal(stack.length, 0, "a slice does not end");
  assert.ok(slices > 10_000, `${slices} slices`);
  assert.ok(waitsInCalls > 500, `${waitsInCalls} waits in system calls`);
  assert.ok(flows.size > 100);
  for (const [id, ends] of flows) {
    assert.equal(ends.length, 2, `flow ${id}`);
    // In order of time, which for a viewer is all that says which way the arrow goes.
    const [from, to] = ends.sort((a, b) => Number(a.at - b.at)) as [(typeof ends)[0], (typeof ends)[0]];
    assert.equal(from.at + 1n, to.at);
    assert.deepEqual(
      [from, to].map(({ name }) => name.split(" ")[0]),
      ["wakes", "woken"],
    );
  }
  const durations = requests.map(([begin, end]) => end! - begin!).sort((a, b) => (a < b ? -1 : 1));
  const expected = loggedInstances("request").map(([begin, end]) => end! - begin!);
  for (const one of expected) assert.ok(durations.includes(one), `a request of ${one} ns`);
  assert.ok(expected.length > 5);
});

test("Perfetto: the process of a thread is told though its first thread is not seen", () => {
  // Until then lttng-sessiond's "Client management" is all that there is.
  const path = join(directory, "one-thread");
  const range = ["--end", "1795452900.5668"];
  const run = periscope(["export", "--format", "perfetto", "-o", path, ...range, sample("idle-small")]);
  assert.equal(run.code, 0, run.stderr);
  const { trees } = readPerfetto(readFileSync(path));
  const threads = trees.flatMap((tree) => tree.threads ?? []);
  assert.deepEqual(
    threads.map(({ tid, tgid }) => [tid, tgid]),
    [[284, 275]],
  );
  assert.deepEqual(
    trees.flatMap(({ processes = [] }) => processes.map(({ pid }) => pid)),
    [275],
  );
});

test("Perfetto: the kernel's switches, wake-ups and interrupts are those that babeltrace2 tells", {
  skip: needs("babeltrace2"),
}, () => {
  const { kernel, trees, kernelRelease } = readPerfetto(readFileSync(exported("perfetto")));
  assert.equal(kernelRelease, "6.1.0-56-amd64");
  const text = babeltrace2(["--clock-seconds", trace]).stdout.split("\n");
  const told = (event: string) => text.filter((line) => line.includes(` ${event}: {`)).length;
  const found = (kind: string) => kernel.filter((one) => one.kind === kind);
  // Every switch, in the order of each CPU: what a reader takes from the switch before is right, too.
  const theirs = switchesOf(trace);
  assert.ok(theirs.length > 2000);
  for (const cpu of new Set(theirs.map((one) => one.cpu))) {
    const expected = theirs.filter((one) => one.cpu === cpu);
    const [opening, ...mine] = found("switch").filter((one) => one.cpu === cpu);
    assert.equal(mine.length, expected.length, `switches of CPU ${cpu}`);
    // Whom the first switch takes the CPU from has had it until then.
    assert.equal(opening?.number, expected[0]!.prevTid);
    assert.equal(opening?.prevTid, 0);
    let running = opening!.number;
    mine.forEach((one, i) => {
      const { at, prevTid, nextTid, prevState, nextComm, nextPrio } = expected[i]!;
      assert.equal(running, prevTid);
      assert.deepEqual(
        [one.at, one.number, one.name, one.prevState, one.prio],
        [at, nextTid, nextComm, prevState, nextPrio + 100],
      );
      running = nextTid;
    });
  }
  assert.equal(found("waking").length, told("sched_waking"));
  assert.equal(found("irq").length, told("irq_handler_entry"));
  assert.equal(found("softirq").length, told("irq_softirq_entry"));
  assert.equal(found("new task").length, told("sched_process_fork"));
  // Not all wake-ups come from interrupts, and not all from threads.
  const flags = new Set(found("waking").map((one) => one.flags));
  assert.ok(flags.has(0) && flags.has(8) && flags.has(16), [...flags].join());
  const known = new Set(trees.flatMap(({ threads = [] }) => threads.map(({ tid }) => tid)));
  for (const { number } of [...found("switch"), ...found("waking")])
    assert.ok(number === 0 || known.has(number), `thread ${number} is in no process tree`);
  const apache = trees.flatMap(({ processes = [] }) => processes).find(({ pid }) => pid === 668);
  assert.deepEqual(apache?.cmdline, ["apache2"]);
});

test("Perfetto: a range has the switches in it, and begins with who runs then", {
  skip: needs("babeltrace2"),
}, () => {
  const [begin, end] = [1795453174_500000000n, 1795453177_000000000n];
  const seconds = (ns: bigint) => `${ns / 1_000_000_000n}.${String(ns % 1_000_000_000n).padStart(9, "0")}`;
  const path = exported("perfetto", "--begin", seconds(begin), "--end", seconds(end));
  const { kernel, events } = readPerfetto(readFileSync(path));
  for (const { at } of [...kernel, ...events]) assert.ok(begin <= at && at <= end, `${at}`);
  const theirs = switchesOf(trace);
  for (const cpu of new Set(theirs.map((one) => one.cpu))) {
    const expected = theirs.filter((one) => one.cpu === cpu && begin <= one.at && one.at <= end);
    const before = theirs.filter((one) => one.cpu === cpu && one.at < begin).at(-1);
    const [opening, ...mine] = kernel.filter((one) => one.kind === "switch" && one.cpu === cpu);
    assert.deepEqual([opening?.at, opening?.number], [begin, before?.nextTid]);
    assert.deepEqual(
      mine.map(({ at, number }) => [at, number]),
      expected.map(({ at, nextTid }) => [at, nextTid]),
    );
  }
});

const twoHosts = join(root, ".cache/causes/two-hosts");

test("Perfetto: threads and CPUs of two hosts do not mix", {
  skip: needs("babeltrace2") || (existsSync(twoHosts) ? false : "run tools/unpack-causes.mjs"),
}, () => {
  const path = join(directory, "two-hosts");
  const run = periscope(["export", "--format", "perfetto", "-o", path, twoHosts]);
  assert.equal(run.code, 0, run.stderr);
  const { kernel, trees } = readPerfetto(readFileSync(path));
  const names = new Map(trees.flatMap(({ threads = [] }) => threads.map(({ tid, name }) => [tid, name])));
  const told = babeltrace2([twoHosts]).stdout.split("\n");
  const hosts = [...new Set(told.map((line) => line.split(" ")[2]))].filter(Boolean);
  assert.equal(hosts.length, 2);
  const counts = [0, 1].map((host) => {
    const mine = kernel.filter(({ kind, number, cpu }) => {
      assert.ok(
        number === 0 || kind === "irq" || kind === "softirq" || names.has(number),
        `thread ${number}`,
      );
      return kind === "switch" && (host === 0 ? cpu < 2 : cpu >= 2);
    });
    for (const { number } of mine) assert.ok(number === 0 || number >= 2 ** 23 === (host === 1), `${number}`);
    // Each CPU begins with a switch of ours.
    return mine.length - new Set(mine.map(({ cpu }) => cpu)).size;
  });
  const expected = hosts.map((name) => {
    const lines = told.filter((line) => line.includes(` ${name} sched_switch: {`));
    return lines.length;
  });
  assert.deepEqual(counts.sort(), expected.sort());
});

test("Chrome's JSON: slices nest, and threads are off their CPUs when babeltrace2 says so", {
  skip: needs("babeltrace2"),
}, () => {
  const { traceEvents, otherData } = JSON.parse(readFileSync(exported("chrome", ...profile), "utf8")) as {
    otherData: { beginEpochNs: string };
    traceEvents: {
      readonly ph: string;
      readonly pid: number;
      readonly tid: number;
      readonly ts: number;
      readonly dur?: number;
      readonly name?: string;
      readonly cat?: string;
    }[];
  };
  assert.ok(traceEvents.some(({ name }) => name === "db_queries"));
  const count = (kind: string) => traceEvents.filter(({ ph }) => ph === kind).length;
  assert.ok(count("s") > 100);
  assert.equal(count("s"), count("f"));
  // Nanoseconds are whole in the text; floating point microseconds are not.
  const ns = (us: number) => Math.round(us * 1000);
  const tracks = new Map<string, { beginNs: number; endNs: number; cat: string }[]>();
  for (const { ph, pid, tid, ts, dur, cat } of traceEvents) {
    if (ph !== "X") continue;
    const key = `${pid < 2 ** 22 ? "" : `${pid} `}${tid}`;
    const slices = tracks.get(key) ?? [];
    tracks.set(key, slices);
    slices.push({ beginNs: ns(ts), endNs: ns(ts) + ns(dur!), cat: cat! });
  }
  /** By thread: pauses from switch to switch; a wait and the way back to a CPU are one. */
  const pauses = new Map<string, Map<number, number>>();
  for (const [key, slices] of tracks) {
    slices.sort((a, b) => a.beginNs - b.beginNs || b.endNs - a.endNs);
    const open: number[] = [];
    const mine = new Map<number, number>();
    pauses.set(key, mine);
    let [beginNs, endNs] = [-1, -1];
    for (const slice of slices) {
      while (open.length > 0 && open.at(-1)! <= slice.beginNs) open.pop();
      assert.ok(open.length === 0 || slice.endNs <= open.at(-1)!, `slices of ${key} overlap`);
      open.push(slice.endNs);
      if (slice.cat !== "wait" && slice.cat !== "runnable") continue;
      if (slice.beginNs !== endNs) ({ beginNs } = slice);
      ({ endNs } = slice);
      mine.set(beginNs, endNs);
    }
  }
  const leftNs = new Map<number, number>();
  let compared = 0;
  for (const { at, prevTid, nextTid } of switchesOf(trace)) {
    const sinceNs = Number(at - BigInt(otherData.beginEpochNs));
    leftNs.set(prevTid, sinceNs);
    const left = leftNs.get(nextTid);
    if (nextTid === 0 || left === undefined) continue;
    assert.equal(pauses.get(`${nextTid}`)?.get(left), sinceNs, `thread ${nextTid} pauses at ${left} ns`);
    compared++;
  }
  assert.ok(compared > 2000, `${compared} pauses`);
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
  // States are more than a row group of the Parquet file.
  const lines = readFileSync(exported("csv", "--table", "states"), "utf8")
    .trimEnd()
    .split("\r\n");
  const states = readFileSync(exported("parquet", "--table", "states"));
  const whole = states.buffer.slice(states.byteOffset, states.byteOffset + states.length) as ArrayBuffer;
  const all = (await parquetReadObjects({ file: whole })) as Record<string, bigint | string>[];
  assert.ok(all.length > 60_000, `${all.length} states`);
  assert.equal(all.length, lines.length - 1);
  for (const i of [0, 49_999, 50_000, all.length - 1]) {
    assert.equal(Object.values(all[i]!).slice(5, 8).join(), lines[i + 1]!.split(",").slice(5, 8).join());
  }
});

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue?: string; readonly intValue?: string };
}

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly Attribute[];
  readonly events?: readonly {
    readonly timeUnixNano: string;
    readonly name: string;
    readonly attributes: readonly Attribute[];
  }[];
}

function spansOf(body: string): Span[] {
  const { resourceSpans } = JSON.parse(body) as { resourceSpans: { scopeSpans: { spans: Span[] }[] }[] };
  return resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans));
}

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
  const spans = bodies.flatMap(spansOf);
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

test("OTLP: critical paths are span events that last as long as the span, and say what critical-path says", async () => {
  const bodies: string[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const part of request) body += part;
    bodies.push(body);
    response.writeHead(200, { "content-type": "application/json" }).end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const child = spawn(process.execPath, [
    ...[join(root, "bin/periscope"), "export", "--format", "otlp", "--endpoint", endpoint],
    ...["--critical-path", "20", ...profile, trace],
  ]);
  let errors = "";
  child.stderr.on("data", (part: Buffer) => {
    errors += part;
  });
  const code = await new Promise((resolve) => child.on("close", resolve));
  server.close();
  assert.equal(code, 0, errors);
  const spans = bodies.flatMap(spansOf);
  const lengthOf = (span: Span) => BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano);
  const told = spans.filter(({ events }) => events !== undefined);
  assert.equal(told.length, 20);
  const lengths = told.map(lengthOf).sort((a, b) => (a < b ? -1 : 1));
  for (const span of spans) if (span.events === undefined) assert.ok(lengthOf(span) <= lengths[0]!);
  const said = (attributes: readonly Attribute[], name: string) => {
    const value = attributes.find(({ key }) => key === name)?.value;
    return value?.intValue ?? value?.stringValue;
  };
  for (const span of told) {
    let at = BigInt(span.startTimeUnixNano);
    for (const { timeUnixNano, name, attributes } of span.events!) {
      assert.equal(BigInt(timeUnixNano), at, `${span.name}: ${name} does not follow the piece before`);
      at += BigInt(said(attributes, "periscope.duration_ns")!);
    }
    assert.equal(at, BigInt(span.endTimeUnixNano), span.name);
    assert.ok(span.events!.length <= 128, `${span.events!.length} events`);
  }
  const requests = spans
    .filter(({ name }) => name === "request")
    .sort((a, b) => (BigInt(a.startTimeUnixNano) < BigInt(b.startTimeUnixNano) ? -1 : 1));
  let [compared, pieces] = [0, 0];
  for (const [i, span] of requests.entries()) {
    if (span.events === undefined || compared === 3) continue;
    const instance = ["--period", "request", "--instance", `${i + 1}`];
    const run = periscope(["critical-path", "--json", ...profile, ...instance, trace]);
    assert.equal(run.code, 0, run.stderr);
    // Epoch nanoseconds are beyond what JSON.parse keeps.
    const path = JSON.parse(run.stdout.replace(/("\w*EpochNs": )(\d+)/g, '$1"$2"')) as {
      beginEpochNs: string;
      slices: {
        beginEpochNs: string;
        durationNs: number;
        kind: string;
        what: string;
        thread: { tid: number };
        cpu: number | null;
      }[];
    };
    assert.equal(path.beginEpochNs, span.startTimeUnixNano);
    const byBegin = new Map(path.slices.map((slice) => [slice.beginEpochNs, slice]));
    let folded = 0;
    for (const { timeUnixNano, attributes } of span.events) {
      const count = said(attributes, "periscope.pieces");
      if (count !== undefined) {
        folded += Number(count);
        continue;
      }
      const { durationNs, kind, what, thread, cpu } = byBegin.get(timeUnixNano)!;
      assert.deepEqual(
        ["duration_ns", "kind", "resource", "cpu"].map((name) => said(attributes, `periscope.${name}`)),
        [`${durationNs}`, kind, what === "" ? undefined : what, cpu === null ? undefined : `${cpu}`],
      );
      assert.equal(said(attributes, "thread.id"), `${thread.tid}`);
      pieces++;
    }
    const whole = span.events.filter(({ attributes }) => said(attributes, "periscope.pieces") === undefined);
    assert.equal(folded + whole.length, path.slices.length);
    compared++;
  }
  assert.ok(compared === 3 && pieces > 100, `${compared} requests, ${pieces} pieces`);
  const slow = told.flatMap(({ events }) => events!).map(({ name }) => name);
  assert.ok(slow.includes("waiting for the network: poll 8.8.6.6:53"), slow.join("\n"));
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
    [["--format", "otlp", ...profile, "--critical-path", "all"], /--critical-path: "all"/],
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
