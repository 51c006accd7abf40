/** Where profiles are: the user's own files, then those that come with Periscope. */
import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { PeriscopeError, UsageError } from "../base/errors.js";
import { nearest } from "../periods/nearest.js";
import type { Profile } from "./profile.js";
import { readProfiles } from "./read.js";

const isYaml = (path: string): boolean => /\.ya?ml$/.test(path);

function filesIn(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .filter(isYaml)
    .sort()
    .map((name) => join(directory, name));
}

/** `periscope.yaml` here, then files of the user's configuration. */
function ownFiles(): string[] {
  const configuration = process.env["XDG_CONFIG_HOME"] || join(homedir(), ".config");
  const here = ["periscope.yaml", "periscope.yml"].filter((name) => existsSync(name));
  return [...here, ...filesIn(join(configuration, "periscope/profiles"))];
}

/**
 * All profiles; of several with one name the first counts. `bundled` is the folder of those that come with
 * Periscope. `wrong` is told of files that cannot be used.
 */
export function allProfiles(bundled: string, wrong: (message: string) => void): Profile[] {
  const found = new Map<string, Profile>();
  for (const path of [...ownFiles(), ...filesIn(bundled)]) {
    try {
      for (const profile of readProfiles(path))
        if (!found.has(profile.name)) found.set(profile.name, profile);
    } catch (error) {
      if (!(error instanceof PeriscopeError)) throw error;
      wrong(error.message);
    }
  }
  return [...found.values()];
}

/** The profile of a name, or the first of a file. Throws `UsageError` and `PeriscopeError`. */
export function findProfile(nameOrPath: string, bundled: string): Profile {
  if (isYaml(nameOrPath) || nameOrPath.includes("/")) {
    if (!existsSync(nameOrPath)) throw new UsageError(`--profile: there is no file ${nameOrPath}`);
    return readProfiles(nameOrPath)[0]!;
  }
  const wrong: string[] = [];
  const all = allProfiles(bundled, (message) => wrong.push(message));
  const found = all.find(({ name }) => name === nameOrPath);
  if (found !== undefined) return found;
  // A file of that name which cannot be read explains more.
  const broken = wrong.find((message) => basename(message.split(":")[0]!).startsWith(nameOrPath));
  if (broken !== undefined) throw new PeriscopeError(broken);
  const guess = nearest(
    nameOrPath,
    all.map(({ name }) => name),
  );
  throw new UsageError(
    `--profile: there is no "${nameOrPath}"${guess === undefined ? `, expected ${all.map(({ name }) => name).join(", ")} or a file` : `, did you mean "${guess}"?`}`,
  );
}
