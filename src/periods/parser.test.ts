// The grammar in tables: what is accepted and how it is understood, what is refused and where the error points.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Expression, type Operand, operandText } from "./ast.js";
import { definePeriods, deprecatedPeriodText } from "./define.js";
import { globPattern } from "./glob.js";
import { parseCaptures, parsePeriod } from "./parser.js";
import { PeriodError, pointAt } from "./period-error.js";

function literal(value: unknown): string {
  return typeof value === "bigint" ? `${value}n` : JSON.stringify(value);
}

function operand(o: Operand): string {
  return o.type === "literal" ? literal(o.value) : operandText(o);
}

/** The tree as fully parenthesised text. */
function shown(e: Expression): string {
  switch (e.type) {
    case "and":
    case "or":
      return `(${e.operands.map(shown).join(e.type === "and" ? " && " : " || ")})`;
    case "not":
      return `!${shown(e.operand)}`;
    case "constant":
      return String(e.value);
    case "comparison":
      return `${operand(e.left)} ${e.operator} ${operand(e.right)}`;
    case "match":
      return `${operand(e.operand)} ${e.operator} ${e.regexp.source}`;
    case "in":
      return `${operand(e.operand)} in (${e.items.map(operand).join(", ")})`;
  }
}

const accepted: readonly (readonly [written: string, understood: string])[] = [
  // precedence, as the reference has it
  ["$evt.a == 1 || $evt.b == 2 && !$evt.c == 3", "($evt.a == 1 || ($evt.b == 2 && !$evt.c == 3))"],
  ["($evt.a == 1 || $evt.b == 2) && ! ! $evt.c == 3", "(($evt.a == 1 || $evt.b == 2) && !!$evt.c == 3)"],
  ["$evt.a==1&&$evt.b!=2&&$evt.c<3", "($evt.a == 1 && $evt.b != 2 && $evt.c < 3)"],
  ["$evt . a\n\t<=\n$begin . $evt . b", "$evt.a <= $begin.$evt.b"],
  // scopes and names
  ['$evt.$name == "x"', '$evt.$name == "x"'],
  ["$evt.$payload.a > $evt.$ctx.a", "$evt.$payload.a > $evt.$ctx.a"],
  ["$evt.$stream_ctx.a >= $evt.$pkt_ctx.cpu_id", "$evt.$stream_ctx.a >= $evt.$pkt_ctx.cpu_id"],
  ["$evt.$header.id == $evt.$pkt_header.magic", "$evt.$header.id == $evt.$pkt_header.magic"],
  ["$evt.in == 3", "$evt.in == 3"],
  // numbers
  ["$evt.a == -1", "$evt.a == -1"],
  ["$evt.a == +1.", "$evt.a == 1"],
  ["$evt.a == 1.9e1", "$evt.a == 19"],
  ["$evt.a == 2.5", "$evt.a == 2.5"],
  ["$evt.a == 18446744073709551615", "$evt.a == 18446744073709551615n"],
  ["$evt.a == 9007199254740993", "$evt.a == 9007199254740993n"],
  ["$evt.a == 0x1F", "$evt.a == 31"],
  ["$evt.a == 0xffffffffc0000010", "$evt.a == 18446744072635809808n"],
  ["$evt.a == -0x10", "$evt.a == -16"],
  // durations are ns
  ["$evt.$duration > 10ms", "$evt.$duration > 10000000"],
  ["$evt.d > 2.5s", "$evt.d > 2500000000"],
  ["$evt.d > 3us || $evt.d < 1h", "($evt.d > 3000 || $evt.d < 3600000000000)"],
  ["$evt.d > 1.5ns || $evt.d > 2min", "($evt.d > 2 || $evt.d > 120000000000)"],
  // strings
  ['$evt.a == ""', '$evt.a == ""'],
  ['$evt.a == "/var/www/html/index.php"', '$evt.a == "/var/www/html/index.php"'],
  ['$evt.a == "a\\"b\\\\c\\td\\:e"', '$evt.a == "a\\"b\\\\c\\td:e"'],
  ['$evt.a == "x : y && z"', '$evt.a == "x : y && z"'],
  // additions
  ["$evt.$name == $begin.$evt.$name", "$evt.$name == $begin.$evt.$name"],
  ["$evt.$ts > 5 && $evt.$cpu == 0", "($evt.$ts > 5 && $evt.$cpu == 0)"],
  ['$evt.$host == "web"', '$evt.$host == "web"'],
  ['$evt.$name in ("a", "b")', '$evt.$name in ("a", "b")'],
  ["$evt.pid in (1, -2, 0x3)", "$evt.pid in (1, -2, 3)"],
  ['$evt.f =~ "^a\\d+\\"$"', '$evt.f =~ ^a\\d+"$'],
  ['$evt.f =* "a*.[ch]"', "$evt.f =* ^a.*\\.[ch]$"],
  ["1 == $evt.id && 2 < $evt.id", "($evt.id == 1 && $evt.id > 2)"],
  ["$evt.a.b == 1 && $evt.a[0] == 2", "($evt.a.b == 1 && $evt.a[0] == 2)"],
  ["$evt.$payload.a.b[1][2].c == 1", "$evt.$payload.a.b[1][2].c == 1"],
  ["true && !false", "(true && !false)"],
  ["$evt.ok == true && false != $evt.no", "($evt.ok == true && $evt.no != false)"],
];

