/**
 * TSDL type expressions → field classes.
 *
 * HOT (start-up): in LTTng's metadata nearly every field is `integer { ... } _name;`, with a few dozen
 * different texts between the braces. `integerBlock` therefore remembers the class by that text and does not
 * read the same text twice. An integer's text depends on nothing declared elsewhere, so this holds for the
 * whole metadata; what does depend on the surroundings (native byte order, clocks by name) is filled in
 * later, in the one object that all users share.
 */

import {
  isAlignment,
  MAX_ALIGN,
  MAX_DEPTH,
  MAX_LENGTH,
  type Mutable,
  type MutableClock,
  type PendingRef,
  type PendingVariant,
  pendingRef,
  stripUnderscore,
  structAlign,
} from "./field-classes.js";
import { TsdlAttributes } from "./tsdl-attributes.js";
import { parseMappings } from "./tsdl-enum.js";
import {
  BRACE_CLOSE,
  BRACE_OPEN,
  BRACKET_CLOSE,
  BRACKET_OPEN,
  COLON,
  COMMA,
  EQUAL,
  GREATER,
  LESS,
  PAREN_CLOSE,
  PAREN_OPEN,
  SEMICOLON,
  STAR,
  shorten,
} from "./tsdl-lexer.js";
import { floatAttributes, integerAttributes, stringAttributes } from "./tsdl-numbers.js";
import { type NameKind, TsdlScope } from "./tsdl-scope.js";
import type {
  ByteOrder,
  FieldClass,
  FixedIntClass,
  FloatClass,
  Role,
  Scope,
  StringClass,
  StructClass,
  StructMember,
} from "./types.js";

/** Words of C that name a type together: `unsigned long`. */
const C_TYPE_WORDS: ReadonlySet<string> = new Set([
  "void",
  "char",
  "short",
  "int",
  "long",
  "float",
  "double",
  "signed",
  "unsigned",
  "_Bool",
  "_Complex",
  "_Imaginary",
]);

/** How absolute references start. */
const ORIGINS: readonly (readonly [string, Scope | "environment"])[] = [
  ["trace.packet.header", "packet-header"],
  ["stream.packet.context", "packet-context"],
  ["stream.event.header", "event-record-header"],
  ["stream.event.context", "event-record-common-context"],
  ["event.context", "event-record-specific-context"],
  ["event.fields", "event-record-payload"],
  ["env", "environment"],
];

/** The selector of a variant that has none yet. */
const UNTAGGED: PendingRef = pendingRef("", 0, []);
export const NO_ROLES: readonly Role[] = [];

/** More declarators than this in brackets after one name are refused. */
const MAX_DIMENSIONS = 16;

const STRING: StringClass = { type: "string", align: 8, encoding: "utf-8" };

type ArrayLength = number | PendingRef;

/**
 * Strips the underscores of all names, unless two of them would become the same (`a` and `_a`): then they
 * stay as written and the answer is false.
 */
function stripNames(named: { name: string }[]): boolean {
  if (named.length > 1) {
    let stripped = 0;
    for (let i = 0; i < named.length; i++) {
      const { name } = named[i]!;
      if (name.charCodeAt(0) === 95 && name.length > 1) stripped++;
    }
    // All or none have one, as LTTng writes them: the names differ after as they did before.
    if (stripped > 0 && stripped < named.length) {
      const names = new Set<string>();
      for (const { name } of named) names.add(stripUnderscore(name));
      if (names.size < named.length) return false;
    }
  }
  for (let i = 0; i < named.length; i++) named[i]!.name = stripUnderscore(named[i]!.name);
  return true;
}

/** Whether `named` has `name`, as written. The set is used when there are many. */
function isTaken(name: string, named: readonly { readonly name: string }[], names: Set<string>): boolean {
  if (named.length < 8) {
    for (let i = 0; i < named.length; i++) if (named[i]!.name === name) return true;
    return false;
  }
  if (names.size === 0) for (const other of named) names.add(other.name);
  if (names.has(name)) return true;
  names.add(name);
  return false;
}

