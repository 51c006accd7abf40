// `periscope record` by LTTng against a program whose events are known, babeltrace2 and LTTng's own daemon. User space
// only: kernel modules of LTTng are where nobody tests. As a user of its own, whose daemon is not the machine's.
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { countByBabeltrace, Lttng, whyNoLttng } from "../support/lttng.js";
import { collectorArguments, ended, hasSaid, Program } from "../support/programs.js";
import { assertSameText, babeltrace2, needs, type Run, root } from "../support.js";

const PERISCOPE = join(root, "bin/periscope");

const recorders: ChildProcess[] = [];

/** A user of LTTng, who may write below `at`. Output is latin1, as that of `babeltrace2`. */
function user(lttng: Lttng) {
  const at = (name: string) => join(lttng.home, name);
  const options = (env: Record<string, string> = {}) => {
    const { env: own, ...rest } = lttng.options();
    return { ...rest, env: { ...own, XDG_RUNTIME_DIR: lttng.home, TZ: "America/New_York", ...env } };
  };
  const periscope = (args: readonly string[], env: Record<string, string> = {}): Run => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [PERISCOPE, ...args], {
      ...options(env),
      encoding: "latin1",
    });
    return { code: status, stdout, stderr };
  };
  return {
    lttng,
    at,
    options,
    periscope,
    record: (...args: string[]) => periscope(["record", "--backend", "lttng", ...args]),
    /** A recorder in the background that leads a group of processes, once it says that it records. */
    async started(...args: string[]): Promise<ChildProcess> {
      const child = spawn(process.execPath, [PERISCOPE, "record", "--backend", "lttng", ...args], {
        ...options(),
        detached: true,
        stdio: ["ignore", "pipe", "pipe"],
      });
      recorders.push(child);
      await hasSaid(child, "until Ctrl-C");
      return child;
    },
  };
}

/** No session daemon runs for this one, and for the other one does. */
const alone = user(new Lttng());
const served = user(new Lttng());

function whyNot(): string | false {
  const missing = whyNoLttng() || needs("babeltrace2");
  if (missing !== false) return missing;
  const { status } = spawnSync(process.execPath, [PERISCOPE, "--version"], alone.lttng.options());
  return status === 0 ? false : `another user may not run ${PERISCOPE}`;
}
const skip = whyNot();

before(async () => {
  if (skip !== false) return;
  alone.lttng.build();
  await served.lttng.start();
});
after(async () => {
  // Of a test that failed.
  for (const child of recorders) child.kill("SIGKILL");
  for (const pid of alone.lttng.daemons()) process.kill(pid, "SIGKILL");
  await alone.lttng.stop();
  await served.lttng.stop();
});
// Whatever a test did: nothing is left of it.
afterEach(() => {
  if (skip !== false) return;
  assert.deepEqual(alone.lttng.daemons(), []);
  assert.match(served.lttng.must("--no-sessiond", "list"), /no available recording session/);
  for (const { at } of [alone, served]) assert.equal(existsSync(at(".lttngrc")), false);
});

interface Told {
  readonly path: string;
  readonly backend: string;
  readonly eventRecords: number;
  readonly lost: number;
  readonly command?: { readonly exitCode: number };
}

/** Numbers that the program's events carry, in order. */
const numbers = (path: string): number[] =>
  [...babeltrace2([path]).stdout.matchAll(/ demo:tick: .*\{ number = (\d+), /g)].map(([, n]) => Number(n));

const NOTHING =
  /^periscope: nothing recorded: .* by LTTng-UST; "lttng list --userspace" .*--backend tracefs/m;

test("around a command: its events with contexts, for babeltrace2 and Periscope", { skip }, () => {
  const { lttng, at, record, periscope } = alone;
  const path = at("command");
  const run = record("-o", path, "--json", "--", lttng.program, "1000");
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stderr, /^periscope: .*: user space only, what programs tell by LTTng-UST\n$/);
  const told = JSON.parse(run.stdout) as Told;
  assert.deepEqual([told.backend, told.lost, told.command?.exitCode], ["lttng", 0, 0]);
  const theirs = babeltrace2([path]);
  assert.equal(theirs.stderr, "");
  assertSameText(periscope(["print", path]).stdout, theirs.stdout, "periscope print");
  const lines = theirs.stdout.split("\n").slice(0, -1);
  assert.equal(lines.length, told.eventRecords);
  const ticks = lines.filter((line) => line.includes(" demo:tick: "));
  assert.deepEqual(
    numbers(path),
    Array.from({ length: 1000 }, (_, i) => i),
  );
  // The program has one thread of its own.
  const contexts = new Set(ticks.map((line) => /\{ vpid = .*?\}/.exec(line)![0]));
  assert.equal(contexts.size, 1);
  assert.match([...contexts][0]!, /^\{ vpid = (\d+), vtid = \1, procname = "demo" \}$/);
});

