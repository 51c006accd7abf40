/**
 * Generated storing of requested fields into subscriptions' records, and generated reading of everything.
 */
import type { FieldClass, FixedIntClass, FloatClass, StructClass, VarIntClass } from "../metadata/types.js";
import type { Action, Generator, IntSource } from "./generator.js";
import { skipAction } from "./generator.js";
import { LabelCache } from "./labels.js";

/** A leaf (or, for `value`, any field) wanted by a subscription. */
export interface Want {
  /** Expression of the record object (a constant of the function). */
  readonly record: string;
  /** Property of the record. */
  readonly property: string;
  readonly kind: "number" | "address" | "string" | "value";
}

/** Wants below one field, by the rest of their path (variants and optional fields are transparent). */
export interface WantTree {
  readonly here: Want[];
  readonly below: Map<string, WantTree>;
}

export function wantTree(): WantTree {
  return { here: [], below: new Map() };
}

export function addWant(tree: WantTree, path: readonly string[], want: Want): void {
  let node = tree;
  for (const name of path) {
    let next = node.below.get(name);
    if (!next) {
      next = wantTree();
      node.below.set(name, next);
    }
    node = next;
  }
  node.here.push(want);
}

/** Stores scalars into records; whole values (arrays, structures) through `ValueAction`. */
export class RecordAction implements Action {
  constructor(
    private readonly g: Generator,
    private readonly tree: WantTree,
  ) {}

  get wanted(): boolean {
    return this.tree.here.length > 0 || this.tree.below.size > 0;
  }

  /** The action for a field with these wants: a plain store, or the building of a value. */
  static of(g: Generator, tree: WantTree | undefined, fc: FieldClass): Action {
    if (!tree) return skipAction;
    const values = isScalar(fc) ? [] : tree.here.filter((want) => want.kind === "value");
    if (values.length === 0) return new RecordAction(g, tree);
    const whole = new ValueAction(g, (value) => {
      for (const want of values) store(g, want, value);
    });
    const rest = { here: tree.here.filter((want) => want.kind !== "value"), below: tree.below };
    return bothActions(whole, new RecordAction(g, rest));
  }

  int(fc: FixedIntClass | VarIntClass, value: IntSource): void {
    for (const want of this.tree.here) {
      if (want.kind === "string") store(this.g, want, this.#label(fc, value));
      else if (want.kind === "value") store(this.g, want, plainInt(fc, value));
      else if ("small" in value) store(this.g, want, value.small);
      else {
        const hi = want.kind === "address" ? `(${value.hi} | 0)` : value.hi;
        store(this.g, want, `${hi} * 4294967296 + ${value.lo}`);
      }
    }
  }

  #label(fc: FixedIntClass | VarIntClass, value: IntSource): string {
    const exact = "small" in value ? value.small : `K.exactValue(${value.lo}, ${value.hi})`;
    if (!fc.mappings) return `String(${exact})`;
    const cache = new LabelCache(fc.mappings, (labels) => labels[0] ?? "");
    return `${this.g.constant(cache)}.get(${exact})`;
  }

  float(_fc: FloatClass, value: string): void {
    for (const want of this.tree.here) {
      store(this.g, want, want.kind === "string" ? `String(${value})` : value);
    }
  }

  text(fc: FieldClass, start: string, length: string): void {
    for (const want of this.tree.here) {
      if (want.kind === "string" || want.kind === "value") {
        store(this.g, want, textSource(this.g, fc, start, length));
      }
    }
  }

  text16(_fc: FieldClass, start: string): void {
    for (const want of this.tree.here) {
      if (want.kind === "string" || want.kind === "value") {
        store(this.g, want, `I.intern16(u8, dv, ${start})`);
      }
    }
  }

  blob(_fc: FieldClass, start: string, length: string): void {
    for (const want of this.tree.here) {
      if (want.kind === "value") store(this.g, want, `u8.slice(${start}, ${start} + ${length})`);
    }
  }

  structBegin(): void {}

  member(fc: StructClass, index: number): Action {
    const member = fc.members[index]!;
    return RecordAction.of(this.g, this.tree.below.get(member.name), member.fieldClass);
  }

  structEnd(): void {}
  arrayBegin(): void {}
  element(): Action {
    return skipAction;
  }
  arrayEnd(): void {}

  optionBegin(fc: FieldClass, index: number): Action {
    const option = fc.type === "variant" ? fc.options[index]!.fieldClass : fc;
    return RecordAction.of(this.g, this.tree, option);
  }

  optionEnd(): void {}

  optionalBegin(fc: FieldClass): Action {
    return RecordAction.of(this.g, this.tree, fc.type === "optional" ? fc.fieldClass : fc);
  }

  optionalEnd(): void {}
  optionalAbsent(): void {}
  barrier(): void {}
}

function store(g: Generator, want: Want, value: string): void {
  g.line(`${want.record}[${JSON.stringify(want.property)}] = ${value};`);
}

function isScalar(fc: FieldClass): boolean {
  switch (fc.type) {
    case "struct":
    case "static-array":
    case "dynamic-array":
    case "variant":
    case "optional":
      return false;
    default:
      return true;
  }
}

function plainInt(fc: FixedIntClass | VarIntClass, value: IntSource): string {
  const exact = "small" in value ? value.small : `K.exactValue(${value.lo}, ${value.hi})`;
  return fc.type === "int" && fc.form === "boolean" ? `(${exact}) != 0` : exact;
}

