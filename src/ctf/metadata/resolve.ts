/**
 * Resolves references: which field carries a length or selects an option.
 *
 * The readers leave `PendingRef`s in the tree. Here each becomes a `FieldRef` whose slot is also set on the
 * class of the field that it leads to. As classes are shared (by aliases, and by equal text), a class is
 * copied before it gets a slot, and with it the classes on the way to it from the scope's root: this is
 * copy-on-write. `owned` holds the classes that are already copies and occur once.
 *
 * A subtree without references is never visited after `measure` has said so: nearly all of LTTng's events.
 */

import {
  type Dynamic,
  MAX_DEPTH,
  type Mutable,
  type PendingRef,
  type PendingVariant,
  rangesOverlap,
  stripUnderscore,
} from "./field-classes.js";
import type {
  EventRecordClass,
  FieldClass,
  FieldRef,
  FixedIntClass,
  IntRange,
  Mapping,
  OptionalClass,
  Scope,
  StaticArrayClass,
  StructClass,
  StructMember,
  VarIntClass,
  VariantClass,
  VariantOption,
} from "./types.js";
import { optionsByLabel } from "./variant-options.js";

/** More field classes than this in all trees, counted as often as they occur, are refused. */
const MAX_NODES = 1_000_000;

/** Scopes in the order in which they are decoded. */
const SCOPES: readonly Scope[] = [
  "packet-header",
  "packet-context",
  "event-record-header",
  "event-record-common-context",
  "event-record-specific-context",
  "event-record-payload",
];

export interface ResolverOptions {
  readonly language: "tsdl" | "json";
  /** Raises an error about offset `at` of the metadata text. */
  fail(at: number, reason: string): never;
  warn(at: number, text: string): void;
  /** TSDL: structures whose members' names still have their underscores. */
  readonly keptNames: Set<StructClass>;
  /** TSDL: what `env.` refers to. */
  readonly environment: ReadonlyMap<string, string | bigint>;
}

interface Measure {
  /** Field classes in the tree, this one included. */
  readonly nodes: number;
  readonly height: number;
  readonly hasRefs: boolean;
}

const LEAF: Measure = { nodes: 1, height: 1, hasRefs: false };
const DYNAMIC_LEAF: Measure = { nodes: 1, height: 1, hasRefs: true };

/** A structure that is being copied, and how to reach it: indexes of members, options (elements: 0). */
interface Frame {
  readonly struct: StructClass;
  readonly steps: readonly number[];
}

/** Where a root structure is kept, so that a copy can replace it. */
interface Root {
  fieldClass: FieldClass;
}

interface Target {
  readonly scope: Scope;
  readonly steps: readonly number[];
}

type Carrier = FixedIntClass | VarIntClass;

export class Resolver {
  slotCount = 0;
  /** In the order of `SCOPES`. */
  private readonly roots: (Root | undefined)[] = SCOPES.map(() => undefined);
  private readonly owned = new Set<FieldClass>();
  private readonly measures = new Map<FieldClass, Measure>();
  /** Everything with a given slot, to be changed when two slots turn out to be one. */
  private readonly slotUsers: { slot?: number }[][] = [];
  private frames: Frame[] = [];
  private scope: Scope = "packet-header";
  private nodes = 0;

  constructor(private readonly options: ResolverOptions) {}

  /**
   * Makes `struct` the current root of `scope` (undefined: there is none), with its references resolved.
   * Later references may still copy parts of it: take the result from `root` when all is done.
   */
  setRoot(scope: Scope, struct: StructClass | undefined, at: number): void {
    // What comes later is another record's or stream's, to which nothing may refer.
    this.roots.fill(undefined, SCOPES.indexOf(scope));
    if (struct === undefined) return;
    const measure = this.measure(struct, 1, at);
    this.nodes += measure.nodes;
    if (this.nodes > MAX_NODES) this.failTooLarge(at);
    const root: Root = { fieldClass: struct };
    this.roots[SCOPES.indexOf(scope)] = root;
    if (!measure.hasRefs) return;
    this.scope = scope;
    this.frames = [];
    this.build(struct, [], (copy) => {
      root.fieldClass = copy;
    });
  }

