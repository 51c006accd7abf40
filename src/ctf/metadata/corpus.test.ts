import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { readMetadata } from "./index.js";

/** From `build/src/ctf/metadata`, where this runs. */
const TRACES = fileURLToPath(new URL("../../../../.cache/traces", import.meta.url));
const skip = existsSync(TRACES) ? false : `no traces in ${TRACES}`;

function read(trace: string) {
  return readMetadata(readFileSync(join(TRACES, trace, "metadata")), "metadata");
}

/** Traces whose metadata Babeltrace refuses, too. */
const REFUSED: readonly (readonly [string, string])[] = [
  ["fail1", 'metadata:15:10: found "0", expected major = 1: CTF version 1.8'],
  ["fail2", 'metadata:6:10: found "0", expected major = 1: CTF version 1.8'],
  [
    "integer-range",
    "metadata:7:10: found integer 2345239785634897562389756289374658923..., expected one of 64 bits",
  ],
  ["smalltrace", 'metadata:6:10: found "0", expected major = 1: CTF version 1.8'],
  ["metadata-syntax-error", 'metadata:3:58: found "]", expected an attribute or "}"'],
  ["lttng-modules-2.0-pre1", "metadata: byte 35: found metadata version 116.121, expected 1.8 or 2.0"],
  ["packet-based-metadata", "metadata: byte 35: found metadata version 116.121, expected 1.8 or 2.0"],
  [
    "invalid-sequence-length-field-class",
    'metadata:23:13: found length "len", a structure, expected an unsigned integer',
  ],
  [
    "invalid-variant-selector-field-class",
    'metadata:23:11: found selector "selector", a structure, expected an enumeration',
  ],
];

for (const [trace, message] of REFUSED) {
  test(`refused: ${trace}`, { skip }, () => {
    assert.throws(() => read(`ctf-public/babeltrace/fail/${trace}`), { message });
  });
}

/** [trace, CTF version, events of its streams, clock, warnings]. */
const READ: readonly (readonly [string, string, string, string, number])[] = [
  ["idle-small/kernel", "1.8", "0:1310", "monotonic", 0],
  ["ctf-public/bug446190/kernel", "1.8", "0:541", "monotonic", 0],
  ["ctf-public/babeltrace/succeed/multi-domains/ust", "1.8", "2:1 1:0 0:0", "monotonic", 0],
  ["ctf-public/babeltrace/succeed/warnings", "1.8", "0:1", "-", 5],
  ["ctf-public/babeltrace/succeed/meta-ctx-sequence", "1.8", "0:0", "-", 0],
  ["ust/invalid-emf-uri-unescaped/ust/uid/1002/64-bit", "1.8", "0:5", "monotonic", 1],
  ["ctf-public/CTF2-7.0-lttng-crash", "2.0", "0:1", "monotonic", 0],
  ["ctf-public/CTF2-vl-ints", "2.0", "0:1", "-", 0],
];

for (const [trace, version, streams, clock, warnings] of READ) {
  test(`read: ${trace}`, { skip }, () => {
    const found = read(trace);
    const classes = [...found.dataStreamClasses.values()];
    assert.equal(found.ctfVersion, version);
    assert.equal(
      classes.map(({ id, eventRecordClasses }) => `${id}:${eventRecordClasses.size}`).join(" "),
      streams,
    );
    assert.equal(classes[0]!.defaultClock?.id ?? "-", clock);
    assert.equal(found.warnings.length, warnings);
  });
}
