import assert from "node:assert/strict";
import { test } from "node:test";
import { readMetadata } from "./index.js";
import { payloadOf, show } from "./test-support.js";

const HEAD = `/* CTF 1.8 */
trace { major = 1; minor = 8; byte_order = le; };
typealias integer { size = 8; } := u8;
typealias integer { size = 32; } := u32;
typealias integer { size = 32; signed = true; } := int;
`;

function read(text: string) {
  return readMetadata(new TextEncoder().encode(text), "m");
}

/** [fields of an event, its payload as `show` prints it]. */
const FIELDS: readonly (readonly [string, string])[] = [
  ["u8 a; u32 b;", "{a: u8@8, b: u32@8}@8"],
  ["u8 a, b[2];", "{a: u8@8, b: u8@8[2]}@8"],
  ["integer { size = 5; } a;", "{a: u5}"],
  ["integer { size = 0x10; align = 010; signed = TRUE; base = hex; } a;", "{a: i16@8~16}@8"],
  ["integer { size = 16; byte_order = be; } a;", "{a: u16be@8}@8"],
  ["integer { size = 16; byte_order = network; align = 32; } a;", "{a: u16be@32}@32"],
  [
    "integer { size = 8; /* } */ align = 4; } a; integer { size = 8; /* } */ align = 2; } b;",
    "{a: u8@4, b: u8@2}@4",
  ],
  ["floating_point { exp_dig = 8; mant_dig = 24; } a;", "{a: f32@8}@8"],
  ["floating_point { exp_dig = 11; mant_dig = 53; align = 64; byte_order = be; } a;", "{a: f64be@64}@64"],
  ["string a; string { encoding = ASCII; } b;", "{a: string, b: string}@8"],
  ["integer { size = 8; encoding = UTF8; } a[16];", "{a: string(16)}@8"],
  ["integer { size = 8; encoding = UTF8; align = 4; } a[16];", "{a: u8@4[16]}@4"],
  ["u8 n; integer { size = 8; encoding = UTF8; } a[n];", "{n: u8@8#0, a: string(n#0)}@8"],
  ["u8 __n; u8 _a[ __n ];", "{_n: u8@8#0, a: u8@8[__n#0]}@8"],
  ["u8 n; u8 a[2][n];", "{n: u8@8#0, a: u8@8[n#0][2]}@8"],
  ["u8 n; u8 a[n]; u8 b[n];", "{n: u8@8#0, a: u8@8[n#0], b: u8@8[n#0]}@8"],
  ["u8 n; struct { u8 a[n]; } s;", "{n: u8@8#0, s: {a: u8@8[n#0]}@8}@8"],
  ["u8 n; struct { u8 n; u8 a[n]; } s;", "{n: u8@8, s: {n: u8@8#0, a: u8@8[n#0]}@8}@8"],
  ["struct { u8 n; } s; u8 a[s.n];", "{s: {n: u8@8#0}@8, a: u8@8[s.n#0]}@8"],
  ["u8 n; u8 a[event.fields.n];", "{n: u8@8#0, a: u8@8[event.fields.n#0]}@8"],
  [
    "struct t { u8 n; u8 a[n]; } x; struct t y;",
    "{x: {n: u8@8#0, a: u8@8[n#0]}@8, y: {n: u8@8#1, a: u8@8[n#1]}@8}@8",
  ],
  ["struct { } a; struct { u8 b; } align(64) c;", "{a: {}, c: {b: u8@8}@64}@64"],
  ["struct { } align(16) a;", "{a: {}@16}@16"],
  ["u8 a; u8 _a; u8 b;", "{a: u8@8, _a: u8@8, b: u8@8}@8"],
  ["u8 _n; u8 n; u8 a[_n];", "{_n: u8@8#0, n: u8@8, a: u8@8[_n#0]}@8"],
  ["typedef u8 pair[2]; pair a[3];", "{a: u8@8[2][3]}@8"],
  ["typealias u8 := unsigned long; const unsigned long a;", "{a: u8@8}@8"],
  ["typealias u32 := void *; void *a;", "{a: u32@8}@8"],
  ["enum { A, B = 5, C, D = 10 ... 12, E, A = 20, } a;", "{a: i32@8(A[0 20] B[5] C[6] D[10..12] E[13])}@8"],
  ['enum e : u8 { "x y" = 1, } a; enum e b;', "{a: u8@8(x y[1]), b: u8@8(x y[1])}@8"],
  ["enum : int { N = -5 ... -1, Z } a;", "{a: i32@8(N[-5..-1] Z[0])}@8"],
  [
    "enum : u8 { a, _b, c = 4 ... 6 } t; variant <t> { u8 a; u32 b; string c; } v;",
    "{t: u8@8(a[0] _b[1] c[4..6])#0, v: <t#0 a[0]: u8@8, b[1]: u32@8, c[4..6]: string>}@8",
  ],
  [
    "enum : u8 { _P, __P } t; variant <t> { u8 _P; u32 __P; } v;",
    "{t: u8@8(_P[0] __P[1])#0, v: <t#0 P[0]: u8@8, _P[1]: u32@8>}@8",
  ],
  [
    "enum : u8 { a = 0 ... 9, b = 3 ... 12 } t; variant <t> { u8 b; u32 a; } v;",
    "{t: u8@8(a[0..9] b[3..12])#0, v: <t#0 b[3..12]: u8@8, a[0..2]: u32@8>}@8",
  ],
  ["variant w { u8 a; }; enum : u8 { a } t; variant w <t> v;", "{t: u8@8(a[0])#0, v: <t#0 a[0]: u8@8>}@8"],
  ["u8 align; u8 event; u8 env;", "{align: u8@8, event: u8@8, env: u8@8}@8"],
  ["u8 n; // comment\r\n\tu8 a[n /* again */ ];\r\n", "{n: u8@8#0, a: u8@8[n#0]}@8"],
];

