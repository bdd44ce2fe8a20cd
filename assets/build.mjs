// Builds static/ from assets/: one stylesheet, one script, one icon sprite, fonts and htmx with their licences.
// `node build.mjs` writes; `node build.mjs --check` compares with what is committed and fails on a difference.
import { build } from "esbuild";
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "..", "static");
const modules = join(here, "node_modules");
const files = new Map();

const bundled = await build({
  entryPoints: [
    { in: join(here, "css/turnus.css"), out: "turnus" },
    { in: join(here, "js/turnus.js"), out: "turnus" },
  ],
  outdir: out,
  bundle: true,
  minify: true,
  write: false,
  charset: "utf8",
  target: ["chrome125", "firefox128", "safari18"],
  external: ["*.woff2", "*.svg"],
  format: "iife",
  legalComments: "none",
});
for (const file of bundled.outputFiles) files.set(file.path.slice(out.length + 1), Buffer.from(file.contents));

// The sprite: the icons named in icons/names.txt, plus our own marks in icons/*.svg.
const symbol = (name, svg) => {
  const inner = svg.replace(/<!--[\s\S]*?-->/g, "").match(/<svg[^>]*>([\s\S]*)<\/svg>/)[1];
  return `<symbol id="${name}" viewBox="0 0 24 24">${inner.replace(/\s+/g, " ").replace(/> </g, "><").trim()}</symbol>`;
};
const names = readFileSync(join(here, "icons/names.txt"), "utf8").split(/\s+/).filter(Boolean).sort();
const symbols = names.map((name) => symbol(name, readFileSync(join(modules, "lucide-static/icons", `${name}.svg`), "utf8")));
for (const file of readdirSync(join(here, "icons")).filter((name) => name.endsWith(".svg")).sort()) {
  symbols.push(symbol(file.slice(0, -4), readFileSync(join(here, "icons", file), "utf8")));
}
files.set("icons.svg", Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg">\n${symbols.join("\n")}\n</svg>\n`));
files.set("vendor/lucide-LICENSE.txt", readFileSync(join(modules, "lucide-static/LICENSE")));

for (const subset of ["latin", "latin-ext", "greek", "greek-ext", "cyrillic", "cyrillic-ext"]) {
  for (const weight of [400, 600, 700]) {
    const name = `inter-${subset}-${weight}-normal.woff2`;
    files.set(`fonts/${name}`, readFileSync(join(modules, "@fontsource/inter/files", name)));
  }
}
files.set("fonts/OFL.txt", readFileSync(join(modules, "@fontsource/inter/LICENSE")));
files.set("vendor/htmx-2.0.11.min.js", readFileSync(join(modules, "htmx.org/dist/htmx.min.js")));
files.set("vendor/htmx-LICENSE.txt", readFileSync(join(modules, "htmx.org/LICENSE")));
files.set("mark.svg", readFileSync(join(here, "mark.svg")));

const check = process.argv.includes("--check");
let stale = 0;
for (const [name, bytes] of files) {
  const path = join(out, name);
  if (check) {
    if (!existsSync(path) || !readFileSync(path).equals(bytes)) {
      console.error(`static/${name} differs from assets/: run npm run build`);
      stale += 1;
    }
  } else {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
  }
}
console.log(check ? `${files.size - stale} of ${files.size} files match` : `${files.size} files written`);
process.exitCode = stale ? 1 : 0;
