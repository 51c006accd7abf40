import assert from "node:assert/strict";
import { test } from "node:test";
import { bar, fit, printable, sparkline, table, textWidth, wrap } from "./text.js";

const plain = { width: 40, color: false };

test("a table never exceeds its width; the shrinking column gives way, numbers stay", () => {
  const rows = [
    ["/var/lib/mysql/a-very-long-name/that/does/not/fit.ibd", "1,234", "5.00 ms"],
    ["/short", "7", "12.0 µs"],
  ];
  const columns = [
    { title: "File", align: "left", shrinks: true },
    { title: "calls", align: "right" },
    { title: "time", align: "right" },
  ] as const;
  const lines = table(columns, rows, plain);
  for (const line of lines) assert.ok(textWidth(line) <= 40, line);
  assert.equal(lines[0], "  File                    calls     time");
  assert.match(lines[1]!, /^ {2}….*fit\.ibd {2}1,234 {2}5\.00 ms$/);
  assert.equal(lines[2], "  /short                      7  12.0 µs");
});

test("wrapping keeps a number and its unit together and indents what follows", () => {
  const lines = wrap("waited for a long time of 2.50 s and then some more", 30);
  for (const line of lines) assert.ok(line.length <= 30);
  assert.deepEqual(lines, ["waited for a long time of", "2.50 s and then some more"]);
  assert.equal(wrap("x".repeat(100), 20)[0]!.length, 20);
});

test("bars and series", () => {
  assert.equal(bar(1, 4), "████");
  assert.equal(bar(0.5, 4), "██");
  assert.equal(bar(0, 4), "");
  assert.equal(bar(2, 4), "████");
  assert.equal(sparkline([0, 0.5, 1], 3), " ▄█");
  assert.equal(sparkline([0, 1, 0, 1], 2), "▄▄");
});

test("widths: combining marks, East Asian characters, cutting", () => {
  assert.equal(textWidth("日本"), 4);
  assert.equal(textWidth("e\u0301"), 1);
  assert.equal(fit("日本語", 4), "日…");
  assert.equal(fit("abcdef", 4), "abc…");
  assert.equal(fit("/a/b/c.txt", 6, "end"), "…c.txt");
});

test("control characters do not reach the terminal", () => {
  assert.equal(printable("a\u001b[31mb\u202e"), "a\ufffd[31mb\ufffd");
});
