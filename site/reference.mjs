// The pages of the API: one for each folder of declarations, in the order in which they declare.

import { basename, dirname, relative } from "node:path";

import { explanationOf, fileComment } from "./declarations.mjs";
import { codeBlock, render, renderComment } from "./markdown.mjs";
import { at, escaped } from "./paths.mjs";

const types = at("pkg", "dist", "types");

/** Which page a symbol is on: its folder's, or its file's where that stands alone. */
function groupOf({ file }) {
  const path = relative(types, file);
  const folder = dirname(path);
  if (folder !== "." && folder !== "entry") return folder.replaceAll("/", "-");
  const name = basename(path, ".d.ts");
  return name === "types" || folder === "entry" ? "cluster" : name;
}

const output = (group) => `api-${group}.html`;

/** Where each public name is explained: `name` and `name.member`. */
export function addresses(symbols) {
  const found = new Map();
  for (const symbol of symbols.values()) {
    const page = output(groupOf(symbol));
    found.set(symbol.name, `${page}#${symbol.name}`);
    for (const { name } of symbol.members)
      found.set(`${symbol.name}.${name}`, `${page}#${symbol.name}.${escaped(name)}`);
  }
  return found;
}

/** The pages: `{ file, title, html, headings, sections }`. */
export function referencePages(symbols, about) {
  const groups = new Map();
  for (const symbol of symbols.values()) {
    const group = groupOf(symbol);
    groups.set(group, [...(groups.get(group) ?? []), symbol]);
  }
  return [...groups].map(([group, list]) => page(group, list, symbols, about));
}

function page(group, list, symbols, about) {
  const title = `${group[0].toUpperCase()}${group.slice(1)}`;
  const files = [...new Set(list.map(({ file }) => file))];
  const intro = files
    .map(fileComment)
    .map((text) => text.replace(/ No code\.$/, ""))
    .filter((text) => text !== "")
    .join(" ");
  const entries = [...new Set(list.map(({ entry }) => entry))].map((name) => `\`${name}\``);
  const lead = render(`${intro}\n\nExported by ${entries.join(" and ")}.`, about).html;
  const html = list.map((symbol) => article(symbol, symbols, about)).join("\n");
  return {
    file: output(group),
    title,
    intro: intro.split("\n\n")[0].replaceAll("\n", " "),
    html: `<h1>${escaped(title)} <small>API</small></h1>\n${lead}${html}`,
    headings: list.map(({ name }) => ({ level: 2, text: name, id: name })),
    sections: list.flatMap(sectionsOf),
  };
}

function article(symbol, symbols, about) {
  const { name, kind, comment, signature, members } = symbol;
  const link = (word) => (word === name ? undefined : about.symbols.get(word));
  const parts = members.map((member) => {
    const id = escaped(`${name}.${member.name}`);
    const explanation = explanationOf(name, member.name, symbols);
    return `<section class="member">
<h3 id="${id}"><code>${escaped(member.name)}</code>${anchor(id)}</h3>
${codeBlock(member.signatures.join("\n"), "ts", link)}${renderComment(explanation, about)}
</section>`;
  });
  return `<section class="symbol">
<h2 id="${name}"><code>${name}</code> <small>${kind}</small>${anchor(name)}</h2>
${renderComment(comment, about)}
${signature === `${kind} ${name}` ? "" : codeBlock(signature, "ts", link)}${inherited(symbol, symbols)}${parts.join("\n")}
</section>`;
}

/** Links to what its ancestors have. */
function inherited({ ancestors }, symbols) {
  return ancestors
    .filter((name) => symbols.get(name)?.members.length > 0)
    .map((name) => {
      const page = output(groupOf(symbols.get(name)));
      const links = symbols
        .get(name)
        .members.map(
          (member) =>
            `<a href="${page}#${escaped(`${name}.${member.name}`)}"><code>${escaped(member.name)}</code></a>`,
        );
      return `<p class="inherited">From <a href="${page}#${name}"><code>${name}</code></a>: ${links.join(", ")}</p>`;
    })
    .join("\n");
}

const anchor = (id) => `<a class="anchor" href="#${id}" aria-label="Link to “${id}”">#</a>`;

function sectionsOf({ name, comment, signature, members }) {
  return [
    { heading: name, id: name, text: `${comment} ${signature}` },
    ...members.map((member) => ({
      heading: `${name}.${member.name}`,
      id: `${name}.${member.name}`,
      text: `${member.comment} ${member.signatures.join(" ")}`,
    })),
  ];
}
