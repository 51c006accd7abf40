/** Metadata and data made to do harm: each is read, or refused with a message, in little time and memory. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ByteWriter } from "../../src/base/byte-writer.js";
import { PeriscopeError } from "../../src/base/errors.js";
import { touchDecoder } from "../../src/ctf/decode/decoders.js";
import { Experiment } from "../../src/ctf/experiment.js";
import { jsonPrinter, prettyPrinter } from "../../src/ctf/print/printer.js";
import { openSource, problemLine } from "../../src/sources/ctf.js";
import { type Json, jsonText } from "../property/model.js";
import { tryTrace } from "./try.js";

const scratch = mkdtempSync(join(tmpdir(), "periscope-attack-"));
after(() => rmSync(scratch, { recursive: true, force: true }));
let count = 0;

/** A trace of this metadata and one data stream. */
function trace(metadata: string | Uint8Array, data: Uint8Array): string {
  const path = join(scratch, String(count++));
  mkdirSync(path);
  writeFileSync(join(path, "metadata"), metadata);
  writeFileSync(join(path, "stream"), data);
  return path;
}

const u8 = "integer { size = 8; align = 8; signed = false; }";
const u64 = "integer { size = 64; align = 8; signed = false; }";

/** TSDL with one event, whose payload these fields are; no packet header or context, no event header. */
const tsdl = (fields: string, stream = ""): string =>
  `/* CTF 1.8 */ trace { major = 1; minor = 8; byte_order = le; };\n` +
  `stream { ${stream} };\nevent { name = "e"; fields := struct { ${fields} }; };`;

const ctf2 = (...fragments: Json[]): string =>
  [{ type: "preamble", version: 2 }, ...fragments].map((f) => `\x1e${jsonText(f)}\n`).join("");

/** Reads in every way; answers JSON lines, problems and failures. */
function read(path: string) {
  const begun = Date.now();
  const before = process.memoryUsage.rss();
  for (const format of ["text", "json", "dummy", "summary"] as const) {
    assert.deepEqual(tryTrace(path, [format]).anomalies, []);
  }
  assert.ok(Date.now() - begun < 5000, "takes too long");
  assert.ok(process.memoryUsage.rss() - before < 300 << 20, "takes too much memory");
  const experiment = new Experiment([path]);
  const out = new ByteWriter(-1);
  const result = experiment.run(jsonPrinter(out, () => true, experiment.generate));
  const lines = Buffer.from(out.u8.subarray(0, out.at)).toString().trimEnd();
  return {
    records: lines === "" ? [] : lines.split("\n").map((line) => JSON.parse(line)),
    messages: [...experiment.failed.map((f) => f.error.message), ...result.problems.map(problemLine)],
  };
}

function refuses(path: string, reason: RegExp): void {
  const { records, messages } = read(path);
  assert.deepEqual(records, []);
  assert.match(messages.join("\n"), reason);
}

const evil = [
  "`$" + "{globalThis.pwned = 1}`",
  '");globalThis.pwned=1;("',
  "');globalThis.pwned=1;('",
  "]=0;globalThis.pwned=1;//",
  "*/globalThis.pwned=1/*",
  "\u2028globalThis.pwned=1\u2029",
  "\\",
  "\\u0022);globalThis.pwned=1;//",
  "__proto__",
  "constructor",
  "prototype",
  "hasOwnProperty",
  "toString",
  "</script><script>",
  "\0",
  "%s%n",
  "",
];

