// A real lttng-relayd: its live sessions read by us, and the directories that it makes beside those of our collector.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { countByBabeltrace, Lttng, whyNoLttng } from "../support/lttng.js";
import { collectorArguments, Program } from "../support/programs.js";
import { Replay } from "../support/relay-replay.js";
import { Relayd } from "../support/relayd.js";
import { assertSameText, babeltrace2, periscope, root, sample } from "../support.js";

function whyNot(): string | false {
  if (spawnSync("which", ["lttng-relayd"]).status !== 0) return "lttng-relayd is not installed";
  return whyNoLttng();
}
const skip = whyNot();
const directory = mkdtempSync(join(tmpdir(), "periscope-real-relayd-"));
const store = join(directory, "store");
const lttng = new Lttng();
let relayd: Relayd;
let collector: Program;
let collectorUrl: string;

before(async () => {
  if (skip !== false) return;
  await lttng.start();
  relayd = await Relayd.start(lttng);
  collector = Program.start(...collectorArguments(store));
  const { control, data } = await collector.ready();
  collectorUrl = `net://127.0.0.1:${control}:${data}`;
});
after(async () => {
  if (skip !== false) return;
  await relayd.stop();
  await lttng.stop();
  await collector.kill();
  rmSync(directory, { recursive: true, force: true });
});

/** Directory of a session below the output of a relay, which has the moment of its creation in its name. */
function sessionDirectory(output: string, session: string): string {
  const host = join(output, hostname());
  const name = readdirSync(host).find((one) => one.startsWith(`${session}-`));
  assert.ok(name !== undefined, `${session} in ${readdirSync(host)}`);
  return join(host, name);
}

class Reader {
  text = "";
  complaints = "";
  readonly code: Promise<number | null>;
  readonly #waiting = new Set<() => void>();

  constructor(args: readonly string[]) {
    const child = spawn(process.execPath, [join(root, "bin/periscope"), ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, TZ: "America/New_York", NO_COLOR: "1" },
    });
    child.stdout.setEncoding("latin1").on("data", (text: string) => {
      this.text += text;
      for (const look of this.#waiting) look();
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.complaints += text;
    });
    // Not "exit": output may still be on its way then.
    this.code = new Promise((resolve) => child.on("close", resolve));
  }

  /** Resolves when it has printed so many matches. */
  async printed(what: RegExp, count: number): Promise<void> {
    const isThere = () => [...this.text.matchAll(what)].length >= count;
    if (isThere()) return;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`${count} of ${what} in: ${this.text.slice(-500)} ${this.complaints}`));
      }, 60_000);
      const look = () => {
        if (!isThere()) return;
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
    });
  }
}

function beginLive(session: string): { url: string; path: () => string } {
  lttng.must("create", session, "--live=200000", `--set-url=${relayd.url}`);
  lttng.must("enable-event", "-u", "-s", session, "demo:*");
  lttng.must("start", session);
  return {
    url: `${relayd.live}/host/${hostname()}/${session}`,
    path: () => sessionDirectory(relayd.output, session),
  };
}

for (const follow of [[], ["--follow"]]) {
  const how = ["print", ...follow].join(" ");
  test(`${how}: a live session of lttng-relayd, as babeltrace2 reads its directory afterwards`, {
    skip,
  }, async () => {
    const { url, path } = beginLive(`printed${follow.length}`);
    await lttng.emit(300);
    const listed = periscope(["info", relayd.live]);
    assert.ok(listed.stdout.includes(url), listed.stdout + listed.stderr);
    const reader = new Reader(["print", ...follow, url]);
    await reader.printed(/demo:tick/g, 300);
    // It grows while it is read: another process (other streams for CPUs that were idle), slow and fast.
    await Promise.all([lttng.emit(200, 5000), lttng.emit(2000)]);
    await reader.printed(/demo:tick/g, 2500);
    await lttng.emit(50);
    lttng.must("destroy", `printed${follow.length}`);
    assert.equal(await reader.code, 0, reader.complaints);
    const theirs = babeltrace2([path()]).stdout;
    assert.equal(countByBabeltrace(path()), 2550);
    assertSameText(reader.text, theirs, how);
  });
}

test("a session that is over is said not to be there", { skip }, async () => {
  const { url } = beginLive("over");
  await lttng.emit(10);
  lttng.must("destroy", "over");
  const { code, stderr } = periscope(["print", url]);
  assert.equal(code, 1);
  assert.match(stderr, /no session \S+\/over; there /);
});

const withoutPaths = (text: string) => ({ ...JSON.parse(text), paths: [] });

/**
 * babeltrace2's text with empty strings where ours has them: it prints an older text instead, which depends on how its
 * objects were recycled, and is not imitated of a live session.
 */
function emptied(theirs: string, ours: string): string {
  const lines = ours.split("\n");
  const fields = / = "[^"]*"/g;
  return theirs
    .split("\n")
    .map((line, i) => {
      const own = lines[i]?.match(fields) ?? [];
      let n = 0;
      return line.replace(fields, (field) => (own[n++] === ' = ""' ? ' = ""' : field));
    })
    .join("\n");
}

