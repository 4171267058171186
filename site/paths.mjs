// Where the sources of the site are, and what becomes of them: one folder of pages, with relative links alone, so that it can be
// served from anywhere.

import { existsSync, readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));
export const at = (...parts) => join(root, ...parts);

/** The page that the others are found from: its sections and links are the navigation. */
export const home = "docs/README.md";

/** Everything written that becomes a page, as paths from the root of the repository. */
export const sources = () =>
  [".", "docs"].flatMap((folder) =>
    readdirSync(at(folder))
      .filter((name) => name.endsWith(".md"))
      .sort()
      .map((name) => relative(root, at(folder, name))),
  );

/** The file of a page in the site. */
export function outputOf(source) {
  if (source === home) return "index.html";
  if (source === "README.md") return "overview.html";
  const name = source.replace(/^docs\//, "").replace(/\.md$/, "");
  return `${name.toLowerCase()}.html`;
}

/** A heading's anchor, as GitHub makes it. */
export const slug = (heading) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");

export const escaped = (text) =>
  String(text)
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");

/** Whether a path of the repository exists. */
export const exists = (path) => existsSync(at(path));