  /** Resolves the references in an event record class, in place. */
  resolveRecord(record: Mutable<EventRecordClass>, at: number): void {
    const { specificContext, payload } = record;
    if (specificContext === undefined && payload !== undefined && isFlat(payload)) {
      this.nodes += payload.members.length + 1;
      if (this.nodes > MAX_NODES) this.failTooLarge(at);
      return;
    }
    this.setRoot("event-record-specific-context", specificContext, at);
    this.setRoot("event-record-payload", payload, at);
    record.specificContext = this.root("event-record-specific-context");
    record.payload = this.root("event-record-payload");
  }

  /** Bounds the size and depth of a tree, for those who walk it before it becomes a root. */
  check(struct: StructClass | undefined, at: number): void {
    if (struct !== undefined) this.measure(struct, 1, at);
  }

  root(scope: Scope): StructClass | undefined {
    return this.roots[SCOPES.indexOf(scope)]?.fieldClass as StructClass | undefined;
  }

  private failTooLarge(at: number): never {
    this.options.fail(at, `found more than ${MAX_NODES} field classes, the limit`);
  }

  /** Counts the classes of a tree, and bounds the count and the depth before anything copies or recurses. */
  private measure(fieldClass: FieldClass, level: number, at: number): Measure {
    switch (fieldClass.type) {
      case "struct":
      case "variant":
      case "static-array":
      case "dynamic-array":
      case "optional":
        break;
      case "dynamic-string":
      case "dynamic-blob":
        return DYNAMIC_LEAF;
      default:
        return LEAF;
    }
    let measure = this.measures.get(fieldClass);
    if (level + (measure?.height ?? 1) > MAX_DEPTH + 1) {
      this.options.fail(at, `found field classes nested more than ${MAX_DEPTH} deep, the limit`);
    }
    if (measure !== undefined) return measure;
    const children = childrenOf(fieldClass);
    let nodes = 1;
    let height = 0;
    let hasRefs = fieldClass.type !== "struct" && fieldClass.type !== "static-array";
    for (let i = 0; i < children.length; i++) {
      const inner = this.measure(children[i]!.fieldClass, level + 1, at);
      nodes += inner.nodes;
      if (inner.height > height) height = inner.height;
      if (inner.hasRefs) hasRefs = true;
    }
    if (nodes > MAX_NODES) this.failTooLarge(at);
    measure = { nodes, height: height + 1, hasRefs };
    this.measures.set(fieldClass, measure);
    return measure;
  }

  private hasRefs(fieldClass: FieldClass): boolean {
    const measure = this.measures.get(fieldClass);
    if (measure !== undefined) return measure.hasRefs;
    return fieldClass.type === "dynamic-string" || fieldClass.type === "dynamic-blob";
  }

  /**
   * Copies `fieldClass` with its references resolved. `place` puts the copy into its parent; that happens
   * before the inside is copied, so that references from there find what comes before them.
   */
  private build(fieldClass: FieldClass, steps: readonly number[], place: (copy: FieldClass) => void): void {
    switch (fieldClass.type) {
      case "struct":
        this.buildStruct(fieldClass, steps, place);
        break;
      case "static-array":
        this.buildStaticArray(fieldClass, steps, place);
        break;
      case "dynamic-array":
      case "dynamic-string":
      case "dynamic-blob":
        this.buildDynamic(fieldClass, steps, place);
        break;
      case "optional":
        this.buildOptional(fieldClass, steps, place);
        break;
      case "variant":
        this.buildVariant(fieldClass, steps, place);
    }
  }

  private own(copy: FieldClass, place: (copy: FieldClass) => void): void {
    this.owned.add(copy);
    place(copy);
  }