for (const [fields, expected] of FIELDS) {
  test(`fields: ${fields}`, () => {
    assert.equal(payloadOf(read(`${HEAD}event { fields := struct { ${fields} }; };`)), expected);
  });
}

test("classes shared by an alias get their own slots", () => {
  const trace = read(`${HEAD}
    struct s { u8 n; u8 a[n]; };
    stream { event.context := struct s; packet.context := struct s; event.header := struct { u8 id; }; };
    event { id = 1; fields := struct { struct s x; u8 b[stream.event.context.n]; }; };`);
  const stream = trace.dataStreamClasses.get(0)!;
  assert.equal(show(stream.packetContext), "{n: u8@8#0, a: u8@8[n#0]}@8");
  assert.equal(show(stream.commonContext), "{n: u8@8#1, a: u8@8[n#1]}@8");
  assert.equal(
    show(stream.eventRecordClasses.get(1)!.payload),
    "{x: {n: u8@8#2, a: u8@8[n#2]}@8, b: u8@8[stream.event.context.n#1]}@8",
  );
  assert.equal(trace.slotCount, 3);
});

test("roles and clocks come from names", () => {
  const trace = read(`/* CTF 1.8 */
    typealias integer { size = 8; } := u8;
    typealias integer { size = 32; } := u32;
    typealias integer { size = 64; map = clock.monotonic.value; } := ts;
    trace { major = 1; minor = 8; byte_order = be; uuid = "2A6422d0-6cee-11e0-8c08-cb07d7b3a564";
      packet.header := struct { u32 magic; u8 uuid[16]; u32 stream_id; }; };
    env { tracer_name = "lttng-ust"; tracer_major = 2; };
    clock { name = monotonic; freq = 1000; offset_s = -5; offset = 2500; };
    stream { id = 7;
      packet.context := struct { ts timestamp_begin; u32 timestamp_end; u32 content_size; u32 events_discarded; };
      event.header := struct { enum : u8 { c = 0 ... 30, e = 31 } id;
        variant <id> { struct { u32 timestamp; } c; struct { u32 id; ts timestamp; } e; } v; }; };
    event { id = 3; stream_id = 7; name = "a:b"; loglevel = 13; model.emf.uri = "u"; };`);
  assert.equal(trace.uuid, "2a6422d0-6cee-11e0-8c08-cb07d7b3a564");
  assert.equal(
    show(trace.packetHeader),
    "{magic: u32be@8!packet-magic-number, uuid: u8@8[16]!metadata-stream-uuid, stream_id: u32be@8!data-stream-class-id}@8",
  );
  const stream = trace.dataStreamClasses.get(7)!;
  assert.equal(
    show(stream.packetContext),
    "{timestamp_begin: u64be@8=monotonic!default-clock-timestamp, " +
      "timestamp_end: u32be@8=monotonic!packet-end-default-clock-timestamp, " +
      "content_size: u32be@8!packet-content-length, " +
      "events_discarded: u32be@8!discarded-event-record-counter-snapshot}@8",
  );
  assert.equal(
    show(stream.eventRecordHeader),
    "{id: u8@8(c[0..30] e[31])#0!event-record-class-id, " +
      "v: <id#0 c[0..30]: {timestamp: u32be@8=monotonic!default-clock-timestamp}@8, " +
      "e[31]: {id: u32be@8!event-record-class-id, timestamp: u64be@8=monotonic!default-clock-timestamp}@8>}@8",
  );
  const clock = stream.defaultClock!;
  assert.equal(clock, trace.clocks[0]);
  assert.deepEqual(
    [clock.frequency, clock.offsetSeconds, clock.offsetCycles, clock.originIsUnixEpoch],
    [1000n, -3n, 500n, true],
  );
  const { name, logLevel, emfUri } = stream.eventRecordClasses.get(3)!;
  assert.deepEqual([name, logLevel, emfUri], ["a:b", 13, "u"]);
  assert.deepEqual(
    [...trace.environment],
    [
      ["tracer_name", "lttng-ust"],
      ["tracer_major", 2n],
    ],
  );
});

