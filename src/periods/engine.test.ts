// What traces do to periods: ends that never come, parents that end first, lost event records, numbers of threads that
// come again, too many at once; and what definitions are told before anything is read.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createKernelModel } from "../kernel/model.js";
import {
  type ScriptedHole,
  type ScriptedRecord,
  scriptedSource,
  switchTo,
} from "../kernel/scripted-source.js";
import { checkPeriods } from "./check.js";
import { definePeriods, type PeriodArguments } from "./define.js";
import { PeriodEngine, type PeriodEngineOptions } from "./engine.js";
import type { PeriodInstance } from "./instance.js";

function event(ns: number, name: string, fields: Record<string, unknown> = {}, host = 0): ScriptedRecord {
  return { ns, cpu: 0, name, fields, host };
}

type Script = readonly (ScriptedRecord | ScriptedHole)[];

function run(
  definitions: PeriodArguments | readonly string[],
  script: Script,
  options: PeriodEngineOptions = {},
  hosts: readonly string[] = ["a"],
): { told: string[]; instances: PeriodInstance[]; engine: PeriodEngine } {
  const source = scriptedSource(script, hosts);
  const set = definePeriods("length" in definitions ? { periods: definitions } : definitions);
  const instances: PeriodInstance[] = [];
  const engine = new PeriodEngine(source, set, { ...options, onEnd: (i) => instances.push(i) });
  const model = createKernelModel(source, engine.needs);
  engine.attach(model);
  engine.active = true;
  const result = model.run();
  engine.closeAll(result.lastNs);
  const told = instances.map(
    (i) =>
      `${i.definition.path} ${i.beginNs}-${i.endNs}${i.completed ? "" : " open"}${i.uncertain ? " ?" : ""}`,
  );
  return { told, instances, engine };
}

const REQUEST = 'r : $evt.$name == "in" : $evt.$name == "out" && $evt.id == $begin.$evt.id';
const PART =
  'p(r) : $evt.$name == "go" && $evt.id == $parent.$begin.$evt.id : $evt.$name == "stop" && $evt.id == $begin.$evt.id';

test("an end that never comes: closed at the end of the trace, not completed", () => {
  const { told, engine } = run([REQUEST], [event(1, "in", { id: 1 }), event(5, "x")]);
  assert.deepEqual(told, ["r 1-5 open"]);
  assert.equal(engine.givenUp.open, 1);
});

test("a parent that ends first closes its children", () => {
  const { told, instances } = run(
    [REQUEST, PART],
    [
      event(1, "in", { id: 1 }),
      event(2, "go", { id: 1 }),
      event(3, "out", { id: 1 }),
      event(4, "stop", { id: 1 }),
    ],
    { keepTrees: true },
  );
  assert.deepEqual(told, ["r/p 2-3 open", "r 1-3"]);
  assert.equal(instances[1]!.children[0], instances[0]);
});

test("a child that ends with its parent is completed", () => {
  const part = PART.replace('"stop"', '"out"');
  const script = [event(1, "in", { id: 1 }), event(2, "go", { id: 1 }), event(3, "out", { id: 1 })];
  assert.deepEqual(run([REQUEST, part], script).told, ["r/p 2-3", "r 1-3"]);
});

test("one event record may end an instance and begin the next", () => {
  const script = [event(1, "x"), event(4, "x"), event(9, "x")];
  assert.deepEqual(run(['r : $evt.$name == "x"'], script).told, ["r 1-4", "r 4-9", "r 9-9 open"]);
});

test("lost event records between begin and end make the end uncertain", () => {
  const lost = { what: "events" as const, count: 3, beginNs: 2, endNs: 3, stream: 0 };
  const script = [
    event(1, "in", { id: 1 }),
    { lost },
    event(4, "in", { id: 2 }),
    event(5, "out", { id: 1 }),
    event(6, "out", { id: 2 }),
  ];
  assert.deepEqual(run([REQUEST], script).told, ["r 1-5 ?", "r 4-6"]);
});

test("a thread's number that comes again ends no instance of the thread before", () => {
  const period = 'r : $evt.$name == "in" : $evt.$name == "out" && $evt.tid == $begin.$evt.tid';
  const script = [
    event(1, "in", { tid: 7 }),
    event(2, "sched_process_fork", { parent_tid: 1, parent_comm: "sh", child_tid: 7, child_comm: "sh" }),
    event(3, "out", { tid: 7 }),
  ];
  const { told, engine } = run([period], script);
  assert.deepEqual(told, ["r 1-2 open"]);
  assert.equal(engine.givenUp.reused, 1);
});

test("too many at once: the oldest is given up, and said so", () => {
  const script = [1, 2, 3, 4].map((id) => event(id, "in", { id }));
  const { told, engine } = run([REQUEST], [...script, event(9, "out", { id: 4 })], { mostHeld: 2 });
  assert.deepEqual(told, ["r 1-3 open", "r 2-4 open", "r 4-9", "r 3-9 open"]);
  assert.deepEqual(
    [engine.givenUp.crowded, engine.givenUp.crowdedBeginNs, engine.givenUp.crowdedPath],
    [2, 1, "r"],
  );
});