  private buildStruct(
    struct: StructClass,
    steps: readonly number[],
    place: (copy: FieldClass) => void,
  ): void {
    const members: StructMember[] = [];
    const copy: StructClass = { ...struct, members };
    this.own(copy, place);
    if (this.options.keptNames.has(struct)) this.options.keptNames.add(copy);
    this.frames.push({ struct: copy, steps });
    for (const { name, fieldClass } of struct.members) {
      const member: StructMember = { name, fieldClass };
      members.push(member);
      if (!this.hasRefs(fieldClass)) continue;
      this.build(fieldClass, [...steps, members.length - 1], (inner) => {
        member.fieldClass = inner;
      });
    }
    this.frames.pop();
  }

  private buildStaticArray(
    array: StaticArrayClass,
    steps: readonly number[],
    place: (copy: FieldClass) => void,
  ): void {
    const copy = { ...array };
    this.own(copy, place);
    this.buildElement(copy, steps);
  }

  private buildElement(array: { element: FieldClass }, steps: readonly number[]): void {
    if (!this.hasRefs(array.element)) return;
    this.build(array.element, [...steps, 0], (inner) => {
      array.element = inner;
    });
  }

  private buildDynamic(dynamic: Dynamic, steps: readonly number[], place: (copy: FieldClass) => void): void {
    const pending = dynamic.length as PendingRef;
    if (pending.origin === "environment") {
      const copy = this.constantLength(dynamic, pending);
      this.own(copy, place);
      if (copy.type === "static-array") this.buildElement(copy, steps);
      return;
    }
    const { ref } = this.resolve(pending, "length");
    const copy = { ...dynamic, length: ref };
    this.own(copy, place);
    if (copy.type === "dynamic-array") this.buildElement(copy, steps);
  }

  /** `env.NAME` as a length is a constant. */
  private constantLength(dynamic: Dynamic, pending: PendingRef): FieldClass {
    const value = pending.path.length === 1 ? this.options.environment.get(pending.path[0]!) : undefined;
    if (typeof value !== "bigint" || value < 0n || value > 0xffffffffn) {
      const found = value === undefined ? "no such entry" : JSON.stringify(String(value).slice(0, 40));
      this.options.fail(pending.at, `found ${found} for "${pending.text}", expected an integer as length`);
    }
    const length = Number(value);
    if (dynamic.type === "dynamic-array") {
      return { type: "static-array", align: dynamic.align, length, element: dynamic.element, roles: [] };
    }
    if (dynamic.type === "dynamic-string") {
      return { type: "static-string", align: dynamic.align, encoding: dynamic.encoding, length };
    }
    return { type: "static-blob", align: dynamic.align, length, mediaType: dynamic.mediaType, roles: [] };
  }

  private buildOptional(
    optional: OptionalClass,
    steps: readonly number[],
    place: (copy: FieldClass) => void,
  ): void {
    const pending = optional.selector as PendingRef;
    const { ref, target } = this.resolve(pending, "selector");
    const isBoolean = target.type === "int" && target.form === "boolean";
    if (isBoolean && optional.ranges !== undefined) {
      this.options.fail(pending.at, "found ranges for a boolean selector, expected none");
    }
    if (!isBoolean && optional.ranges === undefined) {
      this.options.fail(
        pending.at,
        "found an integer selector without ranges, expected selector-field-ranges",
      );
    }
    this.checkRanges(optional.ranges ?? [], target, pending.at);
    const copy: OptionalClass = { ...optional, selector: ref };
    this.own(copy, place);
    if (!this.hasRefs(copy.fieldClass)) return;
    this.build(copy.fieldClass, [...steps, 0], (inner) => {
      copy.fieldClass = inner;
    });
  }