export class TsdlTypes extends TsdlAttributes {
  /** Native byte order, once the trace block has told it. */
  protected byteOrder: ByteOrder | undefined;
  /** Classes that await it. */
  private readonly native = new Set<Mutable<FixedIntClass> | Mutable<FloatClass>>();
  /** Clocks by name; those that are only referred to have `declared` unset. */
  readonly clocks = new Map<string, { clock: MutableClock; at: number; declared: boolean }>();
  /** Integers that are characters when they are the elements of an array. */
  private readonly characters = new Set<FieldClass>();
  /** Structures whose members kept their underscores: without them two names would be the same. */
  readonly keptNames = new Set<StructClass>();
  protected scope = new TsdlScope(undefined, 0);
  private depth = 0;
  private readonly integers = new Map<string, FixedIntClass>();
  /** Set when something is read whose meaning depends on where it is: names of types, references. */
  protected isContextual = false;
  /** The class that was given a name last. */
  private lastDeclared: FieldClass | undefined;

  /** Fills in the byte order of what has been read so far. */
  protected setByteOrder(order: ByteOrder): void {
    this.byteOrder = order;
    for (const fieldClass of this.native) fieldClass.byteOrder = order;
    this.native.clear();
  }

  /** Whether something still waits for the native byte order. */
  protected get needsByteOrder(): boolean {
    return this.native.size > 0;
  }

  /** Notes that `fieldClass` has the native byte order. */
  useNativeOrder(fieldClass: Mutable<FixedIntClass> | Mutable<FloatClass>): void {
    if (this.byteOrder !== undefined) fieldClass.byteOrder = this.byteOrder;
    else this.native.add(fieldClass);
  }

  /** The clock called `name`, which may be declared later. */
  clockByName(name: string, at: number): MutableClock {
    let entry = this.clocks.get(name);
    if (entry === undefined) {
      const clock: MutableClock = {
        id: name,
        name,
        frequency: 1_000_000_000n,
        offsetSeconds: 0n,
        offsetCycles: 0n,
        originIsUnixEpoch: false,
      };
      entry = { clock, at, declared: false };
      this.clocks.set(name, entry);
    }
    return entry.clock;
  }

  /** Enters a block whose opening brace has been taken. */
  protected openBlock(start: number): void {
    if (++this.depth > MAX_DEPTH) this.fail(start, `found more than ${MAX_DEPTH} nested blocks, the limit`);
  }

  /** Whether the block ends here; if so, takes its closing brace and leaves it. */
  protected closeBlock(): boolean {
    if (this.skip() !== BRACE_CLOSE) {
      if (this.pos >= this.text.length) this.failExpected('"}"');
      return false;
    }
    this.pos++;
    // Blocks get a scope when they declare something, which few do.
    if (this.scope.depth === this.depth) this.scope = this.scope.parent!;
    this.depth--;
    return true;
  }

  /** Takes a type, which must be next. */
  protected typeSpecifier(): FieldClass {
    const word = this.word();
    const start = this.pos - word.length;
    switch (word) {
      case "integer":
        return this.integerBlock(start);
      case "string":
        return this.skip() === BRACE_OPEN ? stringAttributes(this, STRING) : STRING;
      case "struct":
        return this.structSpecifier(start);
      case "enum":
        return this.enumSpecifier(start);
      case "variant":
        return this.variantSpecifier(start);
      case "floating_point":
        return floatAttributes(this, start);
      case "const":
        return this.typeSpecifier();
      case "":
        return this.failExpected("a type");
    }
    return this.namedType(word, start);
  }

  /** Takes a type at `pos`, exactly, by a short cut if it is laid out as LTTng does. */
  private memberType(): FieldClass {
    const start = this.pos;
    if (!this.text.startsWith("integer {", start)) return this.typeSpecifier();
    this.pos += 7;
    return this.integerBlock(start);
  }