test("children that are kept count, too: a root that never ends cannot fill the memory", () => {
  const script: ScriptedRecord[] = [event(0, "in", { id: 1 })];
  for (let ns = 1; ns < 2000; ns += 2)
    script.push(event(ns, "go", { id: 1 }), event(ns + 1, "stop", { id: 1 }));
  const { engine } = run([REQUEST, PART], script, { keepTrees: true, mostHeld: 100 });
  assert.equal(engine.givenUp.crowded, 1);
});

test("captures of what is not there are null", () => {
  const { instances } = run(
    {
      periods: [REQUEST],
      captures: ["r : id = $evt.id, none = $evt.nowhere : n = $evt.$name, $begin.$evt.id"],
    },
    [event(1, "in", { id: 1 }), event(2, "out", { id: 1 })],
  );
  assert.deepEqual(instances[0]!.beginCaptures, [
    { key: "id", value: 1 },
    { key: "none", value: null },
  ]);
  assert.deepEqual(instances[0]!.endCaptures, [
    { key: "n", value: "out" },
    { key: "$begin.$evt.id", value: 1 },
  ]);
});

test("hosts do not share instances, unless the host is compared", () => {
  const script = [event(1, "in", { id: 1 }, 0), event(2, "out", { id: 1 }, 1), event(3, "x", {}, 0)];
  assert.deepEqual(run([REQUEST], script, {}, ["a", "b"]).told, ["r 1-3 open"]);
  const across = `${REQUEST} && $evt.$host != $begin.$evt.$host`;
  assert.deepEqual(run([across], script, {}, ["a", "b"]).told, ["r 1-2"]);
});

test("the thread is known without contexts, and so are durations and descriptors of system calls", () => {
  const A = [10, "a"] as const;
  const script = [
    switchTo(0, 0, [0, "swapper/0"], 0, A),
    event(1, "syscall_entry_read", { fd: 5 }),
    event(4, "syscall_exit_read", { ret: 3 }),
    event(9, "syscall_entry_close", { fd: 5 }),
  ];
  const { told, instances } = run(
    {
      periods: [
        'r : $evt.$name == "syscall_exit_read" && $evt.$procname == "a" && $evt.pid == 10 && $evt.$duration >= 3ns : $evt.$name == "syscall_entry_close" && $evt.fd == $begin.$evt.$fd && $evt.tid == $begin.$evt.$tid',
      ],
      captures: ["r : fd = $evt.$fd, ns = $evt.$duration, tid = $evt.$tid, name = $evt.procname"],
    },
    [
      switchTo(0, 0, [0, "swapper/0"], 0, [9, "z"]),
      event(0, "lttng_statedump_process_state", { tid: 10, pid: 10, name: "a" }),
      ...script,
    ],
  );
  assert.deepEqual(told, ["r 4-9"]);
  assert.deepEqual(
    instances[0]!.beginCaptures.map(({ value }) => value),
    [5, 3, 10, "a"],
  );
});

// --- what is told before reading ---

function problems(definition: string, captures: string[] = []): string[] {
  const { info } = scriptedSource([
    event(1, "sched_switch", { prev_comm: "a", prev_tid: 1, next_tid: 2 }),
    event(2, "syscall_entry_close", { fd: 1 }),
  ]);
  const set = definePeriods({ periods: [definition], captures });
  return checkPeriods(set, info).map(({ reason, position, text, never }) => {
    return `${never ? "never: " : ""}${reason} @${text.slice(position, position + 12)}`;
  });
}

test("definitions that cannot work are told before the trace is read, with the nearest name", () => {
  assert.deepEqual(problems('p : $evt.$name == "sched_switch" : $evt.$name == "syscall_entry_close"'), []);
  assert.deepEqual(problems('p : $evt.$name == "sched_swich" : $evt.fd == 1'), [
    'never: the trace has no event named "sched_swich", did you mean "sched_switch"? @"sched_swich',
  ]);
  assert.deepEqual(problems('p : $evt.$name == "sched_switch" && $evt.prev_tdi == 1 : $evt.fd == 1'), [
    'never: event "sched_switch" has no field prev_tdi, did you mean prev_tid? @$evt.prev_td',
  ]);
  assert.deepEqual(problems("p : $evt.prev_comm == 5 : $evt.fd == 1"), [
    "never: $evt.prev_comm, which is a string, is compared with the number 5 @$evt.prev_co",
  ]);
  assert.deepEqual(problems('p : $evt.$name =* "block_*" : $evt.fd == 1'), [
    'never: the trace has no event whose name fits "block_*" @$evt.$name =',
  ]);
  assert.deepEqual(problems('p : $evt.$name == "sched_switch" : $evt.fd == 1', ["p : x = $evt.prevtid"]), [
    'event "sched_switch" has no field prevtid, did you mean prev_tid? @$evt.prevtid',
  ]);
  // The other half of an alternative may work.
  assert.deepEqual(problems('p : $evt.$name in ("sched_switch", "sched_swithc") : $evt.fd == 1'), [
    'the trace has no event named "sched_swithc", did you mean "sched_switch"? @"sched_swith',
  ]);
});
