// Enforces the floors of ARCHITECTURE.md: a folder imports itself and lower floors, never higher ones.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const src = join(root, "src");

// From the ground up. Folders on one line are neighbours that do not know each other.
const floors = [
  ["base"],
  ["ctf/write", "relay"],
  ["ftrace"],
  ["ctf/metadata"],
  ["ctf/decode"],
  ["ctf/stream"],
  ["ctf/trace"],
  ["ctf"],
  ["ctf/print"],
  ["sources"],
  ["live"],
  ["kernel"],
  ["periods"],
  ["profiles"],
  ["analyses"],
  ["explain"],
  ["history"],
  ["page"],
  ["record"],
  ["agent", "watch"],
  ["collect"],
  ["present"],
  ["export"],
  ["serve"],
  ["api"],
  ["cli"],
];
const floorOf = new Map(floors.flatMap((folders, floor) => folders.map((folder) => [folder, floor])));

/** The folder of the table that a file lives in: the longest that fits; files in src/ itself have none. */
function folderOf(file) {
  const parts = relative(src, file).split("/");
  parts.pop();
  while (parts.length > 0) {
    const folder = parts.join("/");
    if (floorOf.has(folder)) return folder;
    parts.pop();
  }
  return undefined;
}

const files = [];
const collect = (directory) => {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) collect(path);
    else if (/\.tsx?$/.test(entry.name)) files.push(path);
  }
};
collect(src);

const wrong = [];
for (const file of files) {
  const from = folderOf(file);
  const isTest = file.endsWith(".test.ts");
  if (from === undefined) {
    if (relative(src, file).includes("/")) wrong.push(`${relative(root, file)}: its folder is on no floor`);
    continue;
  }
  const text = readFileSync(file, "utf8");
  for (const [, target] of text.matchAll(/(?:from|import\()\s*"(\.[^"]+)"/g)) {
    const to = folderOf(resolve(dirname(file), target));
    if (to === undefined || to === from || isTest) continue;
    if (floorOf.get(to) >= floorOf.get(from)) {
      wrong.push(
        `${relative(root, file)}: ${from} (floor ${floorOf.get(from)}) imports ${to} (floor ${floorOf.get(to)})`,
      );
    }
  }
}
for (const line of wrong) console.error(line);
if (wrong.length > 0) process.exit(1);
console.log(`layers: ${files.length} files in order`);