test("only --events; what is said next can be done", { skip }, () => {
  const { lttng, at, record, periscope } = served;
  const path = at("events");
  const run = record("-o", path, "--events", "demo:t?ck", "--", lttng.program, "10");
  assert.equal(run.code, 0, run.stderr);
  assert.equal(babeltrace2([path]).stdout.split("\n").length - 1, 10);
  assert.match(run.stdout, /^events {6}10 .*, 0 lost, /m);
  const next = [...run.stdout.matchAll(/^(?:next:| {5}) periscope (.*)$/gm)].map(([, command]) => command!);
  assert.equal(next.length, 2, run.stdout);
  for (const command of next) assert.equal(periscope(command.split(" ")).code, 0, command);
  const other = record("-o", at("no-events"), "--events", "demo:tock", "--", lttng.program, "10");
  assert.equal(other.code, 1);
  assert.match(other.stderr, /nothing recorded: .* told of demo:tock by LTTng-UST/);
});

test("--duration, and no program that tells anything: one line, and nothing is left", { skip }, () => {
  const { at, record } = served;
  const path = at("nothing");
  const run = record("-o", path, "--duration", "100ms");
  assert.equal(run.code, 1);
  assert.match(run.stderr, NOTHING);
  assert.equal(run.stdout, "");
  assert.equal(existsSync(path), false);
  // The command's own failure is worth more.
  const failed = record("-o", path, "--", "sh", "-c", "exit 7");
  assert.equal(failed.code, 7);
  assert.match(failed.stderr, NOTHING);
  assert.equal(existsSync(path), false);
});

test("lost event records are counted, as babeltrace2 does", { skip }, () => {
  const { lttng, at, record } = served;
  const path = at("lossy");
  const run = record("-o", path, "--buffer-size", "8K", "--json", "--", lttng.program, "50000");
  const told = JSON.parse(run.stdout) as Told;
  assert.ok(told.lost > 0);
  assert.match(run.stderr, /event records were lost/);
  const discarded = [...babeltrace2([path]).stderr.matchAll(/discarded (\d+) events?/g)];
  assert.equal(
    discarded.reduce((sum, [, n]) => sum + Number(n), 0),
    told.lost,
  );
  // What its library tells of itself may be among the lost.
  const ticks = countByBabeltrace(path);
  assert.ok(ticks <= 50_000 && ticks + told.lost >= 50_000, `${ticks} and ${told.lost} lost`);
});

test("Ctrl-C, and again while it ends", { skip }, async () => {
  const { lttng, at, started } = alone;
  const path = at("interrupted");
  const child = await started("-o", path, "--json");
  let output = "";
  child.stdout!.on("data", (part: Buffer) => {
    output += part;
  });
  await lttng.emit(500);
  // As terminals do it: to `lttng` too, if it runs.
  process.kill(-child.pid!, "SIGINT");
  setTimeout(() => process.kill(-child.pid!, "SIGINT"), 20);
  assert.equal(await ended(child), 0);
  assert.equal((JSON.parse(output) as Told).path, join(path, "ust"));
  assert.equal(countByBabeltrace(path), 500);
});