  /** Takes `integer { ... }` after its keyword. */
  private integerBlock(start: number): FixedIntClass {
    const end = this.text.indexOf("}", start);
    const source = end < 0 ? "" : this.text.slice(start, end);
    const known = this.integers.get(source);
    if (known !== undefined) {
      this.pos = end + 1;
      return known;
    }
    const { fieldClass, isCharacter } = integerAttributes(this, start);
    if (isCharacter) this.characters.add(fieldClass);
    // A brace in a comment would make the text end early: then it says nothing about the whole.
    if (this.pos === end + 1) this.integers.set(source, fieldClass);
    return fieldClass;
  }

  /** Takes the rest of a type name (`unsigned` ... `long *`) and looks it up. */
  private namedType(first: string, start: number): FieldClass {
    const name = this.typeName(first);
    this.isContextual = true;
    const found = this.scope.find("type", name);
    if (found === undefined) {
      this.fail(start, `found ${JSON.stringify(shorten(name))}, expected a type that is declared`);
    }
    return found;
  }

  /** The rest of a type name whose first word has been taken; `const` says nothing to a reader. */
  private typeName(first: string): string {
    let name = first;
    if (C_TYPE_WORDS.has(first)) {
      for (;;) {
        const word = this.peekWord();
        if (word !== "const" && !C_TYPE_WORDS.has(word)) break;
        this.word();
        if (word !== "const") name += ` ${word}`;
      }
    }
    while (this.skip() === STAR) {
      this.pos++;
      name += " *";
      if (this.peekWord() === "const") this.word();
    }
    return name;
  }

  /** Takes `struct [NAME] [{ ... } [align(N)]]` after its keyword. */
  private structSpecifier(start: number): StructClass {
    const name = this.skip() === BRACE_OPEN ? "" : this.identifier('a structure\'s name or "{"');
    if (this.skip() !== BRACE_OPEN) return this.namedClass("struct", name, start) as StructClass;
    this.pos++;
    const members: Mutable<StructMember>[] = [];
    const names = new Set<string>();
    this.openBlock(start);
    while (!this.closeBlock()) this.memberDeclaration(members, names);
    const kept = !stripNames(members);
    const struct: StructClass = { type: "struct", align: structAlign(this.alignSuffix(), members), members };
    if (kept) this.keptNames.add(struct);
    if (name !== "") this.declare("struct", name, struct, start);
    return struct;
  }

  /** Takes `align(N)` if it is next; but a member may be called `align`. */
  private alignSuffix(): number {
    if (this.skip() !== 97 || this.peekWord() !== "align") return 1;
    const at = this.pos;
    this.word();
    if (!this.accept(PAREN_OPEN)) {
      this.pos = at;
      return 1;
    }
    this.skip();
    const valueAt = this.pos;
    const align = this.integer();
    this.checkAlign(align, valueAt);
    this.expect(PAREN_CLOSE);
    return Number(align);
  }

  checkAlign(align: number | bigint, at: number): asserts align is number {
    if (!isAlignment(align)) {
      this.fail(at, `found alignment ${align}, expected a power of two up to ${MAX_ALIGN}`);
    }
  }

  /** Takes a declaration inside a structure: members, or names of types. */
  private memberDeclaration(members: StructMember[], names: Set<string>): void {
    if (this.typeDeclaration()) return;
    this.lastDeclared = undefined;
    const fieldClass = this.memberType();
    // `struct NAME { ... };` only declares a name.
    if (this.skip() === SEMICOLON && fieldClass === this.lastDeclared) {
      this.pos++;
      return;
    }
    for (;;) {
      this.skip();
      const at = this.pos;
      const name = this.identifier("a field's name");
      if (isTaken(name, members, names)) {
        this.fail(at, `found a second field called "${shorten(name)}", expected another name`);
      }
      const member = { name, fieldClass: this.arraySuffix(fieldClass, at) };
      this.checkUsable(member.fieldClass, at);
      members.push(member);
      if (this.skip() === SEMICOLON) break;
      if (!this.accept(COMMA)) this.failExpected('"," or ";"');
    }
    this.pos++;
  }

