/**
 * Labels of enumeration values, looked up once per value.
 */
import type { Mapping } from "../metadata/types.js";

/** Labels of `value`: every mapping that has it, in the order of declaration. */
export function labelsOf(mappings: readonly Mapping[], value: number | bigint): string[] {
  const labels: string[] = [];
  for (const mapping of mappings) {
    for (const range of mapping.ranges) {
      if (value >= range.lower && value <= range.upper) {
        labels.push(mapping.label);
        break;
      }
    }
  }
  return labels;
}

/** A bounded cache from an enumeration's value to something made from its labels. */
export class LabelCache<T> {
  readonly #known = new Map<number | bigint, T>();

  constructor(
    private readonly mappings: readonly Mapping[],
    private readonly make: (labels: string[]) => T,
  ) {}

  get(value: number | bigint): T {
    let made = this.#known.get(value);
    if (made === undefined) {
      made = this.make(labelsOf(this.mappings, value));
      if (this.#known.size < 4096) this.#known.set(value, made);
    }
    return made;
  }
}