test("expressions are understood", () => {
  for (const [written, understood] of accepted) {
    assert.equal(shown(parsePeriod(`p : ${written}`).begin), understood, written);
    assert.equal(shown(parsePeriod(`:true:${written}`).end!), understood, written);
  }
});

test("names, parents and paths", () => {
  const names = (text: string) => {
    const { name, parent, end } = parsePeriod(text);
    return [name?.name, parent?.name, end !== undefined];
  };
  assert.deepEqual(names(": true"), [undefined, undefined, false]);
  assert.deepEqual(names("a : true : false"), ["a", undefined, true]);
  assert.deepEqual(names(" a ( b ) : true : false "), ["a", "b", true]);
  assert.deepEqual(names("switch/open : true"), ["open", undefined, false]);
  assert.deepEqual(names("a/b/c(a/b) : true"), ["c", "b", false]);
});

/** The caret stands below the place: text, then a line with `^`, then what the message says. */
const refused: readonly (readonly [text: string, caret: string, reason: RegExp])[] = [
  ["", "^", /expected ":" or a period's name before the begin expression, found the end/],
  ["a", " ^", /expected ":" or a period's name/],
  ["a : ", "    ^", /expected a comparison, .* found the end/],
  ["a(b : true", "    ^", /expected "\)" to close the parent's name/],
  ["a() : true", "  ^", /expected the parent period's name/],
  ["1a : true", " ^", /"a" is no unit of time/],
  ["a : $evt.x", "          ^", /expected an operator \(==, .*\), found the end/],
  ["a : $evt.x = 1", "           ^", /expected "==", found "="/],
  ["a : $evt.x == ", "              ^", /expected an event's field, a number or a string, found the end/],
  ["a : $evt.x == 1 and true", "                ^", /expected "&&", found "and"/],
  ["a : $evt.x == 1 & true", "                ^", /expected "&&"/],
  ["a : $evt.x == 1 == 2", "                ^", /expected "&&", "\|\|", or ":" and the end expression/],
  [
    "a : $evt.x == 1 : true : true : true",
    "                              ^",
    /expected "&&", "\|\|" or the end/,
  ],
  ["a : ($evt.x == 1", "                ^", /expected "\)" to close the parenthesis/],
  ["a : $evt.x == 'b'", "              ^", /strings stand in double quotes/],
  ['a : $evt.x == "b', "              ^", /this string is not closed/],
  ["a : $evt.x == .5", "              ^", /expected an event's field, a number or a string, found "\."/],
  ["a : $evt.x == -", "               ^", /expected digits after -/],
  ["a : $evt.x == 5parsecs", "               ^", /"parsecs" is no unit of time, expected ns, us/],
  ["a : $evt.x == 0x5g", "                 ^", /"g" are no hexadecimal digits/],
  ["a : $evt.x == 1e999", "              ^", /number out of range/],
  ["a : evt.x == 1", "    ^", /fields are written \$evt\.evt/],
  ["a : $evnt.x == 1", "    ^", /there is no \$evnt, did you mean \$evt\?/],
  ["a : $name == 1", "    ^", /\$name stands after an event: \$evt\.\$name/],
  ["a : $evt.$nam == 1", "         ^", /there is no \$nam, did you mean \$name\?/],
  ["a : $evt == 1", "         ^", /expected "\." and a field after \$evt/],
  ["a : $evt.x[y] == 1", "           ^", /expected an index/],
  ["a : $evt.x in 5", "              ^", /expected "\(" after "in"/],
  ["a : $evt.x in ()", "               ^", /expected a number or a string/],
  ["a : $evt.x in ($evt.y)", "               ^", /a set has only numbers and strings/],
  ["a : $evt.x =* 5", "              ^", /expected a pattern in quotes/],
  ['a : $evt.x =~ "("', "              ^", /no regular expression/],
  ['a : "x" =* "y"', "    ^", /the left side of =\* is a field/],
  ["a : not $evt.x == 1", "    ^", /expected "!", found "not"/],
  ["a : $parent.$evt.x == 1", "            ^", /Must refer to the begin context in a parent context/],
  ["a : $evt.x ~ 1", "           ^", /expected "=~"/],
];

test("errors point at the character", () => {
  for (const [text, caret, reason] of refused) {
    assert.throws(
      () => parsePeriod(text),
      (error) => {
        assert.ok(error instanceof PeriodError, text);
        assert.match(error.message, reason, text);
        assert.equal(error.message.split("\n").slice(1).join("\n"), `  ${text}\n  ${caret}`);
        assert.equal(error.position, caret.length - 1, text);
        return true;
      },
    );
  }
});

test("nesting beyond reason is refused, not a crash", () => {
  assert.throws(() => parsePeriod(`: ${"(".repeat(100_000)}`), /nested too deeply/);
});

test("pointing into several lines, behind tabs, and into a long line", () => {
  assert.equal(pointAt("a :\n\t$evt.x\n", 6), "  \t$evt.x\n  \t ^");
  const long = `${"x".repeat(300)}!${"y".repeat(300)}`;
  const [line, caret] = pointAt(long, 300).split("\n");
  assert.equal(line![caret!.indexOf("^")], "!");
  assert.ok(line!.length < 120);
});

test("captures", () => {
  const keys = (text: string) => {
    const { name, begin, end } = parseCaptures(text);
    const list = (captures: typeof begin) => captures.map((c) => `${c.key}=${operandText(c.operand)}`);
    return [name.name, list(begin), list(end)];
  };
  assert.deepEqual(keys("request : worker_pid = $evt.pid"), ["request", ["worker_pid=$evt.pid"], []]);
  assert.deepEqual(keys("a/b: $evt.x, y = $parent.$begin.$evt.z : $evt.$name"), [
    "b",
    ["undefined=$evt.x", "y=$parent.$begin.$evt.z"],
    ["undefined=$evt.$name"],
  ]);
  assert.deepEqual(keys("a :: x = $evt.x[1].y"), ["a", [], ["x=$evt.x[1].y"]]);
  assert.deepEqual(keys("a :"), ["a", [], []]);
  assert.throws(() => parseCaptures("a : x"), /expected "=" after the capture's name, found the end/);
  assert.throws(() => parseCaptures("a : x = 5"), /expected a capture, like pid = \$evt.pid, found "5"/);
  assert.throws(() => parseCaptures("a : x = $evt.y z"), /expected "," and another capture/);
  assert.throws(() => parseCaptures(": x = $evt.y"), /expected the name of the period to capture for/);
});

test("patterns of file names", () => {
  const fits: [string, string, boolean][] = [
    ["*", "a/b\nc", true],
    ["a?c", "abc", true],
    ["a?c", "a💡c", true],
    ["a?c", "ac", false],
    ["[a-c]x", "bx", true],
    ["[!a-c]x", "bx", false],
    ["[]]", "]", true],
    ["[!]]", "]", false],
    ["[", "[", true],
    ["[*]", "*", true],
    ["[z-a]", "z", false],
    ["[a\\]", "\\", true],
    ["A", "a", false],
    ["a.b+(c)|{d}^$", "a.b+(c)|{d}^$", true],
    ["", "", true],
  ];
  for (const [pattern, text, expected] of fits) {
    assert.equal(globPattern(pattern).test(text), expected, `${pattern} ${text}`);
  }
});

const definitionErrors: readonly (readonly [periods: string[], captures: string[], message: RegExp])[] = [
  [["a : true", "a : true"], [], /^Cannot add period: Cannot redefine period "a"\n {2}a : true\n {2}\^$/],
  [["b(a) : true", "a : true"], [], /Cannot find parent period named "a" \(as parent of period "b"\)/],
  [["request : true", "b(reqest) : true"], [], /named "reqest" .*, did you mean "request"\?/],
  [["a : $parent.$begin.$evt.x == 1"], [], /Cannot refer to parent context without a named parent period/],
  [
    ["a : true", "b(a) : $parent.$parent.$begin.$evt.x == 1"],
    [],
    /2 levels up: period "a\/b" has not so many/,
  ],
  [["a : true"], ["b : $evt.x"], /Cannot find period named "b" for --period-captures argument/],
  [["a : true"], ["a : $evt.x", "a : $evt.y"], /Duplicate period name "a" in --period-captures argument/],
  [["a : true"], ["a : $evt.x, $evt . x"], /Duplicate period capture name: "\$evt.x"/],
  [["a : true : $begin.cap == 1"], ["a : cop = $evt.x"], /no begin capture named "cap", did you mean cop\?/],
  [["a : $begin.cap == 1"], ["a : cap = $evt.x"], /own captures do not exist before it has begun/],
];

test("definitions that do not fit together", () => {
  for (const [periods, captures, message] of definitionErrors) {
    assert.throws(
      () => definePeriods({ periods, captures }),
      (error) => error instanceof PeriodError && message.test(error.message),
      String(message),
    );
  }
  // As it always was: captures alone are ignored.
  assert.equal(definePeriods({ captures: ["a : $evt.x"] }).definitions.length, 0);
});

test("the tree of definitions", () => {
  const set = definePeriods({
    periods: ["a : true", ": true", "b(a) : true", ": false", "c(b) : true", "d(a) : true"],
    captures: ["b : x = $evt.x"],
  });
  assert.deepEqual(
    set.definitions.map((d) => d.path),
    ["a", "", "a/b", "", "a/b/c", "a/d"],
  );
  assert.deepEqual(
    set.roots.map((d) => d.index),
    [0, 1, 3],
  );
  assert.deepEqual(
    set.find("a")!.children.map((d) => d.name),
    ["b", "d"],
  );
  assert.equal(set.find("a/b/c")!.index, 4);
  assert.equal(set.find("x"), undefined);
});

test("what `$begin` and captures mean where", () => {
  const set = definePeriods({
    periods: [
      "a : $begin.$evt.x == 1 : $begin.x == $evt.y",
      "b(a) : $parent.$begin.x == 1 : $begin.px == 1",
      "c(b) : $parent.$begin.px == $parent.$parent.$begin.$evt.z",
    ],
    captures: ["a : x = $begin.$evt.xx", "b : px = $parent.$begin.x"],
  });
  const [a, b, c] = set.definitions;
  assert.equal(shown(a!.begin), "$evt.x == 1");
  assert.equal(shown(a!.end), "$begin.$evt.xx == $evt.y");
  assert.equal(shown(b!.begin), "$parent.$begin.$evt.xx == 1");
  assert.equal(shown(b!.end), "$parent.$begin.$evt.xx == 1");
  assert.equal(shown(c!.begin), "$parent.$parent.$begin.$evt.xx == $parent.$parent.$begin.$evt.z");
});

test("deprecated options", () => {
  const cases: [Parameters<typeof deprecatedPeriodText>[0], string | undefined][] = [
    [{}, undefined],
    [{ end: "b" }, undefined],
    [{ begin: "a" }, ': $evt.$name == "a" : $evt.$name == "a" && $evt.cpu_id == $begin.$evt.cpu_id'],
    [
      { begin: "a", end: "b", beginKey: "x, y", endKey: "u,v", keyValue: "1, z" },
      ': $evt.$name == "a" && $evt.x == 1 && $evt.y == "z" : $evt.$name == "b" && $evt.u == $begin.$evt.x && $evt.v == $begin.$evt.y',
    ],
  ];
  for (const [options, text] of cases) {
    assert.equal(deprecatedPeriodText(options), text);
    if (text !== undefined) parsePeriod(text);
  }
});

test("the talk's definitions parse unchanged", () => {
  const wp = "/var/www/html/wordpress/index.php";
  const theme = "/usr/share/wordpress/wp-content/themes/twentyfourteen/content.php";
  const set = definePeriods({
    periods: [
      'request : $evt.$name == "syscall_exit_accept4" && $evt.procname == "apache2" : $evt.pid == $begin.$evt.pid && $evt.$name == "syscall_entry_close" && $evt.fd == $begin.$evt.ret',
      `url_rewrite(request) : $evt.pid == $parent.$begin.$evt.pid && $evt.$name == "syscall_exit_accept4" && $evt.procname == "apache2" : $evt.pid == $parent.$begin.$evt.pid && $evt.$name == "syscall_entry_newstat" && $evt.filename == "${wp}"`,
      `before_db_connect(request) : $evt.pid == $parent.$begin.$evt.pid && $evt.$name == "syscall_entry_newstat" && $evt.filename == "${wp}" : $evt.pid == $begin.$evt.pid && $evt.$name == "syscall_entry_connect" && $evt.dport == 3306`,
      `db_queries(request) : $evt.pid == $parent.$begin.$evt.pid && $evt.$name == "syscall_entry_connect" && $evt.dport == 3306 : $evt.pid == $begin.$evt.pid && $evt.$name == "syscall_entry_access" && $evt.filename == "${theme}"`,
      `rendering(request) : $evt.pid == $parent.$begin.$evt.pid && $evt.$name == "syscall_entry_access" && $evt.filename == "${theme}" : $evt.pid == $begin.$evt.pid && $evt.$name == "syscall_entry_writev" && $evt.fd == $parent.$begin.$evt.ret`,
    ],
    captures: ["request : worker_pid = $evt.pid, client_skt_fd = $evt.ret"],
  });
  assert.deepEqual(
    set.definitions.map((d) => d.path),
    [
      "request",
      "request/url_rewrite",
      "request/before_db_connect",
      "request/db_queries",
      "request/rendering",
    ],
  );
});
