/** `periscope profile`: lists and shows profiles, and drafts a new one from what a thread did. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { PeriscopeError, UsageError } from "../base/errors.js";
import { createKernelModel } from "../kernel/model.js";
import { fit, pad } from "../present/text.js";
import { draftProfile, type Sample } from "../profiles/draft.js";
import { allProfiles, findProfile } from "../profiles/find.js";
import { parseProfiles } from "../profiles/read.js";
import { type CtfSource, openSource } from "../sources/ctf.js";
import { type Command, complain, writeOutput } from "./command.js";
import type { ParsedArguments } from "./options.js";
import { timeRange } from "./print.js";
import { bundledProfiles } from "./profile-options.js";
import { terminalWidth } from "./terminal.js";

/** More event records than this do not make a better draft. */
const MOST_SAMPLES = 200_000;

export const command: Command = {
  spec: {
    name: "profile",
    operands: "list | show NAME | new NAME PATH...",
    summary:
      "Lists or shows profiles, or starts a new one from what a thread did between two moments (--tid, --begin, --end).",
    options: [
      { name: "tid", value: "N", help: "new: the thread" },
      { name: "begin", short: "b", value: "TIME", help: "new: from TIME on" },
      { name: "end", short: "e", value: "TIME", help: "new: until TIME" },
      { name: "clock-gmt", help: "TIMEs are in GMT instead of local time" },
      { name: "output", short: "o", value: "FILE", help: "new: write it there instead of stdout" },
    ],
    notes: "TIME: [YYYY-MM-DD ]hh:mm:ss[.nnnnnnnnn], or seconds since the epoch.",
  },
  run(args) {
    const [what, name, ...paths] = args.operands;
    if (what === "list" && name === undefined) return list();
    if (what === "show" && name !== undefined) {
      writeOutput(readFileSync(findProfile(name, bundledProfiles()).path, "utf8"));
      return 0;
    }
    if (what === "new" && name !== undefined && paths.length > 0) return create(args, name, paths);
    throw new UsageError("profile: expected list, show NAME, or new NAME PATH; see periscope profile --help");
  },
};

function list(): number {
  const profiles = allProfiles(bundledProfiles(), complain);
  const width = Math.max(...profiles.map(({ name }) => name.length));
  const lines = profiles.map(({ name, description }) =>
    fit(`  ${pad(name, width, "left")}  ${description}`, terminalWidth(40)),
  );
  writeOutput(`${lines.join("\n")}\n`);
  return 0;
}

function create(args: ParsedArguments, name: string, paths: readonly string[]): number {
  const tid = Number(args.get("tid"));
  if (!Number.isInteger(tid)) throw new UsageError("profile new: expected --tid N, the thread to learn from");
  if (!/^[\w.-]+$/.test(name)) {
    throw new UsageError(`profile new: "${name}", expected letters, digits, - and _ in a name`);
  }
  const source = openSource(paths);
  if (source.info.traces.length === 0) throw new PeriscopeError(source.failures.join("; "));
  const { samples, procname } = sample(source, tid, timeRange(args, source.experiment));
  if (samples.length < 2) {
    throw new PeriscopeError(`thread ${tid} has ${samples.length} event records there, expected two or more`);
  }
  const range = [args.get("begin"), args.get("end")].map((text) => text ?? "…").join(" to ");
  const text = draftProfile(samples, { name, procname, origin: `${procname} (${tid}), ${range}` });
  // What we write must be readable.
  parseProfiles(text, name);
  const output = args.get("output");
  if (output === undefined) writeOutput(text);
  else {
    if (existsSync(output)) throw new PeriscopeError(`${output} exists`);
    writeFileSync(output, text);
    complain(`${output} written; next: periscope periodlog --profile ${output} ${paths.join(" ")}`);
  }
  return 0;
}

/** Event records while the thread ran, in a range. */
function sample(
  source: CtfSource,
  tid: number,
  { beginNs, endNs }: { beginNs?: number; endNs?: number },
): { samples: Sample[]; procname: string } {
  const samples: Sample[] = [];
  let active = false;
  let procname = "";
  let model: ReturnType<typeof createKernelModel> | undefined;
  source.subscribe({
    // What the kernel does for its own sake is no mark of a request.
    matches: ({ name }) => /^(compat_)?(syscall_|sys_|sched_process_)/.test(name) && !/_unknown$/.test(name),
    fields: { payload: { from: "payload:", kind: "value" } },
    handle({ ns, event, host, cpu, payload }) {
      if (!active || samples.length >= MOST_SAMPLES) return;
      const current = model?.hosts[host]?.cpus[cpu]?.current;
      if (current?.tid !== tid) return;
      if (current.name !== "") procname = current.name;
      samples.push({ ns, name: event.name, fields: (payload ?? {}) as Record<string, unknown> });
    },
  });
  model = createKernelModel(source);
  const run = model.start({ endNs });
  if (beginNs !== undefined) run.until(beginNs);
  active = true;
  run.until(Number.POSITIVE_INFINITY);
  run.end();
  return { samples, procname: procname === "" ? `tid ${tid}` : procname };
}
