// The collector's HTTP port: what Prometheus reads, by Prometheus's own checker, and what Alertmanager sends.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { collectorArguments, Program } from "../support/programs.js";
import { periscope } from "../support.js";

const skipPromtool = spawnSync("promtool", ["--version"]).status === 0 ? false : "promtool is not installed";
const directory = mkdtempSync(join(tmpdir(), "periscope-http-"));
const WINDOW_MS = 400;
let collector: Program;
let url: string;

before(async () => {
  collector = Program.start(
    ...collectorArguments(join(directory, "store")),
    ...["--window", `${WINDOW_MS}ms`, "--burst", "2", "--cause-burst", "2", "--refill", "1h"],
  );
  url = `http://127.0.0.1:${(await collector.ready())["http"]}`;
});
after(async () => {
  await collector.kill();
  rmSync(directory, { recursive: true, force: true });
});

interface Reply {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

async function post(body: unknown): Promise<Reply> {
  const response = await fetch(`${url}/trigger`, { method: "POST", body: JSON.stringify(body) });
  return { status: response.status, body: (await response.json()) as Reply["body"] };
}

const metrics = async () => await (await fetch(`${url}/metrics`)).text();

/** Values by name and labels, as written. Throws for a line that is none of the text format 0.0.4. */
function parsed(text: string): Map<string, number> {
  const label = String.raw`[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*"`;
  const sample = new RegExp(String.raw`^([a-zA-Z_:][\w:]*(?:\{${label}(?:,${label})*\})?) (\S+)$`);
  const values = new Map<string, number>();
  assert.ok(text.endsWith("\n"));
  for (const line of text.slice(0, -1).split("\n")) {
    if (/^# (HELP [\w:]+ .+|TYPE [\w:]+ (counter|gauge|summary))$/.test(line)) continue;
    const match = sample.exec(line);
    assert.ok(match !== null, `"${line}"`);
    assert.ok(!values.has(match[1]!), `${match[1]} twice`);
    assert.ok(Number.isFinite(Number(match[2])), line);
    values.set(match[1]!, Number(match[2]));
  }
  return values;
}

/** As Alertmanager 0.25 sends it, which its documentation calls version 4. */
function notification(status: "firing" | "resolved", name: string, labels: Record<string, string> = {}) {
  const all = { alertname: name, instance: "web1:9100", severity: "page", ...labels };
  const alert = {
    status,
    labels: all,
    annotations: { summary: "p99 above 1 s" },
    startsAt: "2026-11-24T14:00:00.123Z",
    endsAt: status === "firing" ? "0001-01-01T00:00:00Z" : "2026-11-24T14:05:00Z",
    generatorURL: "http://prometheus:9090/graph?g0.expr=up",
    fingerprint: "8f0b6a0c5d5f1d2e",
  };
  return {
    receiver: "periscope",
    status,
    alerts: [alert],
    groupLabels: { alertname: name },
    commonLabels: all,
    commonAnnotations: alert.annotations,
    externalURL: "http://alertmanager:9093",
    version: "4",
    groupKey: `{}:{alertname="${name}"}`,
    truncatedAlerts: 0,
  };
}

test("Alertmanager's web hook: an incident, what joins it, what is too much", async () => {
  assert.deepEqual(await post(notification("resolved", "Old")), {
    status: 200,
    body: { result: "nothing fires" },
  });
  const first = await post(notification("firing", "HighLatency"));
  assert.equal(first.status, 201, JSON.stringify(first.body));
  assert.equal(first.body["result"], "incident");
  const id = String(first.body["incident"]);
  const found = (await (await fetch(`${url}/incidents/${id}`)).json()) as Record<string, unknown>;
  assert.equal(found["cause"], "HighLatency");
  assert.equal(found["host"], "web1:9100");
  assert.equal(found["group"], "default");
  assert.equal(found["atNs"], "1795528800123000000");
  assert.deepEqual(found["attributes"], {
    summary: "p99 above 1 s",
    alertname: "HighLatency",
    instance: "web1:9100",
    severity: "page",
  });
  // Another group of hosts has an incident of its own.
  const other = await post(
    notification("firing", "HighLatency", { periscope_group: 'odd "name" \\ of\na group' }),
  );
  assert.equal(other.status, 201, JSON.stringify(other.body));
  assert.notEqual(other.body["incident"], id);

  const repeated = await post(notification("firing", "HighLatency", { instance: "web2:9100" }));
  if (repeated.status === 200) assert.deepEqual(repeated.body, { result: "joins", incident: id });
  // Unless this machine took longer than the window for so little: then it is the group's second.
  else assert.equal(repeated.status, 201);

  // Two at once a group may have; then it is suppressed, and Alertmanager hears why.
  const statuses: number[] = [];
  let last: Reply = repeated;
  for (let i = 0; last.status !== 429; i++) {
    assert.ok(i < 10, statuses.join(" "));
    await new Promise((resolve) => setTimeout(resolve, WINDOW_MS * 1.5));
    last = await post(notification("firing", "HighLatency"));
    statuses.push(last.status);
  }
  assert.deepEqual(statuses.slice(-2), repeated.status === 200 ? [201, 429] : [429]);
  assert.deepEqual(last.body, {
    result: "suppressed",
    reason: "group rate",
    error: "suppressed: group rate",
  });
});

test("what is no trigger is refused, and says what was expected", async () => {
  const bad: [body: string, reason: RegExp][] = [
    ["[]", /expected a JSON object/],
    ["{", /body is not JSON/],
    ['{"cause": 3}', /"cause": expected text/],
    ['{"at": "yesterday"}', /"at": expected a time/],
    ['{"alerts": [null]}', /"alerts": expected objects/],
  ];
  for (const [body, reason] of bad) {
    const response = await fetch(`${url}/trigger`, { method: "POST", body });
    assert.equal(response.status, 400, body);
    assert.match(((await response.json()) as { error: string }).error, reason);
  }
  assert.equal((await fetch(`${url}/trigger`)).status, 405);
  assert.equal((await fetch(`${url}/nothing`)).status, 404);
  const large = await fetch(`${url}/trigger`, { method: "POST", body: "x".repeat(2 << 20) }).catch(
    () => null,
  );
  assert.ok(large === null || large.status === 413);
});

test("metrics are in Prometheus's text format, and count what came", async () => {
  const values = parsed(await metrics());
  const sum = (name: string) =>
    [...values].reduce((all, [key, value]) => (key.replace(/\{.*/, "") === name ? all + value : all), 0);
  assert.ok(sum("periscope_triggers_total") >= 4);
  assert.equal(
    sum("periscope_triggers_total"),
    sum("periscope_incidents_total") +
      sum("periscope_triggers_joined_total") +
      sum("periscope_triggers_suppressed_total"),
  );
  assert.equal(values.get('periscope_triggers_suppressed_total{group="default",reason="group rate"}'), 1);
});

test("promtool has nothing against the metrics", { skip: skipPromtool }, async () => {
  // A label with everything that must be escaped.
  for (let i = 0; i < 4; i++) {
    await post({ cause: `c${i}`, group: 'odd "name" \\ of' });
    await new Promise((resolve) => setTimeout(resolve, WINDOW_MS * 1.5));
  }
  const text = await metrics();
  assert.ok(text.includes(String.raw`group="odd \"name\" \\ of"`), text);
  const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], {
    input: text,
    encoding: "utf8",
  });
  assert.equal(stdout + stderr, "");
  assert.equal(status, 0);
});

test("https:// to a collector without certificates: what to say instead", () => {
  const { code, stderr } = periscope(["trigger", "late", "--collector", url.replace("http:", "https:")]);
  assert.equal(code, 1);
  assert.match(stderr, /speaks no TLS; .* wants http:\/\//);
});

test("--listen warns of LTTng's open ports, unless --allow says who may come", async () => {
  const token = join(directory, "token");
  writeFileSync(token, "secret\n");
  for (const [allow, isWarned] of [
    [[], true],
    [["--allow", "127.0.0.0/8"], false],
  ] as const) {
    const open = Program.start(
      ...[...collectorArguments(join(directory, "open")), "--listen", "0.0.0.0", "--token-file", token],
      ...allow,
    );
    await open.ready();
    assert.equal(await open.kill(), 0);
    assert.equal(/LTTng's ports, which know no passwords/.test(open.other.join("\n")), isWarned);
  }
});
