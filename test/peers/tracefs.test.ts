// Raw pages of the kernel's ring buffer against the kernel's own text of the same records. Needs root and tracefs.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseEventFormat, type TracefsEvent } from "../../src/ftrace/event-format.js";
import { parseHeaderPage, readPage } from "../../src/ftrace/ring-buffer.js";

const TRACEFS = "/sys/kernel/tracing";

function whyNot(): string | false {
  if (process.getuid?.() !== 0) return "tracefs: not root";
  if (!existsSync(join(TRACEFS, "instances"))) spawnSync("mount", ["-t", "tracefs", "nodev", TRACEFS]);
  return existsSync(join(TRACEFS, "instances")) ? false : "tracefs cannot be mounted here";
}

const EVENTS = [
  "sched/sched_switch",
  "sched/sched_waking",
  "sched/sched_process_exec",
  "syscalls/sys_enter_openat",
  "syscalls/sys_exit_openat",
];

interface Seen {
  readonly cpu: number;
  readonly time: bigint;
  readonly name: string;
  readonly pid: number;
  /** What both tell of it. */
  readonly about: string;
}

test("records in raw pages are those of the kernel's text", { skip: whyNot() }, () => {
  const instance = join(TRACEFS, "instances", `periscope-test-${process.pid}`);
  mkdirSync(instance);
  const put = (path: string, text: string) => writeFileSync(join(instance, path), text);
  try {
    put("tracing_on", "0");
    // A clock of which the text shows every digit.
    put("trace_clock", "x86-tsc");
    put("buffer_size_kb", "4096");
    for (const event of EVENTS) put(`events/${event}/enable`, "1");
    put("tracing_on", "1");
    for (let i = 0; i < 5; i++)
      spawnSync("sh", ["-c", "ls / > /dev/null; sleep 0.01; cat /etc/passwd > /dev/null"]);
    put("tracing_on", "0");
    for (const event of EVENTS) put(`events/${event}/enable`, "0");

    const theirs = parseText(readFileSync(join(instance, "trace"), "utf8"));
    const ours = readRaw(instance);
    assert.ok(theirs.length > 200, `${theirs.length} records`);
    const text = ({ cpu, time, name, pid, about }: Seen) => `${time} cpu ${cpu} ${name} pid ${pid} ${about}`;
    const sorted = (list: readonly Seen[]) => list.map(text).sort();
    assert.deepEqual(sorted(ours), sorted(theirs));
  } finally {
    put("tracing_on", "0");
    rmdirSync(instance);
  }
});

/** `COMM-PID [CPU] FLAGS TIME: NAME: FIELDS`. */
function parseText(text: string): Seen[] {
  const out: Seen[] = [];
  for (const line of text.split("\n")) {
    const match = /^.{16}-(\d+)\s+\[(\d+)\]\s+\S+\s+(\d+): (\w+)(.*)$/.exec(line);
    if (match === null) continue;
    const [, pid, cpu, time, label, rest] = match as unknown as [
      string,
      string,
      string,
      string,
      string,
      string,
    ];
    const base = { cpu: Number(cpu), time: BigInt(time), pid: Number(pid) };
    if (label === "sys_openat") {
      const ret = /^ -> 0x([0-9a-f]+)/.exec(rest);
      if (ret !== null)
        out.push({
          ...base,
          name: "sys_exit_openat",
          about: `ret ${BigInt.asIntN(64, BigInt(`0x${ret[1]}`))}`,
        });
      else {
        const filename = /filename: ([0-9a-fx]+)/.exec(rest)![1]!.replace(/^0x/, "");
        out.push({ ...base, name: "sys_enter_openat", about: `filename ${BigInt(`0x${filename}`)}` });
      }
    } else if (label === "sched_switch") {
      const next = /next_comm=(.*) next_pid=(\d+) next_prio=(\d+)/.exec(rest)!;
      out.push({ ...base, name: label, about: `${next[1]} ${next[2]} ${next[3]}` });
    } else if (label === "sched_waking") {
      const woken = /comm=(.*) pid=(\d+) prio=\d+ target_cpu=(\d+)/.exec(rest)!;
      out.push({ ...base, name: label, about: `${woken[1]} ${woken[2]} ${Number(woken[3])}` });
    } else if (label === "sched_process_exec") {
      const exec = /filename=(.*) pid=(\d+)/.exec(rest)!;
      out.push({ ...base, name: label, about: `${exec[1]} ${exec[2]}` });
    }
  }
  return out;
}

function readRaw(instance: string): Seen[] {
  const formats = new Map<number, TracefsEvent>();
  for (const event of EVENTS) {
    const path = join(instance, "events", event, "format");
    const format = parseEventFormat(readFileSync(path, "utf8"), event.split("/")[0]!, path);
    formats.set(format.id, format);
  }
  const where = join(TRACEFS, "events/header_page");
  const layout = parseHeaderPage(readFileSync(where, "utf8"), where);
  const out: Seen[] = [];
  for (const directory of readdirSync(join(instance, "per_cpu"))) {
    const cpu = Number(directory.slice(3));
    const file = openSync(
      join(instance, "per_cpu", directory, "trace_pipe_raw"),
      constants.O_RDONLY | constants.O_NONBLOCK,
    );
    const page = new Uint8Array(layout.pageBytes);
    for (;;) {
      let bytes = 0;
      try {
        bytes = readSync(file, page);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      }
      if (bytes === 0) break;
      const view = new DataView(page.buffer, 0, bytes);
      readPage(page.subarray(0, bytes), layout, `cpu ${cpu}`, (time, at) => {
        const format = formats.get(view.getUint16(at, true))!;
        const field = (name: string) => format.fields.find((one) => one.name === name)!;
        const int = (name: string) => {
          const { offset, size, signed } = field(name);
          if (size === 4)
            return BigInt(signed ? view.getInt32(at + offset, true) : view.getUint32(at + offset, true));
          return signed ? view.getBigInt64(at + offset, true) : view.getBigUint64(at + offset, true);
        };
        const characters = (name: string) => {
          const { offset, size, kind } = field(name);
          const place = kind === "string" ? view.getUint32(at + offset, true) : (size << 16) | offset;
          const from = at + (place & 0xffff);
          return Buffer.from(page.subarray(from, from + (place >>> 16)))
            .toString()
            .replace(/\0.*$/s, "");
        };
        const about = {
          sched_switch: () => `${characters("next_comm")} ${int("next_pid")} ${int("next_prio")}`,
          sched_waking: () => `${characters("comm")} ${int("pid")} ${int("target_cpu")}`,
          sched_process_exec: () => `${characters("filename")} ${int("pid")}`,
          sys_enter_openat: () => `filename ${int("filename")}`,
          sys_exit_openat: () => `ret ${int("ret")}`,
        }[format.name]!();
        const pid = view.getInt32(at + format.common.find(({ name }) => name === "common_pid")!.offset, true);
        out.push({ cpu, time, name: format.name, pid, about });
      });
    }
    closeSync(file);
  }
  return out;
}
