// Builds what `bin/periscope` and library users run: dist/ (bundles, for a fast start) and build/ (every
// module, its types and the tests). `--bundle` makes the bundles only.
import { execFileSync } from "node:child_process";
import { copyFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const require = createRequire(import.meta.url);
const tsc = require.resolve("typescript/bin/tsc");

rmSync(join(root, "dist"), { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: {
    cli: "src/cli/main.ts",
    index: "src/index.ts",
    "report-worker": "src/cli/report-worker.ts",
    "convert-worker": "src/record/tracefs/convert-worker.ts",
    "watch-live-worker": "src/cli/watch-live-worker.ts",
    "history-worker": "src/serve/history-worker.ts",
    "reading-worker": "src/serve/reading-worker.ts",
    "relay-thread": "src/collect/relay/relay-thread.ts",
  },
  outdir: "dist",
  // It finds its WebAssembly beside itself.
  external: ["node-sqlite3-wasm"],
  bundle: true,
  splitting: true,
  // Its ES module build: the other one asks for Node's modules by require().
  alias: { yaml: join(dirname(require.resolve("yaml/package.json")), "browser/index.js") },
  format: "esm",
  platform: "node",
  target: "node20",
  minifySyntax: false,
  sourcemap: false,
  logLevel: "warning",
});
await build({
  absWorkingDir: root,
  entryPoints: { page: "src/page/main.tsx" },
  outdir: "dist/page",
  bundle: true,
  minify: true,
  format: "esm",
  platform: "browser",
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  logLevel: "warning",
});
for (const file of ["index.html", "page.css"])
  copyFileSync(join(root, "src/page", file), join(root, "dist/page", file));
if (!process.argv.includes("--bundle")) {
  execFileSync(process.execPath, [tsc, "-p", root], { stdio: "inherit", cwd: root });
}
