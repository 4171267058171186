// The blocks of code in what is written, and how each says what becomes of it: by the word behind its language.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { root } from "../package/help.mjs";

/**
 * What can be done with the code of a language.
 *
 * | role | what becomes of it |
 * | --- | --- |
 * | `run` (no word) | js, ts: runs in Node. sh: runs, with the package installed. json: parses. rust: its names exist. text: nothing |
 * | `page` | runs in a browser, in a page of its own with the HTML that its page shows |
 * | `file NAME` | stands beside the programs under this name |
 * | `types REASON` | is checked against the package's types, and does not run, because … |
 * | `checkout` | commands of a checkout: scripts, files and suites that they name exist |
 * | `session` | a command with a prompt, and what is typed there: it is |
 * | `unrun REASON` | nothing, because … |
 */
const ROLES = {
  js: ["run", "page", "file", "types"],
  ts: ["run", "page", "file", "types"],
  html: ["page"],
  json: ["run"],
  sh: ["run", "checkout", "session", "unrun"],
  rust: ["run"],
  go: ["unrun"],
  text: ["run"],
};

/** The pages whose code is looked at. */
export const pages = [
  ...readdirSync(root).filter((name) => name.endsWith(".md")),
  ...readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

/** All blocks: `{ page, line, language, role, detail, code, flaw }`, where a flaw says why nobody knows what to do with it. */
export const blocks = pages.flatMap((page) => blocksOf(page, read(page)));

function read(page) {
  return readFileSync(join(root, page), "utf8");
}

export function blocksOf(page, text) {
  const found = [];
  let open;
  for (const [index, line] of text.split("\n").entries()) {
    const fence = /^\s*(`{3,}|~{3,})\s*(.*)$/.exec(line);
    if (open === undefined && fence !== null) {
      open = { page, line: index + 1, mark: fence[1], ...kindOf(fence[2].trim()), lines: [] };
    } else if (open !== undefined && fence?.[1].startsWith(open.mark) && fence[2] === "") {
      const { mark: _mark, lines, ...block } = open;
      found.push({ ...block, code: `${lines.join("\n")}\n` });
      open = undefined;
    } else open?.lines.push(line);
  }
  if (open !== undefined) throw new Error(`${page}:${open.line}: a block without an end`);
  return found;
}

function kindOf(info) {
  const [, language, word = "run", detail = ""] = /^(\S*)(?:\s+(\w+):?)?\s*(.*)$/.exec(info);
  const roles = ROLES[language];
  const needsDetail = ["file", "types", "unrun"].includes(word);
  const flaw =
    roles === undefined
      ? `"${language}" is none of ${Object.keys(ROLES).join(", ")}`
      : !roles.includes(word)
        ? `${language} has ${roles.join(", ")}, and not "${word}"`
        : needsDetail === (detail === "")
          ? `"${word}" ${needsDetail ? "lacks its reason or name" : "says too much"}`
          : undefined;
  return { language, role: word, detail, flaw };
}