function textSource(g: Generator, fc: FieldClass, start: string, length: string): string {
  const encoding = "encoding" in fc && fc.encoding ? fc.encoding : "utf-8";
  if (encoding === "utf-8") return `I.intern(u8, ${start}, ${length})`;
  return `K.wideText(u8, ${start}, ${length}, ${g.constant(encoding)})`;
}

/** Builds a plain value: numbers (bigint where a number is not exact), strings, arrays, objects. */
export class ValueAction implements Action {
  readonly wanted = true;

  constructor(
    private readonly g: Generator,
    /** Emits what is done with the value's expression. */
    private readonly use: (value: string) => void,
  ) {}

  int(fc: FixedIntClass | VarIntClass, value: IntSource): void {
    this.use(plainInt(fc, value));
  }

  float(_fc: FloatClass, value: string): void {
    this.use(value);
  }

  text(fc: FieldClass, start: string, length: string): void {
    this.use(textSource(this.g, fc, start, length));
  }

  blob(_fc: FieldClass, start: string, length: string): void {
    this.use(`u8.slice(${start}, ${start} + ${length})`);
  }

  #made: string[] = [];

  structBegin(): void {
    const name = this.g.name("y");
    this.g.line(`const ${name} = {};`);
    this.#made.push(name);
  }

  member(fc: StructClass, index: number): Action {
    const name = this.#made.at(-1)!;
    const key = this.g.constant(fc.members[index]!.name);
    return new ValueAction(this.g, (value) => this.g.line(`K.setMember(${name}, ${key}, ${value});`));
  }

  structEnd(): void {
    this.use(this.#made.pop()!);
  }

  arrayBegin(): void {
    const name = this.g.name("y");
    this.g.line(`const ${name} = [];`);
    this.#made.push(name);
  }

  element(): Action {
    const name = this.#made.at(-1)!;
    return new ValueAction(this.g, (value) => this.g.line(`${name}.push(${value});`));
  }

  arrayEnd(): void {
    this.use(this.#made.pop()!);
  }

  optionBegin(): Action {
    return new ValueAction(this.g, this.use);
  }

  optionEnd(): void {}

  optionalBegin(): Action {
    return new ValueAction(this.g, this.use);
  }

  optionalEnd(): void {}

  optionalAbsent(): void {
    this.use("undefined");
  }

  barrier(): void {}
}

/** Two actions on the same fields: a whole value, and fields inside it. */
function bothActions(a: Action, b: Action): Action {
  if (!a.wanted) return b;
  if (!b.wanted) return a;
  const each = (use: (action: Action) => void): void => {
    use(a);
    use(b);
  };
  return {
    wanted: true,
    int: (fc, value) => each((action) => action.int(fc, value)),
    float: (fc, value) => each((action) => action.float(fc, value)),
    text: (fc, start, length) => each((action) => action.text(fc, start, length)),
    blob: (fc, start, length) => each((action) => action.blob(fc, start, length)),
    structBegin: (fc) => each((action) => action.structBegin(fc)),
    member: (fc, index) => bothActions(a.member(fc, index), b.member(fc, index)),
    structEnd: (fc) => each((action) => action.structEnd(fc)),
    arrayBegin: (fc, length) => each((action) => action.arrayBegin(fc, length)),
    element: (fc, index) => bothActions(a.element(fc, index), b.element(fc, index)),
    arrayEnd: (fc) => each((action) => action.arrayEnd(fc)),
    optionBegin: (fc, index) => bothActions(a.optionBegin(fc, index), b.optionBegin(fc, index)),
    optionEnd: (fc, index) => each((action) => action.optionEnd(fc, index)),
    optionalBegin: (fc) => bothActions(a.optionalBegin(fc), b.optionalBegin(fc)),
    optionalEnd: (fc) => each((action) => action.optionalEnd(fc)),
    optionalAbsent: (fc) => each((action) => action.optionalAbsent(fc)),
    barrier: () => each((action) => action.barrier()),
  };
}

/** Decodes every field to its value and forgets it: what `print -o dummy` measures. */
export class TouchAction implements Action {
  readonly wanted = true;

  constructor(private readonly g: Generator) {
    g.declare("t", "0");
  }

  int(_fc: FieldClass, value: IntSource): void {
    this.g.line("small" in value ? `t ^= ${value.small};` : `t ^= ${value.lo} ^ ${value.hi};`);
  }

  float(_fc: FloatClass, value: string): void {
    this.g.line(`t ^= ${value};`);
  }

  text(fc: FieldClass, start: string, length: string): void {
    this.g.line(`t ^= ${textSource(this.g, fc, start, length)}.length;`);
  }

  text16(_fc: FieldClass, start: string): void {
    this.g.line(`t ^= I.intern16(u8, dv, ${start}).length;`);
  }

  blob(_fc: FieldClass, start: string, length: string): void {
    this.g.line(`for (let i = 0; i < ${length}; i++) t ^= u8[${start} + i];`);
  }

  structBegin(): void {}
  member(): Action {
    return this;
  }
  structEnd(): void {}
  arrayBegin(): void {}
  element(): Action {
    return this;
  }
  arrayEnd(): void {}
  optionBegin(): Action {
    return this;
  }
  optionEnd(): void {}
  optionalBegin(): Action {
    return this;
  }
  optionalEnd(): void {}
  optionalAbsent(): void {}
  barrier(): void {}
}