test("a flight recorder keeps the newest; snapshot saves it, again and again", { skip }, async () => {
  const { lttng, at, started, periscope } = served;
  const child = await started("--flight-recorder", "--name", "shop", "--buffer-size", "64K");
  const snapshot = (name: string) => periscope(["snapshot", "--name", "shop", "-o", at(name), "--json"]);
  try {
    const none = snapshot("none");
    assert.equal(none.code, 1);
    assert.match(none.stderr, NOTHING);
    assert.equal(existsSync(at("none")), false);
    for (const [name, count] of [
      ["first", 20_000],
      ["second", 30_000],
    ] as const) {
      await lttng.emit(count, 0, 0);
      const run = snapshot(name);
      assert.equal(run.code, 0, run.stderr);
      const told = JSON.parse(run.stdout) as Told;
      assert.deepEqual([told.backend, told.lost], ["lttng", 0]);
      const read = babeltrace2([at(name)]);
      assert.equal(read.stderr, "");
      assert.equal(read.stdout.split("\n").length - 1, told.eventRecords);
      // The end is there, the begin was overwritten, and nothing between is missing.
      const found = numbers(at(name));
      assert.ok(found.length > 100 && found.length < count, `${found.length} of ${count}`);
      assert.deepEqual(
        found,
        found.map((_, i) => count - found.length + i),
      );
    }
  } finally {
    child.kill("SIGINT");
    assert.equal(await ended(child), 0);
  }
  const nobody = periscope(["snapshot", "--name", "shop", "-o", at("nobody")]);
  assert.equal(nobody.code, 1);
  assert.match(nobody.stderr, /no flight recorder at .*; periscope record --flight-recorder starts one/);
});

test("a recorder that was killed: the next one ends its session and its daemon", { skip }, async () => {
  const { lttng, at, started, periscope, record } = alone;
  const child = await started("--flight-recorder", "--name", "killed");
  child.kill("SIGKILL");
  await ended(child);
  assert.match(lttng.must("list"), new RegExp(`\\) periscope-${child.pid}-\\d+ \\[active snapshot\\]`));
  const nobody = periscope(["snapshot", "--name", "killed", "-o", at("nobody")]);
  assert.match(nobody.stderr, /no flight recorder at .*; periscope record --flight-recorder starts one/);
  const run = record("-o", at("after-kill"), "--json", "--", lttng.program, "10");
  assert.equal(run.code, 0, run.stderr);
  assert.match(
    run.stderr,
    new RegExp(`periscope-${child.pid}-\\d+: LTTng session destroyed, its recorder is gone`),
  );
  assert.equal(countByBabeltrace(at("after-kill")), 10);
});

test("a daemon that ran before stays, with the sessions of others and the current one", { skip }, () => {
  const { lttng, at, record } = served;
  // Names and paths that look like ours.
  lttng.must("create", "x-periscope-1-2", `--output=${at("periscope-1-2")}`);
  lttng.must("create", "periscope-1-2-x", `--output=${at("periscope-3-4")}`);
  lttng.must("create", "periscope-1-2", `--output=${at("gone")}`);
  lttng.must("create", "mine", `--output=${at("mine")}`);
  const daemons = lttng.daemons();
  const run = record("-o", at("beside"), "--", lttng.program, "10");
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stderr, /^periscope: periscope-1-2: LTTng session destroyed, its recorder is gone$/m);
  const left = [...lttng.must("list").matchAll(/^ +\d+\) (\S+) \[/gm)].map(([, name]) => name);
  assert.deepEqual(left.sort(), ["mine", "periscope-1-2-x", "x-periscope-1-2"]);
  assert.equal(readFileSync(at(".lttngrc"), "utf8"), "session=mine\n");
  assert.deepEqual(lttng.daemons(), daemons);
  lttng.must("destroy", "--all");
});

test("two recorders share a daemon: the last one ends it", { skip }, async () => {
  const { lttng, at, started } = alone;
  // Neither finds one when it starts.
  const [first, second] = await Promise.all([started("-o", at("one")), started("-o", at("two"))]);
  await lttng.emit(10);
  first.kill("SIGINT");
  assert.equal(await ended(first), 0);
  assert.equal(lttng.lttng("--no-sessiond", "list").status, 0);
  await lttng.emit(10);
  second.kill("SIGINT");
  assert.equal(await ended(second), 0);
  assert.deepEqual([countByBabeltrace(at("one")), countByBabeltrace(at("two"))], [10, 20]);
});

