import assert from "node:assert/strict";
import { test } from "node:test";
import { paragraphs } from "./paragraphs.js";

test("sentences run on, columns become cells, numbered causes are headings", () => {
  const found = paragraphs([
    "40 instances of request.",
    "",
    "1. One instance: no CPU was free",
    "",
    "   It was ready to run, but",
    "   had to wait.",
    "",
    "   Where the time went, thread",
    "   267:",
    "    waiting for a CPU   1.58 s  60.8 %   usually 55.3 ms",
    "    interrupts         79.2 ms   3.0 %",
    "",
    "   Its phases:",
    "    request    ███  2.60 s",
    "      parse    ▏    1 ms",
    "",
    "   Event records that decide:",
    '    17:05:02.641985639 (cpu 1, apache2 267) sched_switch { prev_comm = "apache2", p…',
  ]);
  assert.deepEqual(
    found.map(({ kind, text, rows }) => [kind, text, rows]),
    [
      ["text", "40 instances of request.", []],
      ["heading", "1. One instance: no CPU was free", []],
      ["text", "It was ready to run, but had to wait.", []],
      [
        "table",
        "Where the time went, thread 267:",
        [
          ["waiting for a CPU", "1.58 s", "60.8 %", "usually 55.3 ms"],
          ["interrupts", "79.2 ms", "3.0 %"],
        ],
      ],
      ["bars", "Its phases:", [["request    ███  2.60 s"], ["parse    ▏    1 ms"]]],
      [
        "lines",
        "Event records that decide:",
        [['17:05:02.641985639 (cpu 1, apache2 267) sched_switch { prev_comm = "apache2", p…']],
      ],
    ],
  );
});
