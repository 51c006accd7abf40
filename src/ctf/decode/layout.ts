/**
 * What is known about a field class without any data: its size, and whether people see it.
 */
import type { FieldClass, StructClass } from "../metadata/types.js";

export function alignUp(value: number, align: number): number {
  const rest = value % align;
  return rest === 0 ? value : value + align - rest;
}

const sizes = new WeakMap<FieldClass, number>();
const minimums = new WeakMap<FieldClass, number>();

/**
 * Size in bits if it is the same for every instance that starts at its own alignment, else -1.
 * Padding before the field is not counted.
 */
export function fixedSize(fc: FieldClass): number {
  let size = sizes.get(fc);
  if (size === undefined) {
    size = computeFixedSize(fc);
    sizes.set(fc, size);
  }
  return size;
}

function computeFixedSize(fc: FieldClass): number {
  switch (fc.type) {
    case "int":
    case "float":
      return fc.size;
    case "static-string":
    case "static-blob":
      return fc.length * 8;
    case "struct": {
      let at = 0;
      for (const member of fc.members) {
        const size = fixedSize(member.fieldClass);
        if (size < 0) return -1;
        at = alignUp(at, member.fieldClass.align) + size;
      }
      return at;
    }
    case "static-array": {
      const size = fixedSize(fc.element);
      if (size < 0) return -1;
      if (fc.length === 0) return 0;
      // Elements of no bits are counted (see `emptyElementLimit`), so they are not passed over at once.
      if (size === 0) return -1;
      const total = alignUp(size, fc.element.align) * (fc.length - 1) + size;
      return Number.isSafeInteger(total) ? total : -1;
    }
    default:
      return -1;
  }
}

/** Least size in bits of an instance, padding inside it not counted. Bounds arrays before they are read. */
export function minimumSize(fc: FieldClass): number {
  let size = minimums.get(fc);
  if (size === undefined) {
    size = computeMinimumSize(fc);
    minimums.set(fc, size);
  }
  return size;
}

function computeMinimumSize(fc: FieldClass): number {
  switch (fc.type) {
    case "varint":
      return 8;
    case "string":
      return fc.encoding === "utf-8" ? 8 : fc.encoding.startsWith("utf-16") ? 16 : 32;
    case "struct": {
      let sum = 0;
      for (const member of fc.members) sum += minimumSize(member.fieldClass);
      return sum;
    }
    case "static-array":
      return fc.length * minimumSize(fc.element);
    case "variant": {
      let least = Number.POSITIVE_INFINITY;
      for (const option of fc.options) least = Math.min(least, minimumSize(option.fieldClass));
      return Number.isFinite(least) ? least : 0;
    }
    case "optional":
    case "dynamic-array":
    case "dynamic-string":
    case "dynamic-blob":
      return 0;
    default:
      return fixedSize(fc);
  }
}

/**
 * Most array elements of one event record that may take no bits at all: the data cannot bound their number.
 */
export const emptyElementLimit = 1024;

const slotLists = new WeakMap<FieldClass, readonly number[]>();

/** The slots that a tree's fields set. */
export function slotsOf(fc: FieldClass): readonly number[] {
  let slots = slotLists.get(fc);
  if (!slots) {
    const found = new Set<number>();
    collectSlots(fc, found);
    slots = [...found];
    slotLists.set(fc, slots);
  }
  return slots;
}

function collectSlots(fc: FieldClass, found: Set<number>): void {
  if (fc.slot !== undefined) found.add(fc.slot);
  switch (fc.type) {
    case "struct":
      for (const member of fc.members) collectSlots(member.fieldClass, found);
      break;
    case "static-array":
    case "dynamic-array":
      collectSlots(fc.element, found);
      break;
    case "optional":
      collectSlots(fc.fieldClass, found);
      break;
    case "variant":
      for (const option of fc.options) collectSlots(option.fieldClass, found);
      break;
  }
}

/** Whether any field of a tree has an alignment of more than `bits`. `seen`: trees already looked at. */
export function alignsBeyond(fc: FieldClass | undefined, bits: number, seen: Set<FieldClass>): boolean {
  if (fc === undefined || seen.has(fc)) return false;
  if (fc.align > bits) return true;
  switch (fc.type) {
    case "struct":
      seen.add(fc);
      for (const member of fc.members) if (alignsBeyond(member.fieldClass, bits, seen)) return true;
      return false;
    case "static-array":
    case "dynamic-array":
      return alignsBeyond(fc.element, bits, seen);
    case "optional":
      return alignsBeyond(fc.fieldClass, bits, seen);
    case "variant":
      seen.add(fc);
      for (const option of fc.options) if (alignsBeyond(option.fieldClass, bits, seen)) return true;
      return false;
    default:
      return false;
  }
}

const shown = new WeakMap<FieldClass, boolean>();

/**
 * Whether a field is data for people rather than for the decoder. Babeltrace's rule: an integer that is
 * mapped to a clock or has a role is hidden, unless another field depends on it; a structure, array or
 * variant is shown if anything in it is (an empty structure, too).
 */
export function isVisible(fc: FieldClass): boolean {
  let visible = shown.get(fc);
  if (visible === undefined) {
    visible = computeVisible(fc);
    shown.set(fc, visible);
  }
  return visible;
}

function computeVisible(fc: FieldClass): boolean {
  switch (fc.type) {
    case "int":
      return (fc.roles.length === 0 && fc.clock === undefined) || fc.slot !== undefined;
    case "varint":
      return fc.roles.length === 0 || fc.slot !== undefined;
    case "static-blob":
      return fc.roles.length === 0;
    case "struct":
      return fc.members.length === 0 || fc.members.some((m) => isVisible(m.fieldClass));
    case "static-array":
      return fc.roles.length === 0 && isVisible(fc.element);
    case "dynamic-array":
      return isVisible(fc.element);
    case "optional":
      return isVisible(fc.fieldClass);
    case "variant":
      return fc.options.some((o) => isVisible(o.fieldClass));
    default:
      return true;
  }
}

/** The members of a structure that people see. */
export function visibleMembers(fc: StructClass): { index: number; name: string; fieldClass: FieldClass }[] {
  const members: { index: number; name: string; fieldClass: FieldClass }[] = [];
  fc.members.forEach((m, index) => {
    if (isVisible(m.fieldClass)) members.push({ index, name: m.name, fieldClass: m.fieldClass });
  });
  return members;
}