test("names and labels are data, not code", () => {
  const int = (label: string): Json => ({
    type: "fixed-length-unsigned-integer",
    length: 8,
    "byte-order": "little-endian",
    mappings: { [label]: [[0, 255]] },
  });
  const members = evil.map((name): Json => ({ name, "field-class": int(name) }));
  const struct: Json = { type: "structure", "member-classes": members };
  for (const name of evil) {
    const path = trace(
      ctf2(
        {
          type: "trace-class",
          name,
          environment: { hostname: name, domain: name, procname: name, [name]: name },
        },
        { type: "data-stream-class", name },
        {
          type: "event-record-class",
          name,
          "payload-field-class": {
            type: "structure",
            "member-classes": [
              { name: "s", "field-class": struct },
              {
                name: "v",
                "field-class": {
                  type: "variant",
                  "selector-field-location": { path: ["s", evil[0]!] },
                  options: [{ name, "selector-field-ranges": [[0, 255]], "field-class": struct }],
                },
              },
            ],
          },
        },
      ),
      new Uint8Array(2 * evil.length),
    );
    const { records, messages } = read(path);
    assert.deepEqual(messages, []);
    assert.equal(records.length, 1);
    assert.equal(records[0].name, name);
    assert.equal(Object.keys(records[0].payload.s).length, evil.length);
    for (const generate of [true, false]) {
      const source = openSource([path], { generate });
      const seen: unknown[] = [];
      source.subscribe({
        matches: (event) => event.name === name,
        fields: {
          all: { from: "payload:", kind: "value" },
          [name || "x"]: { from: `payload:s.${name}`, kind: "string" },
        },
        handle: (record) => seen.push((record as { all: unknown }).all),
      });
      source.run();
      assert.deepEqual(Object.keys((seen[0] as { s: object }).s), evil, "own properties, in order");
    }
  }
  assert.equal((globalThis as { pwned?: number }).pwned, undefined);
  assert.deepEqual(Object.keys(Object.prototype), []);
});

test("TSDL: strings with quotes, comments and escapes in names", () => {
  for (const name of [
    '\\");globalThis.pwned=1;(\\"',
    "*/globalThis.pwned=1/*",
    "`$" + "{1}`",
    "\u2028",
    "\\x41",
  ]) {
    const text = tsdl(`enum : ${u8} { "${name}" = 0 } __proto__; ${u8} constructor;`).replace(
      '"e"',
      `"${name}"`,
    );
    const { records, messages } = read(trace(text, new Uint8Array(2)));
    assert.deepEqual(messages, []);
    assert.deepEqual(Object.keys(records[0].payload), ["_proto__", "constructor"]);
  }
  assert.equal((globalThis as { pwned?: number }).pwned, undefined);
});

const u64Bytes = (value: bigint, more = 0): Uint8Array => {
  const bytes = Buffer.alloc(8 + more);
  bytes.writeBigUInt64LE(value);
  return bytes;
};

test("lengths beyond the data", () => {
  for (const length of [2n ** 60n, 2n ** 64n - 1n, 2n ** 32n, 2n ** 31n, 100n]) {
    for (const element of [
      `${u8} a[len];`,
      "integer { size = 1; align = 1; } a[len];",
      "string a[len];",
      `integer { size = 8; align = 8; encoding = UTF8; } a[len];`,
      `struct { ${u8} x; } a[len][2];`,
    ]) {
      refuses(trace(tsdl(`${u64} len; ${element}`), u64Bytes(length, 8)), /past the end/);
    }
  }
  const { records } = read(trace(tsdl(`${u64} len; ${u8} a[len];`), u64Bytes(3n, 3)));
  assert.deepEqual(records[0].payload, { len: 3, a: [0, 0, 0] });
});

test("arrays whose elements take no bits", () => {
  for (const array of ["a[4294967295]", "a[65536][65536]", "a[len]", "a[len][len]", "a[1024][1024]"]) {
    for (const element of [
      "struct { }",
      "struct { struct { } b; } align(8)",
      "struct { struct { } c[2000]; }",
    ]) {
      const path = trace(tsdl(`${u64} len; ${element} ${array};`), u64Bytes(1_000_000n));
      refuses(path, /more than 1024 array elements that may take no space/);
    }
  }
  const few = read(trace(tsdl(`${u64} len; struct { } a[len];`), u64Bytes(3n)));
  assert.deepEqual(few.records[0].payload.a, [{}, {}, {}]);
});

test("event records of no bits do not go on for ever", () => {
  for (const text of [
    tsdl(""),
    tsdl("struct { } align(64) a; struct { } b[5];"),
    tsdl("", "event.header := struct { }; event.context := struct { };"),
  ]) {
    const { records, messages } = read(trace(text, new Uint8Array(16)));
    assert.ok(records.length <= 2);
    assert.match(messages.join(), /event record of 0 bits/);
  }
});

