/** trace-cmd as a peer: recording with it, and what it says of a file. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const hasTraceCmd = (): boolean =>
  /version 3/.test(spawnSync("trace-cmd", ["--version"], { encoding: "utf8" }).stdout ?? "");

const TRACEFS = "/sys/kernel/tracing";

/**
 * Some kernels forbid to write files that trace-cmd resets before it records; in a mount namespace of its own these are
 * plain files. The kernel's symbols are left out: they are 5 MB of which nothing here is read.
 */
const IN_NAMESPACE = `
instance=$1; scratch=$2; shift 2
mkdir ${TRACEFS}/instances/$instance
for place in ${TRACEFS} ${TRACEFS}/instances/$instance; do
  for name in set_ftrace_filter set_ftrace_notrace set_graph_function set_graph_notrace set_ftrace_pid; do
    [ -e $place/$name ] && : > $scratch/$name && mount --bind $scratch/$name $place/$name
  done
done
echo 1 > $scratch/enabled; mount --bind $scratch/enabled /proc/sys/kernel/ftrace_enabled
: > $scratch/symbols; mount --bind $scratch/symbols /proc/kallsyms
exec "$@"
`;

/** Records what `script` (sh) does, in an instance of its own. Answers why it could not, or false. */
export function recordByTraceCmd(file: string, options: readonly string[], script: string): string | false {
  if (process.getuid?.() !== 0) return "trace-cmd: not root";
  if (!hasTraceCmd()) return "trace-cmd 3 is not installed";
  if (!existsSync(join(TRACEFS, "instances"))) return "tracefs is not mounted";
  const scratch = mkdtempSync(join(tmpdir(), "periscope-trace-cmd-"));
  const instance = `periscope-test-${process.pid}-${Math.floor(Math.random() * 1e9)}`;
  try {
    writeFileSync(join(scratch, "script"), IN_NAMESPACE);
    const run = spawnSync(
      "unshare",
      [
        ...["-m", "sh", join(scratch, "script"), instance, scratch],
        ...["trace-cmd", "record", "-q", "-B", instance, ...options, "-o", file, "sh", "-c", script],
      ],
      { encoding: "utf8", timeout: 60_000, cwd: scratch },
    );
    return existsSync(file) && run.status === 0
      ? false
      : `trace-cmd cannot record here: ${run.stderr.trim().split("\n").at(-1)}`;
  } finally {
    spawnSync("rmdir", [join(TRACEFS, "instances", instance)]);
    rmSync(scratch, { recursive: true, force: true });
  }
}

export interface Told {
  readonly comm: string;
  readonly tid: number;
  readonly cpu: number;
  /** Seconds.nanoseconds. */
  readonly time: string;
  readonly event: string;
  /** As trace-cmd prints the record's fields without the event's own way to print. */
  readonly fields: string;
}

/** Event records by `trace-cmd report`, in its order. */
export function traceCmdReport(file: string): Told[] {
  const run = spawnSync("trace-cmd", ["report", "-R", "-t", "-i", file], {
    encoding: "latin1",
    maxBuffer: 1 << 30,
  });
  return run.stdout.split("\n").flatMap((line) => {
    const match = /^(?:\S+: )?\s*(\S.*)-(\d+)\s+\[(\d+)\]\s+(\d+\.\d{9}): (\S+?):\s*(.*)$/.exec(line);
    if (match === null) return [];
    const [, comm, tid, cpu, time, event, fields] = match as unknown as string[];
    return [{ comm: comm!, tid: Number(tid), cpu: Number(cpu), time: time!, event: event!, fields: fields! }];
  });
}
