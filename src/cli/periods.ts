/** `periscope periods`: which profiles fit a trace. */
import { fitProfiles, type ProfileFit } from "../analyses/profile-fit.js";
import { PeriscopeError, UsageError } from "../base/errors.js";
import { formatCount, formatDuration } from "../base/format.js";
import { exactJson } from "../present/lami.js";
import { fit, pad, textWidth, wrap } from "../present/text.js";
import { allProfiles, findProfile } from "../profiles/find.js";
import { openSource } from "../sources/ctf.js";
import { type Command, complain, reportProblems, writeOutput } from "./command.js";
import { PROFILE } from "./period-options.js";
import { bundledProfiles, parameters } from "./profile-options.js";
import { terminalWidth, wholeNumber } from "./terminal.js";

export const command: Command = {
  spec: {
    name: "periods",
    operands: "PATH...",
    summary:
      "Lists the profiles (descriptions of a kind of service by its periods) that fit the traces, with what they find.",
    options: [
      ...PROFILE,
      { name: "json", help: "as JSON" },
      { name: "width", value: "COLUMNS", help: "width of the text (default: the terminal's, or 80)" },
    ],
    notes:
      "Profiles of your own: periscope.yaml here, ~/.config/periscope/profiles/*.yaml, or --profile FILE.",
  },
  run(args) {
    if (args.operands.length === 0) throw new UsageError("periods: expected one or more paths of traces");
    const named = args.all("profile").map((name) => findProfile(name, bundledProfiles()));
    const profiles = named.length > 0 ? named : allProfiles(bundledProfiles(), complain);
    const source = openSource(args.operands);
    if (source.info.traces.length === 0) throw new PeriscopeError(source.failures.join("; "));
    const fits = fitProfiles(source, profiles, parameters(args));
    if (args.has("json")) writeOutput(`${jsonOf(fits)}\n`);
    else {
      const width = wholeNumber(args.get("width"), "--width", 40) ?? terminalWidth(40);
      writeOutput(`${textOf(fits, width, args.operands).join("\n")}\n`);
    }
    return reportProblems(source.failures, 0);
  },
};

function jsonOf(fits: readonly ProfileFit[]): string {
  return exactJson(
    fits.map(({ profile, ...rest }) => ({
      profile: profile.name,
      description: profile.description,
      path: profile.path,
      parameters: profile.parameters,
      ...rest,
    })),
  );
}

function textOf(fits: readonly ProfileFit[], width: number, paths: readonly string[]): string[] {
  const good = fits.filter((one) => one.fits);
  const bad = fits.filter((one) => !one.fits);
  const lines: string[] = [];
  const name = Math.max(...fits.map(({ profile }) => textWidth(profile.name)), 8);
  for (const { profile, roots } of good) {
    const found = roots
      .filter(({ stats }) => stats.count > 0)
      .map(
        ({ name: root, stats }) =>
          `${root} ×${formatCount(stats.count)}: ${formatDuration(stats.minNs)} … ${formatDuration(stats.maxNs)}, p50 ${formatDuration(stats.p50Ns)}, p99 ${formatDuration(stats.p99Ns)}`,
      );
    lines.push(fit(`  ${pad(profile.name, name, "left")}  ${found.join("; ")}`, width));
    const indent = " ".repeat(name + 4);
    lines.push(...wrap(profile.description, width - indent.length).map((text) => `${indent}${text}`));
  }
  const out = good.length > 0 ? ["These fit:", "", ...lines] : ["No profile fits."];
  if (bad.length > 0) {
    out.push("", good.length > 0 ? "These do not:" : "Why not:", "");
    for (const one of bad) out.push(fit(`  ${pad(one.profile.name, name, "left")}  ${whyNot(one)}`, width));
  }
  if (good.length > 0) {
    const [{ profile }] = good as [ProfileFit];
    out.push("", `Next: periscope periodstats --profile ${profile.name} --waterfall ${paths.join(" ")}`);
  }
  return out;
}

function whyNot({ missingEvents, missingProcesses, roots }: ProfileFit): string {
  if (missingEvents.length > 0) return `no event ${missingEvents.join(", ")} in the trace`;
  if (missingProcesses.length > 0) return `no process ${missingProcesses.join(", ")} ran`;
  const begun = roots.reduce((sum, root) => sum + root.begun, 0);
  return begun === 0 ? "nothing began" : `${formatCount(begun)} began, none ended`;
}