test("deep nesting is refused or read", () => {
  for (const depth of [10, 63, 64, 65, 1000, 100_000]) {
    const structs = `${"struct { ".repeat(depth)}${u8} x;${" } a;".repeat(depth)}`;
    const { records, messages } = read(trace(tsdl(structs), new Uint8Array(1)));
    assert.equal(records.length + messages.length, 1, String(depth));
    refuses(trace(tsdl("struct { ".repeat(depth)), new Uint8Array(1)), /metadata:\d+:\d+: /);
    refuses(trace(tsdl(`${u8} a${"[1]".repeat(depth + 7)};`), new Uint8Array(1)), /dimensions/);
    refuses(trace(`\x1e${"[".repeat(depth)}`, new Uint8Array(1)), /metadata:\d+:\d+: /);
    refuses(trace(`\x1e${'{"a":'.repeat(depth)}`, new Uint8Array(1)), /metadata:\d+:\d+: /);
  }
  // A tree that doubles at each of 60 levels.
  const doubling = Array.from({ length: 60 }, (_, i) => {
    const type = i === 0 ? u8 : `struct s${i - 1}`;
    return `struct s${i} { ${type} a; ${type} b; };`;
  });
  refuses(
    trace(`/* CTF 1.8 */ ${doubling.join("\n")}\n${tsdl("struct s59 x;")}`, new Uint8Array(9)),
    /field classes, the limit/,
  );
});

test("alignments", () => {
  for (const align of [3, 0, -8, 2 ** 21, 2 ** 32, 2 ** 60]) {
    refuses(trace(tsdl(`struct { } align(${align}) a;`), new Uint8Array(1)), /expected a power of two/);
  }
  const wide = tsdl(`${u8} a; integer { size = 8; align = 1048576; signed = false; } b;`);
  refuses(trace(wide, new Uint8Array(100)), /past the end/);
  const { records } = read(trace(wide, new Uint8Array((1 << 17) + 1)));
  assert.equal(records.length, 1);
});

/** A stream whose packets say their size: content and total, in bits. */
const sized = tsdl(`${u8} x;`, `packet.context := struct { ${u64} content_size; ${u64} packet_size; };`);

function packet(content: bigint, total: bigint, bytes: number): Uint8Array {
  const packet = Buffer.alloc(bytes);
  packet.writeBigUInt64LE(content, 0);
  packet.writeBigUInt64LE(total, 8);
  return packet;
}

test("packets of impossible sizes", () => {
  const rows: [bigint, bigint, number, RegExp][] = [
    [0n, 0n, 0, /expected at least the 128 of its header/],
    [8n, 8n, 0, /expected at least the 128 of its header/],
    [127n, 128n, 0, /expected at least the 128 of its header/],
    [160n, 152n, 0, /expected at most/],
    [160n, 161n, 0, /multiple of 8/],
    [2n ** 35n, 2n ** 35n, 8, /but the file has only/],
    [2n ** 62n, 2n ** 62n, 8, /but the file has only/],
    [2n ** 64n - 8n, 2n ** 64n - 8n, 8, /but the file has only|multiple of 8/],
    [128n, 128n, 0, /^$/],
    [192n, 192n, 8, /^$/],
  ];
  for (const [content, total, records, message] of rows) {
    const result = read(trace(sized, packet(content, total, total === 128n ? 16 : 24)));
    assert.equal(result.records.length, records, `${content} of ${total}`);
    assert.match(result.messages.join(), message);
  }
});

test("a file of nothing but packets that cannot be read", () => {
  const magic = tsdl(
    `${u8} x;`,
    `packet.context := struct { ${u64} content_size; ${u64} packet_size; };`,
  ).replace(
    "byte_order = le;",
    "byte_order = le; packet.header := struct { integer { size = 32; align = 8; signed = false; } magic; };",
  );
  const bytes = Buffer.alloc(400_000);
  for (let i = 0; i < bytes.length; i += 4) bytes.writeUInt32LE(0xc1fc1fc1, i);
  const begun = Date.now();
  const experiment = new Experiment([trace(magic, bytes)]);
  const result = experiment.run(
    prettyPrinter(
      new ByteWriter(-1),
      {
        names: { payload: true, context: true, header: false, scope: false },
        fields: {
          trace: false,
          hostname: true,
          domain: false,
          procname: true,
          vpid: true,
          loglevel: false,
          emf: false,
        },
        time: { clock: "wall", gmt: true, date: false, delta: true, names: false },
      },
      () => true,
      true,
    ),
  );
  assert.ok(result.problems.length > 0);
  assert.ok(Date.now() - begun < 10_000);
});

