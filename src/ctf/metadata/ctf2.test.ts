import assert from "node:assert/strict";
import { test } from "node:test";
import { readMetadata } from "./index.js";
import { payloadOf, show } from "./test-support.js";

const PREAMBLE = '{"type": "preamble", "version": 2}';
const U8 = { type: "fixed-length-unsigned-integer", length: 8, "byte-order": "little-endian" };
const BOOL = { ...U8, type: "fixed-length-boolean" };

function read(...fragments: (object | string)[]) {
  const text = [PREAMBLE, ...fragments]
    .map((fragment) => `\x1e${typeof fragment === "string" ? fragment : JSON.stringify(fragment)}\n`)
    .join("");
  return readMetadata(new TextEncoder().encode(text), "m");
}

function payload(members: Record<string, unknown>, ...before: object[]): (object | string)[] {
  const list = Object.entries(members).map(([name, fieldClass]) => ({ name, "field-class": fieldClass }));
  return [
    ...before,
    { type: "data-stream-class" },
    { type: "event-record-class", "payload-field-class": { type: "structure", "member-classes": list } },
  ];
}

const at = (origin: string | undefined, ...path: (string | null)[]) => ({ origin, path });
const dynamic = (location: object) => ({ type: "dynamic-length-string", "length-field-location": location });
const struct = (members: Record<string, unknown>) => ({
  type: "structure",
  "member-classes": Object.entries(members).map(([name, fieldClass]) => ({
    name,
    "field-class": fieldClass,
  })),
});
const variant = (location: object, options: Record<string, [number[][], unknown]>) => ({
  type: "variant",
  "selector-field-location": location,
  options: Object.entries(options).map(([name, [ranges, fieldClass]]) => ({
    name,
    "selector-field-ranges": ranges,
    "field-class": fieldClass,
  })),
});

/** [members of a payload, the payload as `show` prints it]. */
const PAYLOADS: readonly (readonly [Record<string, unknown>, string])[] = [
  [{ a: U8, b: { ...U8, alignment: 8, "preferred-display-base": 16 } }, "{a: u8, b: u8@8~16}@8"],
  [
    { a: { ...U8, "bit-order": "last-to-first" }, b: { ...U8, "bit-order": "first-to-last" } },
    "{a: u8^, b: u8}",
  ],
  [{ a: { ...U8, type: "fixed-length-bit-array" } }, "{a: bit-array 8~16}"],
  [
    {
      a: {
        ...U8,
        type: "fixed-length-bit-map",
        flags: {
          f: [
            [0, 1],
            [7, 7],
          ],
        },
      },
    },
    "{a: bit-map 8~16(f[0..1 7])}",
  ],
  [
    { a: BOOL, o: { type: "optional", "selector-field-location": at(undefined, "a"), "field-class": U8 } },
    "{a: boolean 8#0, o: ?<a#0 u8>}",
  ],
  [
    {
      a: {
        ...U8,
        mappings: {
          x: [[1, 3]],
          y: [
            [2, 2],
            [9, 9],
          ],
        },
      },
    },
    "{a: u8(x[1..3] y[2 9])}",
  ],
  [
    { a: { type: "variable-length-signed-integer" }, b: { type: "variable-length-unsigned-integer" } },
    "{a: vi, b: vu}@8",
  ],
  [
    { a: { ...U8, type: "fixed-length-floating-point-number", length: 32, "byte-order": "big-endian" } },
    "{a: f32be@1}",
  ],
  [
    { a: { type: "null-terminated-string" }, b: { type: "null-terminated-string", encoding: "utf-16le" } },
    "{a: string, b: string utf-16le}@8",
  ],
  [
    { a: { type: "static-length-string", length: 4 }, b: { type: "static-length-blob", length: 3 } },
    "{a: string(4), b: blob(3)}@8",
  ],
  [{ n: U8, a: dynamic(at(undefined, "n")) }, "{n: u8#0, a: string(n#0)}@8"],
  [
    { n: U8, a: dynamic(at("event-record-payload", "n")) },
    "{n: u8#0, a: string(event-record-payload/n#0)}@8",
  ],
  [{ n: U8, s: struct({ a: dynamic(at(undefined, null, "n")) }) }, "{n: u8#0, s: {a: string(../n#0)}@8}@8"],
  [
    { a: { type: "static-length-array", length: 2, "element-field-class": U8, "minimum-alignment": 32 } },
    "{a: u8[2]}@32",
  ],
  [
    {
      n: U8,
      a: {
        type: "dynamic-length-array",
        "length-field-location": at(undefined, "n"),
        "element-field-class": "byte",
      },
    },
    "{n: u8#0, a: u8[n#0]}",
  ],
  [
    {
      t: U8,
      v: variant(at(undefined, "t"), {
        x: [
          [
            [0, 0],
            [5, 6],
          ],
          U8,
        ],
        y: [[[1, 4]], struct({})],
      }),
    },
    "{t: u8#0, v: <t#0 x[0 5..6]: u8, y[1..4]: {}>}",
  ],
  [
    // The length is in one of two options: the one that was decoded last counts.
    {
      t: U8,
      v: variant(at(undefined, "t"), { x: [[[0, 0]], struct({ n: U8 })], y: [[[1, 1]], struct({ n: U8 })] }),
      a: dynamic(at(undefined, "v", "n")),
    },
    "{t: u8#0, v: <t#0 x[0]: {n: u8#1}, y[1]: {n: u8#1}>, a: string(v/n#1)}@8",
  ],
  [
    {
      a: U8,
      o: {
        type: "optional",
        "selector-field-location": at(undefined, "a"),
        "selector-field-ranges": [[1, 255]],
        "field-class": U8,
      },
    },
    "{a: u8#0, o: ?<a#0[1..255] u8>}",
  ],
];