test("a length in the environment is a constant", () => {
  assert.equal(
    payloadOf(read(`${HEAD}env { n = 3; }; event { fields := struct { u8 a[env.n]; }; };`)),
    "{a: u8@8[3]}@8",
  );
});

test("quotation marks in model.emf.uri that are not escaped are tolerated", () => {
  const trace = read(`${HEAD}event {\n\tmodel.emf.uri = "http://x?q="y"";\n\tname = "n";\n};`);
  const record = trace.dataStreamClasses.get(0)!.eventRecordClasses.get(0)!;
  assert.deepEqual([record.emfUri, record.name], ['http://x?q="y"', "n"]);
  assert.equal(trace.warnings.length, 1);
});

/** A 2^40 tree of shared structures. */
const BOMB = `struct s0 { u8 a; }; ${Array.from({ length: 40 }, (_, i) => `struct s${i + 1} { struct s${i} x, y; };`).join(" ")}`;
const CHAIN = `struct s0 { u8 a; }; ${Array.from({ length: 5000 }, (_, i) => `struct s${i + 1} { struct s${i} x; };`).join(" ")}`;

/** [what follows HEAD, the error]. */
const ERRORS: readonly (readonly [string, RegExp])[] = [
  ["event { name = ]; };", /^m:6:16: found "\]", expected a value$/],
  ["typealias integer { size = 8; ] := x;", /^m:6:31: found "\]", expected an attribute or "}"$/],
  ["event {", /found the end of the metadata, expected "}"/],
  ["event { fields := struct { nope a; }; };", /^m:6:28: found "nope", expected a type that is declared$/],
  ["event { fields := u8; };", /found another type, expected a structure/],
  ["event { fields := struct { u8 a; u8 a; }; };", /found a second field called "a"/],
  ["event { fields := struct { integer { signed = 1; } a; }; };", /integer without size/],
  [
    "event { fields := struct { integer { size = 65; } a; }; };",
    /found "65", expected a size in bits from 1 to 64/,
  ],
  [
    "event { fields := struct { integer { size = 8; align = 3; } a; }; };",
    /found alignment 3, expected a power of two/,
  ],
  [
    "event { fields := struct { integer { size = 8; map = clock.x.value; } a; }; };",
    /found clock "x", expected one that is declared/,
  ],
  [
    "event { fields := struct { floating_point { exp_dig = 9; mant_dig = 9; } a; }; };",
    /exp_dig 9, mant_dig 9/,
  ],
  [
    "event { fields := struct { u8 a[n]; u8 n; }; };",
    /found length "n", expected the name of a field before this one/,
  ],
  [
    "event { fields := struct { int n; u8 a[n]; }; };",
    /found length "n", a signed integer, expected an unsigned integer/,
  ],
  [
    "event { fields := struct { struct { u8 x; } n; u8 a[n]; }; };",
    /found length "n", a structure, expected an unsigned/,
  ],
  [
    "event { fields := struct { u8 t; variant <t> { u8 a; } v; }; };",
    /found selector "t", an unsigned integer, expected an enumeration/,
  ],
  ["event { fields := struct { variant { u8 a; } v; }; };", /variant without selector/],
  ["event { fields := struct { enum : u8 { A = 3 ... 2 } a; }; };", /found range 3 \.\.\. 2/],
  ["event { fields := struct { u8 a[4294967297]; }; };", /found array length/],
  ["event { fields := struct { u8 a[-1]; }; };", /found array length -1/],
  ["event { id = 1; }; event { id = 1; };", /^m:6:20: found a second event of id 1 in stream 0/],
  ["event { id = 9007199254740992; };", /found "9007199254740992", expected an id/],
  ["event { id = 1; id = 2; };", /found "id" a second time/],
  ["event { stream_id = 4; };", /found stream_id 4|stream_id 4/],
  ["stream { id = 1; }; stream { id = 1; };", /found a second stream of id 1/],
  ["stream { id = 1; }; stream { id = 2; };", /found 2 streams, expected a field "stream_id"/],
  ["stream { }; event { id = 1; }; event { id = 2; };", /expected an event.header/],
  ["typealias u8 := u8;", /found a second declaration of type "u8"/],
  ["trace { };", /found a second trace block/],
  ["clock { freq = 1; };", /clock without name/],
  ["clock { name = a; freq = 0; };", /found "0", expected an integer from 1/],
  ['env { a = "\\q"; };', /found escape sequence/],
  ['env { a = "x', /string without end/],
  ["env { a = 99999999999999999999; };", /found integer 99999999999999999999, expected one of 64 bits/],
  ["/* never ends", /comment without end/],
  [
    "clock { name = a; }; clock { name = b; }; stream { event.header := struct { integer { size = 8; map = clock.a.value; } x; integer { size = 8; map = clock.b.value; } y; }; };",
    /found the clocks "a", "b" in one stream, expected one/,
  ],
  [`${BOMB} event { fields := struct s40; };`, /found more than 1000000 field classes/],
  [`${CHAIN} event { fields := struct s5000; };`, /nested more than 64 deep/],
  [`event { fields := ${"struct { ".repeat(5000)}`, /more than 64 nested blocks/],
  [`event { fields := struct { u8 a${"[2]".repeat(100)}; }; };`, /100 dimensions/],
];

for (const [text, expected] of ERRORS) {
  test(`error: ${text.slice(0, 80)}`, () => {
    assert.throws(() => read(HEAD + text), { name: "MetadataError", message: expected });
  });
}

test("odd names are only names", () => {
  const trace = read(
    `${HEAD}event { fields := struct { u8 __proto__; u8 constructor; u8 a[constructor]; }; };`,
  );
  assert.equal(payloadOf(trace), "{_proto__: u8@8, constructor: u8@8#0, a: u8@8[constructor#0]}@8");
});

test("without byte_order or trace block there is an error", () => {
  assert.throws(() => read("/* CTF 1.8 */ trace { major = 1; minor = 8; };"), /without byte_order/);
  assert.throws(() => read("/* CTF 1.8 */ event { };"), /found no trace block/);
  assert.throws(() => read("/* CTF 1.8 */ trace { major = 0; };"), /m:1:31: found "0", expected major = 1/);
});
