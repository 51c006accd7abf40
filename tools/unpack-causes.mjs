// Unpacks the recordings of samples/causes into a directory (default .cache/causes), those that are not there yet.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliDecompressSync } from "node:zlib";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const packed = join(root, "samples/causes/traces");
const target = process.argv[2] ?? join(root, ".cache/causes");

mkdirSync(target, { recursive: true });
for (const file of readdirSync(packed)) {
  const name = file.replace(/\.tar\.br$/, "");
  if (name === file || existsSync(join(target, name))) continue;
  execFileSync("tar", ["-x", "-C", target], {
    input: brotliDecompressSync(readFileSync(join(packed, file))),
  });
}
