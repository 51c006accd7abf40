/** Declaration scopes of TSDL: every block has one; inner declarations hide outer ones. */

import type { FieldClass } from "./types.js";

/** The four kinds of names; `type` is for typedef and typealias. */
export type NameKind = "type" | "struct" | "variant" | "enum";

export class TsdlScope {
  /** Created by the first declaration: most blocks (events, structures) declare nothing. */
  private names: Map<string, FieldClass> | undefined;

  constructor(
    readonly parent: TsdlScope | undefined,
    /** How many blocks are around it. */
    readonly depth: number,
  ) {}

  /** Declares `name`; false if this scope has it already. */
  declare(kind: NameKind, name: string, fieldClass: FieldClass): boolean {
    this.names ??= new Map();
    const key = keyOf(kind, name);
    if (this.names.has(key)) return false;
    this.names.set(key, fieldClass);
    return true;
  }

  /** What `name` stands for here. */
  find(kind: NameKind, name: string): FieldClass | undefined {
    const key = keyOf(kind, name);
    for (let scope: TsdlScope | undefined = this; scope !== undefined; scope = scope.parent) {
      const found = scope.names?.get(key);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

/** Type names have no prefix, as they are looked up the most; a colon cannot occur in a name. */
function keyOf(kind: NameKind, name: string): string {
  return kind === "type" ? name : `${kind}:${name}`;
}