const ALIAS = { type: "field-class-alias", name: "byte", "field-class": U8 };

for (const [members, expected] of PAYLOADS) {
  test(`payload: ${expected}`, () => {
    assert.equal(payloadOf(read(...payload(members, ALIAS))), expected);
  });
}

test("trace, clock, stream and event properties", () => {
  const trace = read(
    { type: "trace-class", namespace: "ns", name: "t", uid: "u", environment: { a: 1, b: "x" } },
    '{"type":"clock-class","id":"c","frequency":18446744073709551615,"origin":"unix-epoch","offset-from-origin":{"seconds":-1,"cycles":18446744073709551614}}',
    { type: "clock-class", id: "d", frequency: 1, origin: { name: "n", uid: "v" } },
    {
      type: "data-stream-class",
      id: 4,
      "default-clock-class-id": "c",
      "event-record-header-field-class": struct({
        i: { ...U8, roles: ["event-record-class-id"] },
        t: { ...U8, roles: ["default-clock-timestamp"] },
      }),
    },
    {
      type: "event-record-class",
      "data-stream-class-id": 4,
      id: 2,
      name: "e",
      attributes: { "lttng.org,2009": { "log-level": "debug:line", "emf-uri": "u" } },
    },
  );
  assert.deepEqual([trace.namespace, trace.name, trace.uid], ["ns", "t", "u"]);
  assert.deepEqual(
    [...trace.environment],
    [
      ["a", 1n],
      ["b", "x"],
    ],
  );
  const [c, d] = trace.clocks;
  assert.deepEqual([c!.offsetSeconds, c!.offsetCycles, c!.originIsUnixEpoch], [-1n, (1n << 64n) - 2n, true]);
  assert.equal(d!.originKey, "\0n\0v");
  const stream = trace.dataStreamClasses.get(4)!;
  assert.equal(stream.defaultClock, c);
  assert.equal(
    show(stream.eventRecordHeader),
    "{i: u8!event-record-class-id, t: u8!default-clock-timestamp}",
  );
  const record = stream.eventRecordClasses.get(2)!;
  assert.deepEqual([record.name, record.logLevel, record.emfUri], ["e", 13, "u"]);
});

