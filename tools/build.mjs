// Builds what `bin/periscope` and library users run: dist/ (bundles, for a fast start) and build/ (every
// module, its types and the tests). `--bundle` makes the bundles only.
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");

rmSync(join(root, "dist"), { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: { cli: "src/cli/main.ts", index: "src/index.ts", "report-worker": "src/cli/report-worker.ts" },
  outdir: "dist",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20",
  minifySyntax: false,
  sourcemap: false,
  logLevel: "warning",
});
if (!process.argv.includes("--bundle")) {
  execFileSync(process.execPath, [tsc, "-p", root], { stdio: "inherit", cwd: root });
}