  private buildVariant(
    variant: VariantClass,
    steps: readonly number[],
    place: (copy: FieldClass) => void,
  ): void {
    const pending = variant.selector as PendingRef;
    const { ref, target } = this.resolve(pending, "selector");
    const options: VariantOption[] = [];
    const ranges =
      this.options.language === "tsdl" ? this.labelRanges(variant as PendingVariant, target) : undefined;
    const copy: VariantClass = { type: "variant", align: variant.align, selector: ref, options };
    this.own(copy, place);
    variant.options.forEach((option, i) => {
      const own = { name: option.name, ranges: ranges?.[i] ?? option.ranges, fieldClass: option.fieldClass };
      this.checkRanges(own.ranges, target, pending.at);
      options.push(own);
      if (!this.hasRefs(own.fieldClass)) return;
      this.build(own.fieldClass, [...steps, i], (inner) => {
        own.fieldClass = inner;
      });
    });
  }

  /** TSDL: an option is selected by the values of the label that has its name. */
  private labelRanges(variant: PendingVariant, target: Carrier): readonly (readonly IntRange[])[] {
    const ranges = optionsByLabel(variant.labels, target.mappings as readonly Mapping[]);
    ranges.forEach((own, i) => {
      if (own.length === 0) {
        this.options.warn(
          variant.at,
          `option "${variant.labels[i]}" is never selected: there is no such label`,
        );
      }
    });
    return ranges;
  }

  /** Ranges must be values that the selector can have: of a boolean, 0 and 1. */
  private checkRanges(ranges: readonly IntRange[], target: Carrier, at: number): void {
    if (this.options.language === "tsdl") return;
    for (const range of ranges) {
      if (range.lower < 0n && !target.signed) {
        this.options.fail(at, `found range from ${range.lower}, expected no negative value: it is unsigned`);
      }
    }
  }

  /** Finds what `pending` refers to, and gives it a slot. */
  private resolve(pending: PendingRef, use: "length" | "selector"): { ref: FieldRef; target: Carrier } {
    const targets = this.find(pending);
    if (targets.length === 0) {
      const where = pending.origin === undefined ? "a field before this one" : `a field of ${pending.origin}`;
      this.options.fail(pending.at, `found ${use} "${pending.text}", expected the name of ${where}`);
    }
    const carriers = targets.map((target) => this.ownTarget(target, pending, use));
    const first = carriers[0]!;
    const ref: Mutable<FieldRef> = {
      text: pending.text,
      scope: targets[0]!.scope,
      slot: this.shareSlot(carriers),
      signed: first.signed,
    };
    this.slotUsers[ref.slot]!.push(ref);
    return { ref, target: first };
  }

  /** The target's class, copied if it is shared, after checking that it is of the right kind. */
  private ownTarget(target: Target, pending: PendingRef, use: "length" | "selector"): Carrier {
    const root = this.roots[SCOPES.indexOf(target.scope)]!;
    const found = this.classAt(root.fieldClass, target.steps);
    const reason = this.unsuitable(found, use);
    if (reason !== undefined) {
      this.options.fail(pending.at, `found ${use} "${pending.text}", ${describe(found)}, expected ${reason}`);
    }
    if (root.fieldClass !== found) root.fieldClass = this.ownClass(root.fieldClass);
    let current = root.fieldClass;
    for (const step of target.steps) current = this.ownChild(current, step);
    return current as Carrier;
  }

  /** What was expected, if `found` cannot be used. */
  private unsuitable(found: FieldClass, use: "length" | "selector"): string | undefined {
    const isInt = (found.type === "int" && found.form === "integer") || found.type === "varint";
    if (use === "length") {
      return isInt && !(found as Carrier).signed ? undefined : "an unsigned integer";
    }
    if (this.options.language === "tsdl") {
      return isInt && (found as Carrier).mappings !== undefined ? undefined : "an enumeration";
    }
    return isInt || (found.type === "int" && found.form === "boolean") ? undefined : "an integer or boolean";
  }

  private classAt(root: FieldClass, steps: readonly number[]): FieldClass {
    let current = root;
    for (const step of steps) current = childrenOf(current)[step]!.fieldClass;
    return current;
  }

