/**
 * Open instances by the values that an expression compares for equality, so that the one that an event record
 * speaks of is found at once among any number.
 */
import type { Instance } from "./instance.js";
import { COMPOSITE, keyOf } from "./values.js";

/** What is found under all keys: mostly one. A set keeps the order of begin. */
export type Found = Instance | Set<Instance> | undefined;

type Level = Map<unknown, unknown>;

export class InstanceIndex {
  /** Maps in maps, one level per key; at the last a `Found`. */
  readonly map: Level = new Map();

  constructor(
    /** Index of the only host whose instances are here; -1: all. */
    readonly host: number,
    /** Values of an instance, one per level. Those whose value is not there are equal to nothing. */
    readonly keys: readonly ((instance: Instance) => unknown)[],
    /** Identity of the keys, to share an index. */
    readonly name: string,
  ) {}

  add(instance: Instance): void {
    if (this.host >= 0 && instance.host !== this.host) return;
    const { keys } = this;
    let level = this.map;
    const last = keys.length - 1;
    for (let i = 0; i < last; i++) {
      const key = keyOf(keys[i]!(instance));
      if (key === undefined) return;
      let next = level.get(key) as Level | undefined;
      if (next === undefined) {
        next = new Map();
        level.set(key, next);
      }
      level = next;
    }
    const key = keyOf(keys[last]!(instance));
    if (key === undefined) return;
    const found = level.get(key) as Found;
    if (found === undefined) level.set(key, instance);
    else if (found instanceof Set) found.add(instance);
    else level.set(key, new Set([found, instance]));
  }

  remove(instance: Instance): void {
    if (this.host >= 0 && instance.host !== this.host) return;
    this.#remove(this.map, 0, instance);
  }

  /** Those that have the same values as `instance`, which need not be here. */
  like(instance: Instance): Found {
    let at: unknown = this.map;
    for (const key of this.keys) at = descend(at, key(instance));
    return at as Found;
  }

  /** Empty levels go with their last instance: values of long ago are not kept. */
  #remove(level: Level, depth: number, instance: Instance): void {
    const key = keyOf(this.keys[depth]!(instance));
    if (key === undefined) return;
    if (depth < this.keys.length - 1) {
      const next = level.get(key) as Level | undefined;
      if (next === undefined) return;
      this.#remove(next, depth + 1, instance);
      if (next.size === 0) level.delete(key);
      return;
    }
    const found = level.get(key) as Found;
    if (found instanceof Set) {
      found.delete(instance);
      if (found.size === 0) level.delete(key);
    } else if (found === instance) level.delete(key);
  }
}

/** One level further for a value of an event record; undefined: nobody has it. */
export function descend(level: unknown, value: unknown): unknown {
  if (level === undefined) return undefined;
  return (level as Level).get(typeof value === "string" ? value : keyOf(value));
}

export { COMPOSITE };
