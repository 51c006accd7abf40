/**
 * Reads profiles from YAML. Everything wrong is told with file, line and column, what was found and what was
 * expected; `profiles/profile.schema.json` describes the same for editors.
 */
import { readFileSync } from "node:fs";
import { isMap, isScalar, isSeq, LineCounter, type Node, parseAllDocuments, type YAMLMap } from "yaml";
import { PeriscopeError } from "../base/errors.js";
import { nearest } from "../periods/nearest.js";
import type { Repeat } from "../periods/parser.js";
import { type Profile, type ProfileParameter, type ProfilePeriod, profilePeriods } from "./profile.js";

/** A file may hold several, one per YAML document. Throws `PeriscopeError`. */
export function readProfiles(path: string): Profile[] {
  return parseProfiles(readFileSync(path, "utf8"), path);
}

export function parseProfiles(text: string, path: string): Profile[] {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
  const reader = new Reader(path, lines);
  if (!Array.isArray(documents)) return reader.fail(undefined, "the file is empty, expected a profile");
  return documents.map((document) => {
    const [error] = document.errors;
    if (error !== undefined) {
      const { line, col } = lines.linePos(error.pos[0]);
      throw new PeriscopeError(`${path}:${line}:${col}: ${error.message}`);
    }
    return reader.profile(document.contents);
  });
}

class Reader {
  constructor(
    readonly path: string,
    readonly lines: LineCounter,
  ) {}

  fail(node: unknown, reason: string): never {
    const offset = (node as Node | null | undefined)?.range?.[0];
    const { line, col } = offset === undefined ? { line: 1, col: 1 } : this.lines.linePos(offset);
    throw new PeriscopeError(`${this.path}:${line}:${col}: ${reason}`);
  }

  #map(node: unknown, what: string, keys: readonly string[] | undefined): YAMLMap {
    if (!isMap(node)) return this.fail(node, `${what}: expected keys with values`);
    for (const { key } of node.items) {
      const name = String(isScalar(key) ? key.value : key);
      if (keys === undefined || keys.includes(name)) continue;
      const guess = nearest(name, keys);
      this.fail(
        key,
        `${what} has no "${name}"${guess === undefined ? `, expected ${keys.join(", ")}` : `, did you mean "${guess}"?`}`,
      );
    }
    return node;
  }

  #text(node: unknown, what: string): string {
    if (isScalar(node) && typeof node.value === "string" && node.value.trim() !== "") return node.value;
    return this.fail(node, `${what}: expected text`);
  }

  #optionalText(map: YAMLMap, key: string, what: string): string | undefined {
    const node = map.get(key, true);
    return node === undefined ? undefined : this.#text(node, `${what}, ${key}`);
  }

  #required(map: YAMLMap, key: string, what: string): string {
    const node = map.get(key, true);
    if (node === undefined) this.fail(map, `${what}: expected "${key}"`);
    return this.#text(node, `${what}, ${key}`);
  }

  #list(map: YAMLMap, key: string, what: string): readonly unknown[] {
    const node = map.get(key, true);
    if (node === undefined) return [];
    return isSeq(node) ? node.items : this.fail(node, `${what}, ${key}: expected a list`);
  }

  #pairs(map: YAMLMap, key: string, what: string): (readonly [string, unknown])[] {
    const node = map.get(key, true) as unknown;
    if (node === undefined) return [];
    const inner = this.#map(node, `${what}, ${key}`, undefined);
    return inner.items.map((pair) => [String(isScalar(pair.key) ? pair.key.value : pair.key), pair.value]);
  }

  #name(map: YAMLMap, what: string): string {
    const name = this.#required(map, "name", what);
    if (!/^[A-Za-z_]\w*$/.test(name) && what !== "the profile") {
      this.fail(map.get("name", true), `"${name}": expected letters, digits and _ in a period's name`);
    }
    return name;
  }

  profile(node: unknown): Profile {
    const keys = ["name", "description", "parameters", "events", "processes", "periods"];
    const map = this.#map(node, "the profile", keys);
    const what = "the profile";
    const profile: Profile = {
      name: this.#name(map, what),
      description: this.#required(map, "description", what).trim(),
      path: this.path,
      parameters: this.#pairs(map, "parameters", what).map(([name, value]) => this.#parameter(name, value)),
      events: this.#list(map, "events", what).map((item) =>
        isSeq(item) ? item.items.map((one) => this.#text(one, "events")) : [this.#text(item, "events")],
      ),
      processes: this.#list(map, "processes", what).map((item) => this.#text(item, "processes")),
      periods: this.#list(map, "periods", what).map((item) => this.#period(item)),
    };
    if (profile.periods.length === 0) this.fail(map, "the profile: expected periods");
    try {
      profilePeriods(profile);
    } catch (error) {
      if (error instanceof PeriscopeError) this.fail(map.get("periods", true), error.message);
      throw error;
    }
    return profile;
  }

  #parameter(name: string, node: unknown): ProfileParameter {
    const what = `parameter ${name}`;
    const map = this.#map(node, what, ["default", "description"]);
    const value = map.get("default", true) as unknown;
    if (!isScalar(value) || (typeof value.value !== "string" && typeof value.value !== "number")) {
      return this.fail(value ?? map, `${what}, default: expected text or a number`);
    }
    return { name, default: value.value, description: this.#required(map, "description", what) };
  }

  #period(node: unknown): ProfilePeriod {
    const keys = [
      "name",
      "description",
      "repeat",
      "begin",
      "end",
      "unless",
      "captures",
      "end_captures",
      "children",
    ];
    const map = this.#map(node, "a period", keys);
    const name = this.#name(map, "a period");
    const what = `period ${name}`;
    const repeat = this.#optionalText(map, "repeat", what) ?? "always";
    if (!["always", "once", "single"].includes(repeat)) {
      this.fail(map.get("repeat", true), `${what}, repeat: "${repeat}", expected always, once or single`);
    }
    const captures = (key: string) =>
      this.#pairs(map, key, what).map(
        ([name, value]) => [name, this.#text(value, `${what}, ${key}`)] as const,
      );
    return {
      name,
      description: this.#optionalText(map, "description", what)?.trim() ?? "",
      repeat: repeat as Repeat,
      begin: this.#required(map, "begin", what),
      end: this.#optionalText(map, "end", what),
      unless: this.#optionalText(map, "unless", what),
      captures: captures("captures"),
      endCaptures: captures("end_captures"),
      children: this.#list(map, "children", what).map((child) => this.#period(child)),
    };
  }
}