  private ownClass(fieldClass: FieldClass): FieldClass {
    if (this.owned.has(fieldClass)) return fieldClass;
    let copy: FieldClass;
    if (fieldClass.type === "struct") {
      const struct = { ...fieldClass, members: fieldClass.members.map((member) => ({ ...member })) };
      if (this.options.keptNames.has(fieldClass)) this.options.keptNames.add(struct);
      copy = struct;
    } else if (fieldClass.type === "variant") {
      copy = { ...fieldClass, options: fieldClass.options.map((option) => ({ ...option })) };
    } else {
      copy = { ...fieldClass };
    }
    this.owned.add(copy);
    return copy;
  }

  /** Makes the child number `step` of an owned class an owned one. */
  private ownChild(parent: FieldClass, step: number): FieldClass {
    switch (parent.type) {
      case "struct": {
        const member = parent.members[step]!;
        return (member.fieldClass = this.ownClass(member.fieldClass));
      }
      case "variant": {
        const option = parent.options[step]!;
        return (option.fieldClass = this.ownClass(option.fieldClass));
      }
      case "optional":
        return (parent.fieldClass = this.ownClass(parent.fieldClass));
      case "static-array":
      case "dynamic-array":
        return (parent.element = this.ownClass(parent.element));
    }
    throw new Error(`no field class inside ${parent.type}`);
  }

  /** Gives all `carriers` one slot, and everything that had another one of theirs. */
  private shareSlot(carriers: readonly Carrier[]): number {
    let slot = carriers.find((carrier) => carrier.slot !== undefined)?.slot;
    if (slot === undefined) {
      slot = this.slotCount++;
      this.slotUsers.push([]);
    }
    const users = this.slotUsers[slot]!;
    for (const carrier of carriers) {
      if (carrier.slot === slot) continue;
      if (carrier.slot === undefined) {
        carrier.slot = slot;
        users.push(carrier);
        continue;
      }
      for (const user of this.slotUsers[carrier.slot]!.splice(0)) {
        user.slot = slot;
        users.push(user);
      }
    }
    return slot;
  }

  /** The fields that a reference leads to: one, or for CTF 2 perhaps several in options of a variant. */
  private find(pending: PendingRef): Target[] {
    const origin = pending.origin;
    if (origin !== undefined && origin !== "environment") {
      const root = this.roots[SCOPES.indexOf(origin)];
      return root === undefined ? [] : this.follow(origin, root.fieldClass, [], pending, 0);
    }
    return this.options.language === "tsdl" ? this.findOutward(pending) : this.findRelative(pending);
  }

  /** TSDL: the innermost structure that has the name, else the scopes before this one, last one first. */
  private findOutward(pending: PendingRef): Target[] {
    for (let i = this.frames.length - 1; i >= 0; i--) {
      const frame = this.frames[i]!;
      // The last member is the one being copied: what refers, or what it is in.
      const last = frame.struct.members.length - 1;
      const found = this.follow(this.scope, frame.struct, frame.steps, pending, 0, last);
      if (found.length > 0) return found;
    }
    for (let i = SCOPES.indexOf(this.scope) - 1; i >= 0; i--) {
      const root = this.roots[i];
      const found = root === undefined ? [] : this.follow(SCOPES[i]!, root.fieldClass, [], pending, 0);
      if (found.length > 0) return found;
    }
    return [];
  }

  /** CTF 2: from the structure that the field is in; each null goes to the one around it. */
  private findRelative(pending: PendingRef): Target[] {
    let up = 0;
    while (pending.path[up] === null) up++;
    const frame = this.frames[this.frames.length - 1 - up];
    if (frame === undefined) {
      this.options.fail(
        pending.at,
        `found "${pending.text}", expected fewer steps up: there is nothing above`,
      );
    }
    return this.follow(this.scope, frame.struct, frame.steps, pending, up);
  }

