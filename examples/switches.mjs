// An analysis of your own: how often processes give up the CPU by themselves, and how often it is taken from
// them. It is a plain module; nothing in Periscope knows it.
//
//   periscope run examples/switches.mjs PATH          text; also --json, --mi, --refresh 1s, --procname, --tid, ...
//   node examples/switches.mjs [PATH]                 the same from a program
import { analyze, defineAnalysis, number, onRecords, processCell, threadRef } from "periscope";

const columns = [
  { title: "Process", class: "process" },
  { title: "Voluntary switches", class: "number", unit: "switches" },
  { title: "Preemptions", class: "number", unit: "switches" },
];

export const switches = defineAnalysis({
  name: "switches",
  title: "Context switches",
  description: "Voluntary and involuntary context switches by thread",
  tags: ["sched"],
  tableClasses: { switches: { title: "Context switches by thread", columns } },
  defaults: { limit: 10 },
  // Subsystems of the kernel model beside scheduling: none.
  needs: () => ({}),
  missing: (names) =>
    names.has("schedSwitch") ? [] : [{ what: "context switches", events: ["sched_switch"], vital: true }],

  // What is kept of a slice.
  open: (scope) => ({ scope, threads: new Map(), execs: 0 }),
  listen: {
    // A hook of the kernel model: `prev` has its new state already. 2 is "runnable": it was preempted.
    switched(acc, _cpu, prev) {
      if (prev.tid === 0 || !acc.scope.filter.thread(prev)) return;
      let row = acc.threads.get(prev);
      if (row === undefined) acc.threads.set(prev, (row = { thread: prev, voluntary: 0, preempted: 0 }));
      if (prev.state === 2) row.preempted++;
      else row.voluntary++;
    },
  },
  // Event records that the model does not tell of.
  records: [
    onRecords({
      matches: (event) => event.name === "sched_process_exec",
      fields: { filename: { from: "filename", kind: "string" } },
      handle: (acc) => acc.execs++,
    }),
  ],

  // The result: plain data.
  close: ({ scope, threads, execs }) => ({
    execs,
    rows: [...threads.values()]
      .sort((a, b) => b.voluntary + b.preempted - (a.voluntary + a.preempted))
      .slice(0, scope.options.limit)
      .map(({ thread, voluntary, preempted }) => ({ thread: threadRef(thread), voluntary, preempted })),
  }),

  // How it is shown: text and LAMI come from the same typed cells.
  tables: (result, { hosts }) => [
    {
      class: "switches",
      heading: "Context switches by thread",
      view: { kind: "bars", value: 1 },
      columns: [
        { lami: columns[0], text: "Process" },
        { lami: columns[1], text: "Voluntary" },
        { lami: columns[2], text: "Preempted" },
      ],
      rows: result.rows.map((row) => [
        processCell(hosts, row.thread),
        number(row.voluntary),
        number(row.preempted),
      ]),
      notes: [`${result.execs} programs were started.`],
    },
  ],
});

export default switches;

if (process.argv[1] === import.meta.filename || process.argv[1]?.endsWith("switches.mjs")) {
  const [slice] = analyze(process.argv[2] ?? "samples/idle-small", [switches]).list;
  for (const { thread, voluntary, preempted } of slice.results[0].result.rows) {
    console.log(
      `${thread.name.padEnd(16)} ${String(voluntary).padStart(6)} ${String(preempted).padStart(6)}`,
    );
  }
}
