// node web/build.mjs OUTPUT: the report page in one file. Styles, charts and libraries are put into template.html;
// the study's title and data are put in later, by joulery (src/report/page.c).
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const web = dirname(fileURLToPath(import.meta.url));
const read = (...path) => readFileSync(join(web, ...path), "utf8").replaceAll("\r\n", "\n");

// Nothing inside a script element may look like its end, or like the start of a comment.
const inert = (code) => code.replaceAll(/<\/(?=script)/gi, "<\\/").replaceAll("<!--", "<\\!--");

// vega's bundle holds the vega-* and d3-* packages, and some of Vega's packages come without their common licence.
const modules = readdirSync(join(web, "node_modules"));
const inside = { vega: ["vega-view", ...modules.filter((name) => /^d3-/.test(name))], "vega-interpreter": ["vega-view"] };

function licences(names) {
  const texts = names.map((name) => read("node_modules", name, "LICENSE").trim().replaceAll("*/", "* /"));
  return [...new Set(texts)].join("\n\n");
}

function library(name) {
  const about = JSON.parse(read("node_modules", name, "package.json"));
  const licence = licences(inside[name] ?? [name]);
  const code = read("node_modules", name, "build", `${name}.min.js`).replaceAll(/^\/\/# sourceMappingURL=.*$/gm, "");
  return inert(`/*! ${name} ${about.version}\n${licence}\n*/\n${code}`);
}

const scripts = [...["vega", "vega-lite", "vega-interpreter", "vega-embed"].map(library), inert(read("page.js"))];
const hashes = scripts.map((code) => `'sha256-${createHash("sha256").update(code).digest("base64")}'`);
const charts = Object.fromEntries(
  readdirSync(join(web, "charts"))
    .filter((name) => name.endsWith(".json"))
    .sort()
    .map((name) => [name.replace(/\.json$/, ""), JSON.parse(read("charts", name))]),
);

const parts = {
  "@POLICY@": [
    "default-src 'none'",
    `script-src ${hashes.join(" ")}`,
    "style-src 'unsafe-inline'",
    "img-src data: blob:",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; "),
  "@STYLE@": read("style.css"),
  "@CHARTS@": JSON.stringify(charts).replaceAll("<", "\\u003c"),
  "@LAND@": read("land.json").trim(),
  "@SCRIPTS@": scripts.map((code) => `<script>${code}</script>`).join("\n"),
};

let page = read("template.html");
for (const [mark, part] of Object.entries(parts)) {
  const pieces = page.split(mark);
  if (pieces.length !== 2) throw new Error(`template.html: expected ${mark} once, found it ${pieces.length - 1} times`);
  page = pieces.join(part);
}
for (const mark of ["@JOULERY_TITLE@", "@JOULERY_DATA@"])
  if (page.split(mark).length !== 2) throw new Error(`the page: expected ${mark} once`);
writeFileSync(process.argv[2], page);
