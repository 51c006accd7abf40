/** LAMI 1.0 as a validator, written from the document (../shared/spec/lami.md): answers what is wrong, and where. */

// biome-ignore lint/suspicious/noExplicitAny: parsed JSON
type Json = any;

const isNumber = (value: Json): boolean => typeof value === "number" || typeof value === "bigint";
const isString = (value: Json): boolean => typeof value === "string";
const isInteger = (value: Json): boolean => typeof value === "bigint" || Number.isInteger(value);
const optional = (test: (value: Json) => boolean) => (value: Json) => value === undefined || test(value);

const interval = (value: Json): boolean =>
  isNumber(value.value) ||
  (isNumber(value.low) && isNumber(value.high)) ||
  isNumber(value.low) ||
  isNumber(value.high);

const timestamp = (value: Json): boolean => value?.class === "timestamp" && isInteger(value.value);

/** What a data object of a class must have beside `class`. */
const CLASSES: Readonly<Record<string, (value: Json) => boolean>> = {
  unknown: () => true,
  bool: (v) => typeof v.value === "boolean",
  string: (v) => isString(v.value),
  number: interval,
  ratio: interval,
  timestamp,
  duration: interval,
  size: interval,
  bitrate: interval,
  "time-range": (v) => timestamp(v.begin) && timestamp(v.end),
  syscall: (v) => isString(v.name),
  disk: (v) => isString(v.name),
  part: (v) => isString(v.name),
  netif: (v) => isString(v.name),
  process: (v) => optional(isString)(v.name) && optional(isInteger)(v.pid) && optional(isInteger)(v.tid),
  path: (v) => isString(v.path),
  fd: (v) => isInteger(v.fd),
  irq: (v) =>
    optional((hard) => typeof hard === "boolean")(v.hard) && isInteger(v.nr) && optional(isString)(v.name),
  cpu: (v) => isInteger(v.id),
};

function columnFaults(columns: Json, at: string): string[] {
  if (!Array.isArray(columns)) return [`${at}: expected column-descriptions`];
  return columns.flatMap((column, i) => {
    const faults: string[] = [];
    if (!isString(column?.title)) faults.push(`${at}[${i}]: expected a title`);
    const { class: kind, unit } = column ?? {};
    if (kind !== undefined && kind !== "mixed" && !Object.hasOwn(CLASSES, kind))
      faults.push(`${at}[${i}]: class ${kind}`);
    if (unit !== undefined && (kind !== "number" || !isString(unit)))
      faults.push(`${at}[${i}]: a unit is for numbers`);
    return faults;
  });
}

export function metadataFaults(metadata: Json): string[] {
  const faults: string[] = [];
  const need = (good: boolean, what: string): void => {
    if (!good) faults.push(what);
  };
  need(
    metadata["mi-version"]?.major === 1 && metadata["mi-version"]?.minor === 0,
    "mi-version: expected 1.0",
  );
  const { version } = metadata;
  need(
    ["major", "minor", "patch"].every((part) => isInteger(version?.[part])),
    "version: expected numbers",
  );
  need(isString(metadata.title), "title");
  for (const list of ["authors", "tags"]) {
    need(Array.isArray(metadata[list]) && metadata[list].every(isString), `${list}: expected strings`);
  }
  need(isString(metadata.description), "description");
  for (const [name, table] of Object.entries<Json>(metadata["table-classes"] ?? {})) {
    need(isString(table.title), `table class ${name}: title`);
    if (table.inherit === undefined)
      faults.push(...columnFaults(table["column-descriptions"], `table class ${name}`));
  }
  return faults;
}

function cellFault(cell: Json, kind: string | undefined): string | undefined {
  if (cell === null || cell === undefined) return cell === undefined ? "nothing there" : undefined;
  if (typeof cell !== "object") return undefined;
  const check = Object.hasOwn(CLASSES, cell.class) ? CLASSES[cell.class] : undefined;
  if (check === undefined) return `no data class ${cell.class}`;
  if (!check(cell)) return `not a ${cell.class}`;
  if (kind !== undefined && kind !== "mixed" && cell.class !== "unknown" && cell.class !== kind) {
    return `${cell.class} in a column of ${kind}`;
  }
  return undefined;
}

export function resultFaults(document: Json, metadata: Json): string[] {
  if (!Array.isArray(document?.results)) return ["expected results"];
  return document.results.flatMap((table: Json, t: number) => {
    const at = `result ${t}`;
    const faults: string[] = [];
    const { class: given } = table;
    const name = isString(given) ? given : given?.inherit;
    const known = name === undefined ? undefined : metadata["table-classes"][name];
    if (name !== undefined && known === undefined) faults.push(`${at}: no table class ${name}`);
    if (!isString(given) && !isString(given?.title)) faults.push(`${at}: a dynamic class has a title`);
    const columns: Json =
      (isString(given) ? undefined : given?.["column-descriptions"]) ?? known?.["column-descriptions"];
    faults.push(...columnFaults(columns, at));
    const range = table["time-range"];
    if (!(range?.class === "time-range" && CLASSES["time-range"]!(range))) faults.push(`${at}: time-range`);
    else if (range.begin.value > range.end.value) faults.push(`${at}: time-range ends before it begins`);
    if (!Array.isArray(table.data)) return [...faults, `${at}: data`];
    table.data.forEach((row: Json, r: number) => {
      if (!Array.isArray(row) || row.length !== columns?.length) {
        faults.push(`${at}, row ${r}: ${row?.length} cells, expected ${columns?.length}`);
        return;
      }
      row.forEach((cell, c) => {
        const fault = cellFault(cell, columns[c].class);
        if (fault !== undefined) faults.push(`${at} (${name}), row ${r}, column ${c}: ${fault}`);
      });
    });
    return faults;
  });
}
