// The command line's manners: usage, exit codes, where output goes.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { periscope, root, sample } from "../support.js";

const wrong: [string[], RegExp][] = [
  [["nonsense"], /no command "nonsense"/],
  [["print"], /expected one or more paths/],
  [["print", "--nonsense", "x"], /no option --nonsense/],
  [["print", "--clock", "x"], /--clock may be --clock-cycles, --clock-date/],
  [["print", "-o", "xml", "x"], /expected text, json or dummy/],
  [["print", "--begin", "yesterday", sample("idle-small")], /"yesterday": expected/],
  [["print", "--begin", "17:00", "--end", "16:00", sample("idle-small")], /--begin is after --end/],
  [["print", "--names=everything", sample("idle-small")], /"everything", expected/],
  [["info", "--events", "few", sample("idle-small")], /"few", expected/],
  [["report"], /expected/],
];
for (const [args, message] of wrong) {
  test(`wrong usage: ${args.slice(0, 3).join(" ")}`, () => {
    const run = periscope(args);
    assert.equal(run.code, 2, run.stderr);
    assert.match(run.stderr, message);
    assert.equal(run.stdout, "");
    assert.equal(run.stderr.trimEnd().split("\n").length, 1);
  });
}

test("without a command: the overview, exit code 2", () => {
  const run = periscope([]);
  assert.equal(run.code, 2);
  assert.match(run.stderr, /^Usage: periscope COMMAND/);
});

test("help goes to standard output", () => {
  for (const command of ["info", "print", "report"]) {
    const run = periscope([command, "--help"]);
    assert.equal(run.code, 0);
    assert.match(run.stdout, new RegExp(`^Usage: periscope ${command} `));
    assert.equal(run.stderr, "");
  }
});

test("no help is wider than 80 columns, and nothing of it is cut", () => {
  const commands = [...periscope(["--help"]).stdout.matchAll(/^ {2}([a-z-]+) /gm)].map(([, name]) => name!);
  assert.ok(commands.length > 30);
  for (const args of [[], ...commands.map((name) => [name])]) {
    for (const line of periscope([...args, "--help"]).stdout.split("\n")) {
      const told = Buffer.from(line, "latin1").toString();
      assert.ok(told.length <= 80 && !told.endsWith("…"), `${args}: ${told}`);
    }
  }
});

test("--version is the package's", () => {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  assert.equal(periscope(["--version"]).stdout, `periscope ${version}\n`);
});

test("a reader that stops reading is no failure", () => {
  const command = `"${process.execPath}" bin/periscope print samples/idle-small | head -n 3`;
  const run = spawnSync("bash", ["-o", "pipefail", "-c", command], { cwd: root, encoding: "utf8" });
  assert.equal(run.stdout.trimEnd().split("\n").length, 3);
  assert.equal(run.stderr, "");
  assert.equal(run.status, 0);
});
