/** Checks of CTF 2 roles: each has a meaning in certain scopes only. */

import type { FieldClass, Role, Scope, StructClass } from "./types.js";

const SCOPES_OF_ROLES: Record<Role, readonly Scope[]> = {
  "packet-magic-number": ["packet-header"],
  "metadata-stream-uuid": ["packet-header"],
  "data-stream-class-id": ["packet-header"],
  "data-stream-id": ["packet-header"],
  "packet-total-length": ["packet-context"],
  "packet-content-length": ["packet-context"],
  "default-clock-timestamp": ["packet-context", "event-record-header"],
  "packet-end-default-clock-timestamp": ["packet-context"],
  "discarded-event-record-counter-snapshot": ["packet-context"],
  "packet-sequence-number": ["packet-context"],
  "event-record-class-id": ["event-record-header"],
};

/** Checks that every role in `struct` may be in `scope`. */
export function checkRoles(struct: StructClass, scope: Scope, fail: (reason: string) => never): void {
  for (const fieldClass of allClasses(struct)) {
    for (const role of rolesOf(fieldClass)) {
      if (!SCOPES_OF_ROLES[role].includes(scope)) {
        fail(
          `found role "${role}" in the ${scope}, expected it in the ${SCOPES_OF_ROLES[role].join(" or ")}`,
        );
      }
      if (role === "packet-magic-number") checkMagic(struct, fieldClass, fail);
    }
  }
}

/** The magic number says that this is a packet: it is useless elsewhere than at its start. */
function checkMagic(header: StructClass, magic: FieldClass, fail: (reason: string) => never): void {
  if (header.members[0]?.fieldClass !== magic || magic.type !== "int" || magic.size !== 32) {
    fail(
      'found role "packet-magic-number" elsewhere, expected it for the first member, an integer of 32 bits',
    );
  }
}

/** Whether some field of `struct` has `role`. */
export function hasRole(struct: StructClass | undefined, role: Role): boolean {
  if (struct === undefined) return false;
  for (const fieldClass of allClasses(struct)) {
    if (rolesOf(fieldClass).includes(role)) return true;
  }
  return false;
}

function rolesOf(fieldClass: FieldClass): readonly Role[] {
  return "roles" in fieldClass ? fieldClass.roles : [];
}

/** Every class in the tree of `root`, each once however often it is used. */
function allClasses(root: FieldClass): ReadonlySet<FieldClass> {
  const found = new Set<FieldClass>([root]);
  // A set's iteration also visits what is added meanwhile.
  for (const fieldClass of found) {
    switch (fieldClass.type) {
      case "struct":
        for (const member of fieldClass.members) found.add(member.fieldClass);
        break;
      case "variant":
        for (const option of fieldClass.options) found.add(option.fieldClass);
        break;
      case "optional":
        found.add(fieldClass.fieldClass);
        break;
      case "static-array":
      case "dynamic-array":
        found.add(fieldClass.element);
    }
  }
  return found;
}