/** [fragments after the preamble, the error]. */
const ERRORS: readonly (readonly [(object | string)[], RegExp])[] = [
  [["{"], /^m:3:1: found the end of the metadata, expected a property's name$/],
  [["[1]"], /found an array, expected a fragment: an object/],
  [[{ type: "nope" }], /found "nope", expected a type of fragment/],
  [[{ type: "preamble", version: 2 }], /found a second preamble/],
  [[{ type: "trace-class" }, { type: "trace-class" }], /found a second trace class/],
  [[{ type: "trace-class", extensions: { x: { y: true } } }], /found extension "x", expected none/],
  [[ALIAS, ALIAS], /found a second alias "byte"/],
  [payload({ a: "nope" }), /found "nope", expected the name of an alias/],
  [payload({ a: { type: "nope" } }), /found "nope", expected a type of field class/],
  [payload({ a: { ...U8, length: 65 } }), /found 65 for "length", expected an integer from 1 to 64/],
  [payload({ a: { ...U8, alignment: 3 } }), /found alignment 3, expected a power of two/],
  [payload({ a: { type: "fixed-length-unsigned-integer", length: 8 } }), /found no property "byte-order"/],
  [payload({ a: { ...U8, roles: ["nope"] } }), /found role "nope"/],
  [
    payload({ a: { ...U8, roles: ["packet-total-length"] } }),
    /found role "packet-total-length" in the event-record-payload/,
  ],
  [payload({ a: { ...U8, mappings: { x: [[3, 2]] } } }), /found range \[3, 2\]/],
  [payload({ a: { ...U8, mappings: { x: [[0, 256]] } } }), /expected values from 0 to 255/],
  [
    payload({ a: { ...U8, type: "fixed-length-floating-point-number", length: 24 } }),
    /found 24 for "length", expected 16 or 32 or 64/,
  ],
  [
    payload({ a: dynamic(at(undefined, "n")), n: U8 }),
    /found length "n", expected the name of a field before/,
  ],
  [payload({ a: dynamic(at(undefined, null, "n")) }), /expected fewer steps up/],
  [payload({ a: dynamic(at("packet-context", "n")) }), /expected the name of a field of packet-context/],
  [payload({ n: U8, a: dynamic(at(undefined, "n", null)) }), /path without a name at its end/],
  [
    payload({ n: BOOL, a: dynamic(at(undefined, "n")) }),
    /found length "n", a boolean, expected an unsigned integer/,
  ],
  [
    payload({ t: U8, v: variant(at(undefined, "t"), { x: [[[0, 5]], U8], y: [[[5, 6]], U8] }) }),
    /found ranges \[0, 5\] and \[5, 6\]/,
  ],
  [payload({ t: U8, v: variant(at(undefined, "t"), { x: [[[-1, 5]], U8] }) }), /found range from -1/],
  [
    payload({
      t: U8,
      o: { type: "optional", "selector-field-location": at(undefined, "t"), "field-class": U8 },
    }),
    /integer selector without ranges/,
  ],
  [[{ type: "event-record-class" }], /found data-stream-class-id 0, expected a data stream class/],
  [[{ type: "data-stream-class" }, { type: "data-stream-class" }], /second data stream class of id 0/],
  [[{ type: "data-stream-class", "default-clock-class-id": "x" }], /found "x", expected a clock class/],
  [
    [{ type: "clock-class", id: "c", frequency: 10, "offset-from-origin": { cycles: 10 } }],
    /found 10 for "cycles", expected an integer from 0 to 9/,
  ],
];

for (const [fragments, expected] of ERRORS) {
  test(`error: ${String(expected)}`, () => {
    assert.throws(() => read(...fragments), { name: "MetadataError", message: expected });
  });
}

test("the preamble comes first and is of version 2", () => {
  const encode = (text: string) => new TextEncoder().encode(text);
  assert.throws(() => readMetadata(encode('\x1e{"type":"trace-class"}'), "m"), /expected "preamble" first/);
  assert.throws(
    () => readMetadata(encode('\x1e{"type":"preamble","version":3}'), "m"),
    /found version 3, expected 2/,
  );
});