  /** A variant cannot be a field before it has a selector. */
  private checkUsable(fieldClass: FieldClass, at: number): void {
    if (fieldClass.type === "variant" && fieldClass.selector === UNTAGGED) {
      this.fail(at, 'found a variant without selector, expected "variant <selector>"');
    }
  }

  /** Takes `[N][path]...` after a name; the rightmost one is the innermost array. */
  private arraySuffix(element: FieldClass, at: number): FieldClass {
    if (this.skip() !== BRACKET_OPEN) return element;
    this.checkUsable(element, at);
    const lengths: ArrayLength[] = [];
    while (this.accept(BRACKET_OPEN)) {
      lengths.push(this.arrayLength());
      this.expect(BRACKET_CLOSE);
    }
    if (lengths.length > MAX_DIMENSIONS) {
      this.fail(at, `found an array of ${lengths.length} dimensions, expected at most ${MAX_DIMENSIONS}`);
    }
    let array = element;
    for (let i = lengths.length - 1; i >= 0; i--) array = this.arrayOf(array, lengths[i]!);
    return array;
  }

  private arrayLength(): ArrayLength {
    this.skip();
    const at = this.pos;
    if (!this.atInteger()) return this.reference("a length");
    const length = this.integer();
    if (length < 0 || length > MAX_LENGTH) {
      this.fail(at, `found array length ${length}, expected one from 0 to ${MAX_LENGTH}`);
    }
    return Number(length);
  }

  private arrayOf(element: FieldClass, length: ArrayLength): FieldClass {
    if (this.characters.has(element)) {
      if (typeof length !== "number") return { type: "dynamic-string", align: 8, encoding: "utf-8", length };
      return { type: "static-string", align: 8, encoding: "utf-8", length };
    }
    const align = element.align;
    if (typeof length !== "number") return { type: "dynamic-array", align, length, element };
    return { type: "static-array", align, length, element, roles: NO_ROLES };
  }

  /** Takes a reference to another field. */
  private reference(expected: string): PendingRef {
    this.skip();
    const at = this.pos;
    this.isContextual = true;
    const words = this.dottedPath(expected);
    const text = words.join(".");
    for (const [prefix, origin] of ORIGINS) {
      if (text.startsWith(`${prefix}.`)) {
        return pendingRef(text, at, words.slice(prefix.split(".").length), origin);
      }
    }
    return pendingRef(text, at, words);
  }

  /** Takes `enum [NAME] [: TYPE] { ... }` or `enum NAME` after its keyword. */
  private enumSpecifier(start: number): FixedIntClass {
    let code = this.skip();
    const name = code === BRACE_OPEN || code === COLON ? "" : this.identifier("an enumeration's name");
    code = this.skip();
    if (code !== COLON && code !== BRACE_OPEN) return this.namedClass("enum", name, start) as FixedIntClass;
    let container: FieldClass | undefined;
    if (code === COLON) {
      this.pos++;
      container = this.typeSpecifier();
    } else {
      this.isContextual = true;
      container = this.scope.find("type", "int");
    }
    if (container === undefined) {
      this.fail(start, 'found an enumeration without integer type, expected one or a declared type "int"');
    }
    if (container.type !== "int") {
      this.fail(start, "found an enumeration of another type, expected an integer type");
    }
    this.expect(BRACE_OPEN);
    const mappings = parseMappings(this, container);
    const enumeration: FixedIntClass = { ...container, mappings };
    if (this.native.has(container)) this.native.add(enumeration);
    if (name !== "") this.declare("enum", name, enumeration, start);
    return enumeration;
  }

