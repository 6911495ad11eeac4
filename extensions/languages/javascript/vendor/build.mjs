// Makes sucrase.js: see README.md beside it.
import { readFile } from "node:fs/promises";
import { build } from "esbuild";

// Sucrase tries one reading after the other and tells of the last that failed; the one that got
// furthest is the one that was meant.
const furthest = {
  name: "furthest",
  setup(building) {
    building.onLoad({ filter: /sucrase\/dist\/esm\/parser\/traverser\/util\.js$/ }, async (args) => {
      const text = await readFile(args.path, "utf8");
      const found = "  err.pos = pos;\n";
      if (!text.includes(found)) throw new Error("Sucrase has changed: look at util.js");
      const noted =
        "  if (pos > globalThis.furthest) { globalThis.furthest = pos; globalThis.message = message; }\n";
      return { contents: text.replace(found, found + noted), loader: "js" };
    });
  },
};

await build({
  entryPoints: ["entry.mjs"],
  outfile: "sucrase.js",
  bundle: true,
  minify: true,
  format: "iife",
  platform: "neutral",
  mainFields: ["module", "main"],
  target: "es2022",
  plugins: [furthest],
});