test("root's daemon, in a directory of its own", {
  skip: skip || (process.getuid?.() === 0 ? false : "not root"),
}, (t) => {
  // /run/lttng is where it is, whatever the home; no other program sees this one.
  const inside = [
    "mount --make-rprivate / && mkdir -p /run/lttng && mount -t tmpfs none /run/lttng || exit 77",
    "mount -t tmpfs none /dev/shm && chmod 1777 /dev/shm || exit 77",
    'exec "$@"',
  ].join("\n");
  const directory = mkdtempSync(join(tmpdir(), "periscope-lttng-root-"));
  try {
    const { env } = alone.options();
    const command = ["record", "--backend", "lttng", "-o", join(directory, "trace"), "--json"];
    const run = spawnSync(
      "unshare",
      [
        "-m",
        "sh",
        "-c",
        inside,
        "sh",
        process.execPath,
        PERISCOPE,
        ...command,
        "--",
        alone.lttng.program,
        "10",
      ],
      { env: { ...env, HOME: directory, LTTNG_HOME: directory }, encoding: "utf8" },
    );
    if (run.status === 77 || run.error !== undefined) return t.skip("no mount namespace can be made here");
    if (!run.stderr.includes("user space only")) return t.skip("root records the kernel here");
    assert.equal(run.status, 0, run.stderr);
    assert.equal(countByBabeltrace(join(directory, "trace")), 10);
    assert.equal(existsSync(join(directory, ".lttngrc")), false);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("what is missing is said in one line", { skip }, () => {
  const { lttng, at, periscope, record } = alone;
  const bin = join(lttng.directory, "bin");
  mkdirSync(bin);
  const path = at("missing");
  const attempt = (env: Record<string, string>, ...args: string[]) => {
    const run = periscope(["record", "--backend", "lttng", "-o", path, "-d", "50ms", ...args], env);
    assert.equal(run.code, 1, run.stderr);
    assert.equal(run.stdout, "");
    assert.equal(existsSync(path), false);
    return run.stderr;
  };
  assert.equal(attempt({ PATH: bin }), "periscope: lttng is not installed\n");
  const which = spawnSync("which", ["lttng"], { encoding: "utf8" }).stdout.trim();
  symlinkSync(which, join(bin, "lttng"));
  assert.equal(attempt({ PATH: bin }), "periscope: lttng-sessiond is not installed\n");
  // Where there is no directory for it, and where a user of a daemon may not go.
  const nowhere = { HOME: "/nonexistent", LTTNG_HOME: "/nonexistent" };
  assert.match(attempt(nowhere), /^periscope: lttng-sessiond does not start: .*\/nonexistent\/\.lttng.*\n$/);
  const run = record("-o", "/nonexistent/trace", "-d", "50ms");
  if (process.getuid?.() === 0)
    assert.match(run.stderr, /^periscope: .*permission denied.*'\/nonexistent.*'\n$/);
  assert.equal(run.code, 1);
});

test("a daemon that ends while it records: what it had written stays", { skip }, async () => {
  const { lttng, at, started, periscope } = alone;
  const path = at("orphan");
  // Buffers that fill at once, so that there is something written.
  const child = await started("-o", path, "--buffer-size", "64K");
  let told = "";
  child.stderr!.on("data", (part: Buffer) => {
    told += part;
  });
  await lttng.emit(5000, 10);
  for (const pid of lttng.daemons()) {
    if (!readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("consumerd")) process.kill(pid, "SIGKILL");
  }
  // What moves the data ends after it.
  for (let tries = 0; lttng.daemons().length > 0; tries++) {
    assert.ok(tries < 100, "a daemon is left");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  child.kill("SIGINT");
  assert.equal(await ended(child), 1);
  assert.match(told, /No session daemon is available; what it had written until then is in .*orphan\n$/);
  // Metadata may have been on its way from the daemon: then nobody can read it.
  const streams = readdirSync(path, { recursive: true, encoding: "utf8" }).filter((name) =>
    /\/periscope_\d+$/.test(name),
  );
  assert.ok(streams.some((name) => statSync(join(path, name)).size > 0));
  const theirs = babeltrace2([path]);
  if (theirs.code === 0) assertSameText(periscope(["print", path]).stdout, theirs.stdout, "periscope print");
});

test("agent: a trigger, and the collector has what programs told; depth is not guessed", {
  skip,
}, async () => {
  const { lttng, at } = alone;
  const store = mkdtempSync(join(tmpdir(), "periscope-lttng-store-"));
  const collector = Program.start(...collectorArguments(store), "--window", "200ms");
  const { agents, http } = (await collector.ready()) as unknown as { agents: number; http: number };
  const agent = Program.startBy(
    lttng.starter(),
    ...[
      "agent",
      "--collector",
      `127.0.0.1:${agents}`,
      "--plain",
      "--backend",
      "lttng",
      "--host-name",
      "shop",
    ],
    ...["--socket", at("agent.sock"), "--spool", at("spool"), "--buffer-size", "1M"],
  );
  const depth = async () => {
    const body = await (await fetch(`http://127.0.0.1:${http}/metrics`)).text();
    return /^periscope_agent_depth_seconds\{.*\} (.*)$/m.exec(body)?.[1];
  };
  const trigger = (cause: string) =>
    fetch(`http://127.0.0.1:${http}/trigger`, { method: "POST", body: JSON.stringify({ cause }) });
  const told = (event: string) =>
    collector.line((line) => line.event === event && line["host"] === "shop", `${event} of shop`);
  try {
    await agent.ready();
    await told("agent connected");
    await lttng.emit(1000);
    await trigger("slow");
    const { incident } = await told("snapshot stored");
    assert.equal(countByBabeltrace(join(store, "incidents", String(incident), "shop")), 1000);
    assert.equal(await depth(), undefined);
    for (const pid of lttng.daemons()) process.kill(pid, "SIGKILL");
    await agent.line((line) => /daemon ended/.test(String(line["message"])), "its daemon ended");
    for (let tries = 0; (await depth()) !== "0"; tries++) {
      assert.ok(tries < 50, "the depth is still unknown");
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    // The young incident is over.
    await new Promise((resolve) => setTimeout(resolve, 300));
    await trigger("late");
    assert.match(String((await told("host failed"))["reason"]), /No session daemon is available/);
  } finally {
    assert.equal(await agent.kill(), 0);
    await collector.kill();
    rmSync(store, { recursive: true });
  }
});

test("a session profile is loaded, and records where it says", { skip }, async () => {
  const { lttng, at, periscope } = served;
  const run = periscope([
    "record",
    "profile",
    "--events",
    "sched_switch,sys_enter_read,syscall_*_getppid,softirq_entry",
  ]);
  assert.equal(run.code, 0, run.stderr);
  const said = /it records into (\S+)/.exec(run.stderr)![1]!;
  const names = [...run.stdout.matchAll(/<event><name>(.*?)<\/name>.*<type>(.*?)</g)];
  assert.deepEqual(
    names.map(([, name, type]) => `${type} ${name}`),
    [
      "SYSCALL read",
      "SYSCALL getppid",
      "TRACEPOINT sched_switch",
      "TRACEPOINT irq_softirq_entry",
      "TRACEPOINT lttng_statedump_*",
    ],
  );
  // The kernel's domain needs modules: the same channel in the domain that is here.
  const text = run.stdout
    .replace(">KERNEL<", ">UST<")
    .replace("GLOBAL", "PER_UID")
    .replace("SPLICE", "MMAP")
    .replace(/^.*>SYSCALL<.*\n/gm, "")
    .replace(/<type>([PT]ID)</g, "<type>V$1<")
    .replace("sched_switch", "demo:tick");
  const path = at("../ust.lttng");
  writeFileSync(path, text);
  lttng.must("load", `--input-path=${path}`);
  lttng.must("start", "periscope");
  await lttng.emit(10);
  assert.match(lttng.must("list", "periscope"), /Sub-buffer size: +1048576 bytes\n +Sub-buffer count: 8\n/);
  lttng.must("destroy", "periscope");
  assert.equal(countByBabeltrace(said), 10);
});
