// Build book/_static/mathjax/tex-chtml.js: MathJax with what the book's formulas use.
//
//   npm install --no-save mathjax-full@3.2.2 esbuild@0.28 && node tools/mathjax.mjs
//
// TeX with AMS, HTML output, MathML for screen readers; no menu, no speech rules, no
// loader of further parts: a macro that is not known here shows as an error.
import { build } from "esbuild";

const parts = [
  "startup/init",
  "core/core",
  "input/tex-base/lib/tex-base",
  "input/tex/extensions/ams/ams",
  "output/chtml/chtml",
  "output/chtml/fonts/tex/tex",
  "a11y/assistive-mml/assistive-mml",
];
const source = "mathjax-full/components/src";
const preloaded = [
  "loader",
  "startup",
  "core",
  "input/tex-base",
  "[tex]/ams",
  "output/chtml",
  "output/chtml/fonts/tex.js",
  "output/chtml/fonts/tex",
  "a11y/assistive-mml",
];
const contents = `
${parts.map((part) => `require("${source}/${part}.js");`).join("\n")}
require("mathjax-full/js/components/loader.js").Loader.preLoad(...${JSON.stringify(preloaded)});
require("${source}/input/tex/register.js").registerTeX(["base", "ams"]);
require("${source}/startup/startup.js");
`;
await build({
  stdin: { contents, resolveDir: process.cwd() },
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2019",
  legalComments: "none",
  banner: { js: "/* MathJax 3.2.2, Apache License 2.0, see LICENSE; built by tools/mathjax.mjs */" },
  define: { global: "globalThis", __dirname: '"."' },
  outfile: "book/_static/mathjax/tex-chtml.js",
});