test("numbers beyond 64 bits, ids beyond all tables", () => {
  for (const text of [
    tsdl(`integer { size = 65; } x;`),
    tsdl(`integer { size = 99999999999999999999999; } x;`),
    tsdl(`${u8} x[99999999999999999999999];`),
    tsdl(`${u8} x;`).replace("stream {  }", "stream { id = 99999999999999999999999; }"),
    ctf2({ type: "data-stream-class", id: 2n ** 70n }),
  ]) {
    refuses(trace(text, new Uint8Array(8)), /metadata:\d+:\d+: /);
  }
  const ids = tsdl(`${u8} x;`, `id = 0; event.header := struct { ${u64} id; };`).replace(
    'event { name = "e";',
    'event { id = 9007199254740991; stream_id = 0; name = "e";',
  );
  const { records } = read(trace(ids, u64Bytes(9007199254740991n, 1)));
  assert.equal(records.length, 1);
  refuses(trace(ids, u64Bytes(2n ** 63n, 1)), /event record class id/);
});

test("a reference to a field of another event record class, or one not decoded, is refused", () => {
  const bytes: Json = { type: "fixed-length-unsigned-integer", length: 8, "byte-order": "little-endian" };
  const struct = (...members: [string, Json][]): Json => ({
    type: "structure",
    "member-classes": members.map(([name, fieldClass]): Json => ({ name, "field-class": fieldClass })),
  });
  const id: Json = { ...(bytes as object), roles: ["event-record-class-id"] };
  const array = (path: Json, origin?: string): Json => ({
    type: "dynamic-length-array",
    "length-field-location": { origin, path: path as Json[] },
    "element-field-class": bytes,
  });
  const stream: Json = { type: "data-stream-class", "event-record-header-field-class": struct(["id", id]) };
  const first: Json = {
    type: "event-record-class",
    id: 0,
    name: "a",
    "payload-field-class": struct(["n", bytes]),
  };
  refuses(
    trace(
      ctf2(stream, first, {
        type: "event-record-class",
        id: 1,
        name: "b",
        "specific-context-field-class": struct(["x", array(["n"], "event-record-payload")]),
      }),
      Uint8Array.of(0, 5, 1, 1, 2, 3, 4, 5),
    ),
    /metadata:\d+:\d+: found length/,
  );
  // The length is in an optional field: there in the first record, not in the second.
  const optional: Json = {
    type: "optional",
    "selector-field-location": { path: ["there"] },
    "selector-field-ranges": [[1, 1]],
    "field-class": bytes,
  };
  for (const scope of ["payload", "header"]) {
    const fields: [string, Json][] = [
      ["there", bytes],
      ["n", optional],
    ];
    const text =
      scope === "payload"
        ? ctf2(
            { type: "data-stream-class" },
            {
              type: "event-record-class",
              name: "a",
              "payload-field-class": struct(...fields, ["x", array(["n"])]),
            },
          )
        : ctf2(
            { type: "data-stream-class", "event-record-header-field-class": struct(...fields) },
            {
              type: "event-record-class",
              name: "a",
              "payload-field-class": struct(["x", array(["n"], "event-record-header")]),
            },
          );
    const { records, messages } = read(trace(text, Uint8Array.of(1, 2, 7, 8, 0, 9, 9, 9)));
    assert.deepEqual(
      records.map((record) => record.payload.x),
      [[7, 8]],
      scope,
    );
    assert.match(messages.join(), /not decoded before/, scope);
  }
});

test("errors are Periscope's own", () => {
  for (const bytes of [
    new Uint8Array(0),
    Uint8Array.of(0xd1),
    Buffer.from("\x1e"),
    Buffer.from("\x1enull"),
  ]) {
    const path = trace(bytes, new Uint8Array(1));
    try {
      const experiment = new Experiment([path]);
      experiment.run(({ class: stream }) => ({
        header: () => 0,
        skipper: () => () => 0,
        decoder: (event) => touchDecoder(stream, event, true),
      }));
    } catch (error) {
      assert.ok(error instanceof PeriscopeError);
    }
  }
});