test("a period with --follow tells what it tells of the directory", { skip }, async () => {
  const { url, path } = beginLive("periods");
  const period =
    'round : $evt.$name == "demo:tick" && $evt.number == 0 : $evt.$name == "demo:tick" && $evt.number == 99';
  const args = ["periodstats", "--json", "--period", period];
  const reader = new Reader([...args, "--follow", url]);
  const rounds = 6;
  for (let i = 0; i < rounds; i++) await lttng.emit(100, 4000);
  lttng.must("destroy", "periods");
  assert.equal(await reader.code, 0, reader.complaints);
  const afterwards = periscope([...args, path()]);
  assert.equal(afterwards.code, 0, afterwards.stderr);
  assert.deepEqual(withoutPaths(reader.text), withoutPaths(afterwards.stdout));
  assert.equal(countByBabeltrace(path()), rounds * 100);
  assert.match(reader.text, /"count": 6\b/);
});

test("a kernel session at lttng-relayd: print, and an analysis with --refresh while it lives", {
  skip,
}, async () => {
  const trace = join(sample("idle-small"), "kernel");
  const names = ["kernel-print", "kernel-top"];
  const sessions: Replay[] = [];
  for (const name of names) sessions.push(await Replay.begin(relayd.ports, "farhost", name, trace));
  for (const session of sessions) await session.send(2);
  const [printed, top] = names.map((name) => `${relayd.live}/host/farhost/${name}`) as [string, string];
  const analysis = ["cputop", "--json", "--refresh", "1s"];
  const readers = [new Reader(["print", printed]), new Reader([...analysis, "--follow", top])] as const;
  await readers[0].printed(/sched_switch/g, 1);
  await sessions[1]!.send(2);
  await readers[1].printed(/"name"/g, 1);
  for (const session of sessions) {
    await session.send(session.left);
    await session.end();
  }
  for (const { code, complaints } of readers) assert.equal(await code, 0, complaints);
  const directories = names.map((name) => {
    const host = join(relayd.output, "farhost");
    return join(host, readdirSync(host).find((one) => one.startsWith(name))!);
  });
  assertSameText(readers[0].text, emptied(babeltrace2([directories[0]!]).stdout, readers[0].text), "print");
  const afterwards = periscope([...analysis, directories[1]!]);
  assert.equal(afterwards.code, 0, afterwards.stderr);
  assert.deepEqual(withoutPaths(readers[1].text), withoutPaths(afterwards.stdout));
});

/** Files and directories below, sorted, without what depends on moment and process; files with how they begin. */
function tree(path: string, below = ""): string[] {
  const lines: string[] = [];
  for (const name of readdirSync(join(path, below)).sort()) {
    const one = join(below, name);
    const plain = one
      .replace(/\d{8}T\d{6}[+-]\d{4}/g, "MOMENT")
      .replace(/\d{8}-\d{6}/g, "MOMENT")
      .replace(/demo-\d+-/g, "demo-PID-");
    if (statSync(join(path, one)).isDirectory()) lines.push(`${plain}/`, ...tree(path, one));
    else {
      // An index tells its version and how long an entry is; others have the magic number, or nothing.
      const bytes = readFileSync(join(path, one));
      lines.push(`${plain} ${bytes.subarray(0, name.endsWith(".idx") ? 16 : 4).toString("hex")}`);
    }
  }
  return lines;
}

interface Shape {
  readonly what: string;
  /** Options of `lttng create`, and of its channel. */
  readonly create?: string[];
  readonly channel?: string[];
  readonly run: (session: string) => Promise<void>;
  /** Event records that the reference reader must find; undefined: tracer's buffers may run over. */
  readonly records?: number;
}

const shapes: Shape[] = [
  { what: "uid", channel: ["--buffers-uid"], run: async () => await lttng.emit(1000), records: 1000 },
  { what: "pid", channel: ["--buffers-pid"], run: async () => await lttng.emit(1000), records: 1000 },
  { what: "live", create: ["--live=200000"], run: async () => await lttng.emit(1000), records: 1000 },
  {
    what: "files",
    channel: ["--tracefile-size=65536", "--tracefile-count=3", "--subbuf-size=16384"],
    // Otherwise it is the scheduler who says which CPU's files there are.
    run: async () => await lttng.emit(8000, 20, 0),
  },
  {
    what: "rotated",
    run: async (session) => {
      await lttng.emit(500);
      lttng.must("rotate", session);
      await lttng.emit(500);
    },
    records: 1000,
  },
  {
    what: "snapshot",
    create: ["--snapshot"],
    run: async (session) => {
      await lttng.emit(300);
      lttng.must("snapshot", "record", `--session=${session}`, "--name=named");
      await lttng.emit(700);
      lttng.must("snapshot", "record", `--session=${session}`);
    },
  },
  { what: "path", run: async () => await lttng.emit(10), records: 10 },
];

for (const { what, create = [], channel = [], run, records } of shapes) {
  test(`the directories of lttng-relayd and of periscope collect are alike: ${what}`, { skip }, async () => {
    const name = `same-${what}`;
    for (const url of [relayd.url, collectorUrl]) {
      lttng.must("create", name, ...create, `--set-url=${url}${what === "path" ? "/some/where" : ""}`);
      lttng.must("enable-channel", "-u", "-s", name, ...channel, "c");
      lttng.must("enable-event", "-u", "-s", name, "-c", "c", "demo:*");
      lttng.must("start", name);
      await run(name);
      lttng.must("destroy", name);
    }
    await collector.line(
      ({ event, session }) => event === "session ends" && session === name,
      `${name} ended`,
    );
    const find = (output: string) =>
      what === "path" ? join(output, hostname(), "some/where") : sessionDirectory(output, name);
    const theirs = find(relayd.output);
    const ours = find(store);
    assert.deepEqual(tree(ours), tree(theirs));
    if (records !== undefined) assert.equal(countByBabeltrace(ours), records);
  });
}