  /** Follows the names of `pending` from number `from` on, starting inside `fieldClass`. */
  private follow(
    scope: Scope,
    fieldClass: FieldClass,
    steps: readonly number[],
    pending: PendingRef,
    from: number,
    memberLimit?: number,
  ): Target[] {
    const name = pending.path[from];
    switch (fieldClass.type) {
      case "struct": {
        if (typeof name !== "string") break;
        const index = this.memberIndex(fieldClass, name);
        if (index < 0 || (memberLimit !== undefined && index >= memberLimit)) return [];
        const member = fieldClass.members[index]!.fieldClass;
        return this.follow(scope, member, [...steps, index], pending, from + 1);
      }
      case "variant":
        return this.followVariant(scope, fieldClass, steps, pending, from);
      case "optional":
        if (this.options.language === "tsdl") break;
        return this.follow(scope, fieldClass.fieldClass, [...steps, 0], pending, from);
      case "static-array":
      case "dynamic-array":
        if (this.options.language === "tsdl" || name === undefined) break;
        return this.follow(scope, fieldClass.element, [...steps, 0], pending, from);
    }
    return name === undefined ? [{ scope, steps }] : [];
  }

  /** TSDL names an option like a member; CTF 2 looks into every option. */
  private followVariant(
    scope: Scope,
    variant: VariantClass,
    steps: readonly number[],
    pending: PendingRef,
    from: number,
  ): Target[] {
    if (this.options.language === "json") {
      return variant.options.flatMap((option, i) =>
        this.follow(scope, option.fieldClass, [...steps, i], pending, from),
      );
    }
    const name = pending.path[from];
    if (typeof name !== "string") return [{ scope, steps }];
    let index = variant.options.findIndex((option) => option.name === stripUnderscore(name));
    if (index < 0) index = variant.options.findIndex((option) => option.name === name);
    if (index < 0) return [];
    return this.follow(scope, variant.options[index]!.fieldClass, [...steps, index], pending, from + 1);
  }

  private memberIndex(struct: StructClass, name: string): number {
    const isStripped = this.options.language === "tsdl" && !this.options.keptNames.has(struct);
    const wanted = isStripped ? stripUnderscore(name) : name;
    return struct.members.findIndex((member) => member.name === wanted);
  }
}

/** Whether there is nothing but numbers and strings in `struct`: so for nearly all events. */
function isFlat(struct: StructClass): boolean {
  const { members } = struct;
  for (let i = 0; i < members.length; i++) {
    const { type } = members[i]!.fieldClass;
    if (type !== "int" && type !== "string" && type !== "float" && type !== "static-string") return false;
  }
  return true;
}

/** The holders of the classes directly inside `fieldClass`, in the order that steps count. */
function childrenOf(fieldClass: FieldClass): readonly { readonly fieldClass: FieldClass }[] {
  switch (fieldClass.type) {
    case "struct":
      return fieldClass.members;
    case "variant":
      return fieldClass.options;
    case "optional":
      return [fieldClass];
    case "static-array":
    case "dynamic-array":
      return [{ fieldClass: fieldClass.element }];
  }
  return [];
}

function describe(fieldClass: FieldClass): string {
  switch (fieldClass.type) {
    case "int":
    case "varint": {
      if (fieldClass.type === "int" && fieldClass.form !== "integer") return `a ${fieldClass.form}`;
      const sign = fieldClass.signed ? "a signed" : "an unsigned";
      return `${sign} ${fieldClass.mappings === undefined ? "integer" : "enumeration"}`;
    }
    case "struct":
      return "a structure";
    case "static-array":
    case "dynamic-array":
      return "an array";
    case "optional":
      return "an optional field";
    case "float":
      return "a floating point number";
  }
  return `a ${fieldClass.type.replace("-", " ")}`;
}

/** The first two ranges of different `groups` that have a value in common. */
export function findOverlap(
  groups: readonly (readonly IntRange[])[],
): readonly [IntRange, IntRange] | undefined {
  const all = groups.flatMap((ranges, group) => ranges.map((range) => ({ range, group })));
  all.sort((a, b) => (a.range.lower < b.range.lower ? -1 : a.range.lower > b.range.lower ? 1 : 0));
  for (let i = 1; i < all.length; i++) {
    const before = all[i - 1]!.range;
    const here = all[i]!.range;
    if (rangesOverlap(before, here)) return [before, here];
  }
  return undefined;
}
