import assert from "node:assert/strict";
import { test } from "node:test";
import { paragraphs } from "./paragraphs.js";

test("sentences run on, tables keep their lines, numbered causes are headings", () => {
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
    "    waiting for a CPU   1.58 s",
    "",
    "   Its phases:",
    "    request    ███  2.60 s",
    "      parse    ▏    1 ms",
  ]);
  assert.deepEqual(
    found.map(({ kind, text }) => [kind, text]),
    [
      ["text", "40 instances of request."],
      ["heading", "1. One instance: no CPU was free"],
      ["text", "It was ready to run, but had to wait."],
      ["table", "Where the time went, thread\n267:\n waiting for a CPU   1.58 s"],
      ["text", "Its phases:"],
      ["table", "request    ███  2.60 s\n  parse    ▏    1 ms"],
    ],
  );
});
