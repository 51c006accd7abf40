/**
 * Roles of CTF 1.8 fields: where CTF 2 has roles, TSDL has names (`timestamp_begin`, `packet_size`, `id`).
 *
 * A structure may be used in several places (`struct packet_context` of several streams), so classes that
 * get a role are copied, and what they are in.
 */

import type {
  ClockClass,
  FieldClass,
  FixedIntClass,
  Role,
  Scope,
  StaticArrayClass,
  StructClass,
} from "./types.js";

type RoleScope = Extract<Scope, "packet-header" | "packet-context" | "event-record-header">;

/** Roles by name that have nothing to do with a clock. */
const ROLES: Record<RoleScope, ReadonlyMap<string, Role>> = {
  "packet-header": new Map([
    ["magic", "packet-magic-number"],
    ["stream_id", "data-stream-class-id"],
    ["stream_instance_id", "data-stream-id"],
  ]),
  "packet-context": new Map([
    ["packet_size", "packet-total-length"],
    ["content_size", "packet-content-length"],
    ["events_discarded", "discarded-event-record-counter-snapshot"],
    ["packet_seq_num", "packet-sequence-number"],
  ]),
  "event-record-header": new Map([["id", "event-record-class-id"]]),
};

/** Integers by these names have the value of the only clock, even if they do not say so. */
const TIMESTAMPS: Record<RoleScope, readonly string[]> = {
  "packet-header": [],
  "packet-context": ["timestamp_begin", "timestamp_end"],
  "event-record-header": ["timestamp"],
};

export interface RoleContext {
  /** The clock of an integer that is called like a timestamp but mapped to none. */
  impliedClock(name: string): ClockClass | undefined;
  /** Structures whose names are as written; a copy of one is one, too. */
  readonly keptNames: Set<StructClass>;
  /** Raises an error about the block that is being worked on. */
  fail(reason: string): never;
}

/** `struct` with the roles of its members set, at any depth. */
export function withRoles<T extends StructClass | undefined>(
  struct: T,
  scope: RoleScope,
  context: RoleContext,
): T {
  if (struct === undefined) return struct;
  if (scope === "packet-header") checkMagic(struct, context);
  return new RoleSetter(scope, context).inside(struct) as T;
}

/** The magic number says that this is a packet: it is useless elsewhere than at its start. */
function checkMagic(header: StructClass, context: RoleContext): void {
  const index = header.members.findIndex((member) => member.name === "magic");
  if (index < 0) return;
  const magic = header.members[index]!.fieldClass;
  if (index > 0) context.fail('found field "magic" after others, expected it first in the packet header');
  if (magic.type !== "int" || magic.signed || magic.size !== 32) {
    context.fail('found field "magic" of another type, expected an unsigned integer of 32 bits');
  }
}

class RoleSetter {
  constructor(
    private readonly scope: RoleScope,
    private readonly context: RoleContext,
  ) {}

  /** `fieldClass`, called `name`, with its roles: the same object if it has none. */
  private apply(fieldClass: FieldClass, name: string): FieldClass {
    switch (fieldClass.type) {
      case "int":
        return this.integer(fieldClass, name);
      case "struct":
      case "variant":
        return this.inside(fieldClass);
      case "static-array":
        return this.scope === "packet-header" && name === "uuid" ? this.uuid(fieldClass) : fieldClass;
    }
    return fieldClass;
  }

  /** A structure or variant with the roles of what is in it. */
  inside(fieldClass: FieldClass): FieldClass {
    if (fieldClass.type === "struct") {
      const members = this.each(fieldClass.members);
      if (members === fieldClass.members) return fieldClass;
      const copy: StructClass = { ...fieldClass, members };
      if (this.context.keptNames.has(fieldClass)) this.context.keptNames.add(copy);
      return copy;
    }
    if (fieldClass.type === "variant") {
      const options = this.each(fieldClass.options);
      return options === fieldClass.options ? fieldClass : { ...fieldClass, options };
    }
    return fieldClass;
  }

  private each<T extends { readonly name?: string; fieldClass: FieldClass }>(
    parts: readonly T[],
  ): readonly T[] {
    let copy: T[] | undefined;
    parts.forEach((part, i) => {
      const fieldClass = this.apply(part.fieldClass, part.name ?? "");
      if (fieldClass === part.fieldClass) return;
      copy ??= parts.slice();
      copy[i] = { ...part, fieldClass };
    });
    return copy ?? parts;
  }

  private integer(int: FixedIntClass, name: string): FixedIntClass {
    const roles: Role[] = [];
    const named = ROLES[this.scope].get(name);
    if (named !== undefined) roles.push(named);
    const clock = this.clockOf(int, name);
    if (clock !== undefined) {
      const isEnd = this.scope === "packet-context" && name === "timestamp_end";
      roles.push(isEnd ? "packet-end-default-clock-timestamp" : "default-clock-timestamp");
    }
    if (roles.length === 0) return int;
    if (int.signed) {
      this.context.fail(`found field "${name}", a signed integer, expected an unsigned integer`);
    }
    return { ...int, roles, clock: clock ?? int.clock };
  }

  private clockOf(int: FixedIntClass, name: string): ClockClass | undefined {
    // Packet headers belong to no stream yet, so there is no clock that they could have a value of.
    if (this.scope === "packet-header") return undefined;
    if (int.clock !== undefined) return int.clock;
    return TIMESTAMPS[this.scope].includes(name) ? this.context.impliedClock(name) : undefined;
  }

  private uuid(array: StaticArrayClass): StaticArrayClass {
    const element = array.element;
    if (array.length !== 16 || element.type !== "int" || element.size !== 8 || element.signed) {
      this.context.fail('found field "uuid" of another type, expected 16 unsigned integers of 8 bits');
    }
    return { ...array, roles: ["metadata-stream-uuid"] };
  }
}

/** Adds the clocks that integers in `fieldClass` are mapped to. */
export function collectClocks(fieldClass: FieldClass | undefined, clocks: Set<ClockClass>): void {
  switch (fieldClass?.type) {
    case "int":
      if (fieldClass.clock !== undefined) clocks.add(fieldClass.clock);
      return;
    case "struct":
      for (const member of fieldClass.members) collectClocks(member.fieldClass, clocks);
      return;
    case "variant":
      for (const option of fieldClass.options) collectClocks(option.fieldClass, clocks);
      return;
    case "static-array":
    case "dynamic-array":
      collectClocks(fieldClass.element, clocks);
  }
}