  /** Takes `variant [NAME] [<selector>] [{ ... }]` after its keyword. */
  private variantSpecifier(start: number): FieldClass {
    let code = this.skip();
    const name = code === BRACE_OPEN || code === LESS ? "" : this.identifier("a variant's name");
    code = this.skip();
    let selector = UNTAGGED;
    if (code === LESS) {
      this.pos++;
      selector = this.reference("a selector");
      this.expect(GREATER);
      code = this.skip();
    }
    let variant: PendingVariant;
    if (code === BRACE_OPEN) {
      this.pos++;
      variant = this.variantBody(start);
      if (name !== "") this.declare("variant", name, variant, start);
    } else {
      if (name === "") this.failExpected('"{"');
      variant = this.namedClass("variant", name, start) as PendingVariant;
    }
    return selector === UNTAGGED ? variant : { ...variant, selector };
  }

  private variantBody(start: number): PendingVariant {
    const options: { name: string; ranges: []; fieldClass: FieldClass }[] = [];
    const labels: string[] = [];
    const names = new Set<string>();
    this.openBlock(start);
    while (!this.closeBlock()) {
      if (this.typeDeclaration()) continue;
      const fieldClass = this.typeSpecifier();
      do {
        this.skip();
        const at = this.pos;
        const name = this.identifier("an option's name");
        if (isTaken(name, options, names)) {
          this.fail(at, `found a second option called "${shorten(name)}", expected another name`);
        }
        const option = this.arraySuffix(fieldClass, at);
        this.checkUsable(option, at);
        options.push({ name, ranges: [], fieldClass: option });
        labels.push(name);
      } while (this.accept(COMMA));
      this.expectSemicolon();
    }
    if (options.length === 0) this.fail(start, "found a variant without options, expected at least one");
    stripNames(options);
    return { type: "variant", align: 1, selector: UNTAGGED, options, labels, at: start };
  }

  private namedClass(kind: NameKind, name: string, start: number): FieldClass {
    this.isContextual = true;
    const found = this.scope.find(kind, name);
    if (found === undefined) {
      this.fail(start, `found "${kind} ${shorten(name)}", expected one that is declared`);
    }
    return found;
  }

  private declare(kind: NameKind, name: string, fieldClass: FieldClass, at: number): void {
    this.isContextual = true;
    if (this.scope.depth !== this.depth) this.scope = new TsdlScope(this.scope, this.depth);
    if (!this.scope.declare(kind, name, fieldClass)) {
      const what = kind === "type" ? `type "${shorten(name)}"` : `"${kind} ${shorten(name)}"`;
      this.fail(at, `found a second declaration of ${what} in one block, expected one`);
    }
    this.lastDeclared = fieldClass;
  }

  /** Takes a typedef or typealias if one is next. */
  protected typeDeclaration(): boolean {
    // "t" starts both words: one comparison decides nearly always.
    if (this.skip() !== 116) return false;
    const word = this.peekWord();
    if (word !== "typedef" && word !== "typealias") return false;
    this.word();
    if (word === "typedef") this.typedefRest();
    else this.typealiasRest();
    return true;
  }

  private typedefRest(): void {
    const fieldClass = this.typeSpecifier();
    do {
      this.skip();
      const at = this.pos;
      const name = this.identifier("a type's name");
      this.declare("type", name, this.arraySuffix(fieldClass, at), at);
    } while (this.accept(COMMA));
    this.expectSemicolon();
  }

  private typealiasRest(): void {
    let fieldClass = this.typeSpecifier();
    if (this.skip() === BRACKET_OPEN) fieldClass = this.arraySuffix(fieldClass, this.pos);
    this.expect(COLON, '":="');
    if (this.text.charCodeAt(this.pos) !== EQUAL) this.failExpected('":="');
    this.pos++;
    this.skip();
    const at = this.pos;
    let word = this.identifier("a type's name");
    if (word === "const") word = this.identifier("a type's name");
    this.declare("type", this.typeName(word), fieldClass, at);
    this.expectSemicolon();
  }
}
