/**
 * File name patterns over a whole text, as the period language's `=*` has them: `*`, `?`, `[a-z]`, `[!a-z]`.
 * There is no escape: `[*]` is a plain star. `*` and `?` also stand for `/` and newlines.
 */

/** The regular expression that fits exactly what `pattern` fits. */
export function globPattern(pattern: string): RegExp {
  const chars = [...pattern];
  let source = "";
  for (let i = 0; i < chars.length; i++) {
    const char = chars[i]!;
    if (char === "*") source += ".*";
    else if (char === "?") source += ".";
    else if (char === "[") {
      const end = closing(chars, i);
      source += end < 0 ? "\\[" : setSource(chars.slice(i + 1, end));
      if (end >= 0) i = end;
    } else source += literal(char);
  }
  return new RegExp(`^${source}$`, "su");
}

/** Index of the bracket that closes the set at `from`; -1: the opening one stands for itself. */
function closing(chars: readonly string[], from: number): number {
  let at = from + 1;
  if (chars[at] === "!") at++;
  // A bracket at the first place is a member.
  if (chars[at] === "]") at++;
  return chars.indexOf("]", at);
}

function literal(char: string): string {
  return /[\^$\\.*+?()[\]{}|/]/.test(char) ? `\\${char}` : char;
}

function setSource(inside: readonly string[]): string {
  const negated = inside[0] === "!";
  const members = negated ? inside.slice(1) : inside;
  let source = "";
  for (let i = 0; i < members.length; i++) {
    const first = members[i]!;
    if (members[i + 1] === "-" && i + 2 < members.length) {
      const last = members[i + 2]!;
      // A range that runs backwards has no members.
      if (first.codePointAt(0)! <= last.codePointAt(0)!) source += `${member(first)}-${member(last)}`;
      i += 2;
    } else source += member(first);
  }
  if (source === "") return negated ? "." : "(?!)";
  return `[${negated ? "^" : ""}${source}]`;
}

function member(char: string): string {
  return /[\\\]^[-]/.test(char) ? `\\${char}` : char;
}
