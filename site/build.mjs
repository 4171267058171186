// Builds the documentation as a folder of static files: pages, one sheet of styles, one script, an index for the search.

import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import MiniSearch from "minisearch";
import { rolldown } from "rolldown";

import { searchOptions } from "./client/options.mjs";
import { publicSymbols } from "./declarations.mjs";
import { contents, render } from "./markdown.mjs";
import { frame } from "./page.mjs";
import { at, escaped, home, outputOf, sources } from "./paths.mjs";
import { addresses, referencePages } from "./reference.mjs";

/** Builds the site into `folder`, which is emptied. The package has to be built before. Gives the names of all pages. */
export async function buildSite(folder) {
  const { version } = JSON.parse(readFileSync(at("package.json"), "utf8"));
  const symbols = publicSymbols();
  const about = { pages: sources(), codes: errorCodes(), symbols: addresses(symbols) };
  const written = about.pages.map((source) => {
    const rendered = render(readFileSync(at(source), "utf8"), { ...about, source });
    if (rendered.title === undefined) throw new Error(`${source} has no title (# …)`);
    return { source, file: outputOf(source), ...rendered };
  });
  const api = referencePages(symbols, { ...about, source: "docs/api.md" });
  const navigation = navigate(written, api);
  const start = written.find(({ source }) => source === home);
  start.html = withApi(start.html, api);

  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const pages = [...written, ...api];
  for (const page of pages)
    writeFileSync(join(folder, page.file), frame(page, navigation, version));
  for (const { path, name } of written.flatMap(({ images }) => images))
    copyFileSync(at(path), join(folder, name));
  copyFileSync(at("site", "style.css"), join(folder, "style.css"));
  copyFileSync(at("www", "icon.svg"), join(folder, "icon.svg"));
  writeFileSync(join(folder, "search.js"), searchIndex(pages));
  await client(join(folder, "site.js"));
  return pages.map(({ file }) => file);
}

/** The codes of errors, from their tables in the sources. */
export function errorCodes() {
  const tables = ["errors.ts", "shards/errors.ts", "mapreduce/errors.ts"].map(
    (path) =>
      /^(?:export )?const \w*CODES = \{\n(.*?)^\}/ms.exec(
        readFileSync(at("pkg", "src", path), "utf8"),
      )[1],
  );
  return new Set([...tables.join("").matchAll(/^ {2}([A-Z_]+):/gm)].map(([, code]) => code));
}

/** The sections of the first page; pages that it does not name go to the end of them, so that none is lost. */
export function navigate(written, api) {
  const byPath = new Map(written.map((page) => [page.source, page]));
  const text = readFileSync(at(home), "utf8");
  const sections = contents(text).map(({ title, links }) => ({
    title,
    pages: links.flatMap(({ target, text: label }) => {
      const page = byPath.get(join(dirname(home), target));
      return page === undefined ? [] : [{ file: page.file, title: label }];
    }),
  }));
  sections.find(({ title }) => title === "API")?.pages.push(...api);
  const named = new Set(sections.flatMap(({ pages }) => pages.map(({ file }) => file)));
  const rest = written.filter(({ file, source }) => !named.has(file) && source !== home);
  return [...sections, { title: "More", pages: rest }]
    .map(({ title, pages }) => ({ title, pages: pages.map(nameOf) }))
    .filter(({ pages }) => pages.length > 0);
}

const nameOf = ({ file, title }) => ({ file, title });

/** Puts the pages of the API where the first page speaks of them; on GitHub they are not there. */
function withApi(html, api) {
  const items = api.map(
    ({ file, title, intro }) =>
      `<li><a href="${file}">${escaped(title)}</a>: ${escaped(intro.replaceAll("`", ""))}</li>`,
  );
  const start = html.indexOf('<h2 id="api"');
  if (start === -1) throw new Error(`${home} has no section "API"`);
  const end = html.indexOf("<h2", start + 1);
  return `${html.slice(0, end)}<ul>${items.join("\n")}</ul>\n${html.slice(end)}`;
}

/** The index as a script rather than JSON: scripts load from a disk, too. */
function searchIndex(pages) {
  const search = new MiniSearch(searchOptions);
  for (const { file, title, sections } of pages) {
    for (const [place, { heading, id, text }] of sections.entries()) {
      const start = text.replace(/[\s`]+/g, " ").trim();
      if (heading === "" && start === "") continue;
      const href = id === "" || place === 0 ? file : `${file}#${id}`;
      search.add({ id: href, title, heading, text: start, start: start.slice(0, 140) });
    }
  }
  const index = JSON.stringify(JSON.stringify(search));
  return `globalThis.quorateSearch(${index});\n`;
}

async function client(file) {
  const bundle = await rolldown({ input: at("site", "client", "main.mjs") });
  await bundle.write({ file, format: "iife", minify: true });
  await bundle.close();
}
