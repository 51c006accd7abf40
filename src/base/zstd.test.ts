// Against zstd itself, where it is installed.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { PeriscopeError } from "./errors.js";
import { unzstd } from "./zstd.js";

/** A frame that was made by zstd 1.5.4 (`zstd -c -q --no-check`): "abc" 20 times. */
const KNOWN = Buffer.from("28b52ffd00584d0000186162630100f67443", "hex");

test("a known frame", () => {
  assert.equal(Buffer.from(unzstd(KNOWN, 60)).toString(), "abc".repeat(20));
});

test("wrong frames are refused, whatever their bytes", () => {
  for (const [bytes, reason] of [
    [Buffer.from("00112233", "hex"), /expected a frame/],
    [KNOWN.subarray(0, 9), /data end/],
  ] as const) {
    assert.throws(() => unzstd(bytes, 60), reason);
  }
  assert.throws(() => unzstd(KNOWN, 59), /more than the 59 bytes/);
  for (let i = 4; i < KNOWN.length; i++) {
    for (let value = 0; value < 256; value++) {
      const bytes = Uint8Array.from(KNOWN);
      bytes[i] = value;
      try {
        assert.ok(unzstd(bytes, 1000).length <= 1000);
      } catch (error) {
        assert.ok(error instanceof PeriscopeError, String(error));
      }
    }
  }
});

const hasZstd = spawnSync("zstd", ["--version"]).status === 0;

test("what zstd compresses, at every level", { skip: hasZstd ? false : "zstd is not installed" }, () => {
  let seed = 1;
  const random = () => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) / 2 ** 32;
  const words = Array.from({ length: 300 }, () => `w${Math.floor(random() * 1e6).toString(36)}`);
  const texts = [
    Buffer.alloc(0),
    Buffer.from("x"),
    Buffer.alloc(300_000, 7),
    Buffer.from(Array.from({ length: 5000 }, () => Math.floor(random() * 256))),
    Buffer.from(Array.from({ length: 60_000 }, () => words[Math.floor(random() ** 3 * 300)]).join(" ")),
    Buffer.from(Array.from({ length: 200_000 }, () => Math.floor(random() ** 4 * 40))),
  ];
  for (const text of texts) {
    for (const level of ["-1", "-3", "-9", "-19", "--fast=5"]) {
      const packed = spawnSync("zstd", ["-c", "-q", level], { input: text, maxBuffer: 1 << 28 }).stdout;
      assert.ok(text.equals(unzstd(packed, text.length)), `${text.length} bytes, ${level}`);
    }
  }
});
