// From Markdown to HTML: markdown-it parses and renders; what is ours here are links, anchors, tables and code.

import { dirname, join } from "node:path";
import MarkdownIt from "markdown-it";

import { highlight } from "./highlight.mjs";
import { escaped, exists, outputOf, slug } from "./paths.mjs";

const markdown = new MarkdownIt({ html: false, linkify: false, typographer: false });
const { rules } = markdown.renderer;
const plain = (tokens, index, options, _env, self) => self.renderToken(tokens, index, options);

/**
 * Renders a text. `about` is `{ source, pages, codes, symbols }`: the path of the text, the paths of all pages, the codes of
 * errors and the addresses of public names, to which words in code are linked. Gives
 * `{ html, title, headings, sections, images }`, where sections are what a search finds.
 */
export function render(text, about) {
  const env = { ...about, headings: [], images: [], taken: new Map() };
  const tokens = markdown.parse(text, env);
  nameHeadings(tokens, env);
  nameRows(tokens, env);
  const html = markdown.renderer.render(tokens, markdown.options, env);
  const title = env.headings.find(({ level }) => level === 1)?.text;
  return { html, title, headings: env.headings, sections: sectionsOf(tokens), images: env.images };
}

/** A comment of a source. */
export const renderComment = (text, about) => render(text, about).html.trim();

/** The links of a page by its sections: `[{ title, links: [{ target, text, about }] }]`. */
export function contents(text) {
  const sections = [];
  const tokens = markdown.parse(text, {});
  for (const [index, token] of tokens.entries()) {
    if (token.type === "heading_open" && token.tag === "h2")
      sections.push({ title: wordsOf(tokens[index + 1]), links: [] });
    if (token.type !== "inline" || tokens[index - 2]?.type !== "list_item_open") continue;
    const link = token.children.find(({ type }) => type === "link_open");
    if (link === undefined || sections.length === 0) continue;
    const [target] = link.attrGet("href").split("#");
    const label = token.children[token.children.indexOf(link) + 1].content;
    sections.at(-1).links.push({ target, text: label });
  }
  return sections;
}

/** The words of an inline token, without marks. */
const wordsOf = (token) =>
  token.children.map(({ type, content }) => (type === "softbreak" ? " " : content)).join("");

function nameHeadings(tokens, env) {
  for (const [index, token] of tokens.entries()) {
    if (token.type !== "heading_open") continue;
    const text = wordsOf(tokens[index + 1]);
    const base = slug(text);
    const times = env.taken.get(base) ?? 0;
    env.taken.set(base, times + 1);
    const id = times === 0 ? base : `${base}-${times}`;
    const level = Number(token.tag.slice(1));
    token.attrSet("id", id);
    env.headings.push({ level, text, id });
  }
}

/** Rows of tables that explain a code of an error have its name as their anchor. */
function nameRows(tokens, env) {
  if (env.source !== "docs/errors.md") return;
  for (const [index, token] of tokens.entries()) {
    if (token.type !== "tr_open" || tokens[index + 1].type !== "td_open") continue;
    const [first, ...rest] = tokens[index + 2].children;
    if (first?.type === "code_inline" && rest.length === 0 && env.codes.has(first.content)) {
      token.attrSet("id", first.content.toLowerCase());
      first.meta = { defines: true };
    }
  }
}

/** What can be found: `{ heading, id, text }` for the text behind each heading, and for each row with an anchor. */
function sectionsOf(tokens) {
  const sections = [{ heading: "", id: "", text: "" }];
  for (const [index, token] of tokens.entries()) {
    const id = token.attrGet?.("id");
    if (token.type === "heading_open")
      sections.push({ heading: wordsOf(tokens[index + 1]), id, text: "" });
    if (token.type === "tr_open" && id)
      sections.push({ heading: wordsOf(tokens[index + 2]), id, text: "" });
    const isHeading = tokens[index - 1]?.type === "heading_open";
    const isName = tokens[index - 2]?.type === "tr_open" && tokens[index - 2].attrGet("id");
    if (token.type === "inline" && !isHeading && !isName)
      sections.at(-1).text += `${wordsOf(token)} `;
    if (token.type === "fence") sections.at(-1).text += `${token.content} `;
  }
  return sections;
}

rules.heading_close = (tokens, index, options, env, self) => {
  const close = plain(tokens, index, options, env, self);
  if (tokens[index].tag === "h1") return close;
  const id = escaped(tokens[index - 2].attrGet("id"));
  const text = escaped(wordsOf(tokens[index - 1]));
  return `<a class="anchor" href="#${id}" aria-label="Link to “${text}”">#</a>${close}`;
};

rules.link_open = (tokens, index, options, env, self) => {
  const href = resolve(tokens[index].attrGet("href"), env);
  if (href === undefined) {
    closing(tokens, index).tag = "span";
    return '<span class="source">';
  }
  tokens[index].attrSet("href", href);
  return plain(tokens, index, options, env, self);
};

/** The token that closes a link. */
const closing = (tokens, index) => tokens.slice(index).find(({ type }) => type === "link_close");

/** Where a link of a page leads within the site; undefined for a file of the repository that is no page. */
function resolve(href, env) {
  if (/^(https?:|mailto:|#)/.test(href)) return href;
  const [path, anchor] = href.split("#");
  const target = join(dirname(env.source), path);
  if (!exists(target)) throw new Error(`${env.source}: ${href} leads nowhere`);
  if (!env.pages.includes(target)) return undefined;
  return outputOf(target) + (anchor === undefined ? "" : `#${anchor}`);
}

rules.image = (tokens, index, _options, env) => {
  const token = tokens[index];
  const path = join(dirname(env.source), token.attrGet("src"));
  const name = path.split("/").at(-1);
  env.images.push({ path, name });
  return `<img src="${escaped(name)}" alt="${escaped(token.content)}" loading="lazy">`;
};

rules.table_open = (tokens, index) => {
  const heading = tokens.slice(0, index).findLastIndex(({ type }) => type === "heading_open");
  const about = heading === -1 ? "Table" : `Table in “${wordsOf(tokens[heading + 1])}”`;
  const row = tokens.slice(
    index,
    tokens.findIndex(({ type }, at) => at > index && type === "tr_close"),
  );
  const columns = row.filter(({ type }) => type === "th_open").length;
  const kind = columns > 2 ? ' class="broad"' : "";
  return `<div class="table" tabindex="0" role="group" aria-label="${escaped(about)}"><table${kind}>\n`;
};
rules.table_close = () => "</table></div>\n";

for (const cell of ["th_open", "td_open"]) {
  rules[cell] = (tokens, index, options, env, self) => {
    const token = tokens[index];
    const align = /text-align:(\w+)/.exec(token.attrGet("style") ?? "")?.[1];
    token.attrs = (token.attrs ?? []).filter(([name]) => name !== "style");
    if (align !== undefined) token.attrSet("class", align);
    // A heading without words heads nothing.
    if (tokens[index + 1].content === "") token.tag = tokens[index + 2].tag = "td";
    return plain(tokens, index, options, env, self);
  };
}

rules.fence = (tokens, index) =>
  codeBlock(tokens[index].content, tokens[index].info.split(/\s/)[0]);
rules.code_block = (tokens, index) => codeBlock(tokens[index].content, "");

/** A block of code that can be scrolled by keyboard. */
export const codeBlock = (code, language, link) =>
  `<div class="code"><pre tabindex="0"><code>${highlight(code.trimEnd(), language, link)}</code></pre></div>\n`;

rules.code_inline = (tokens, index, _options, env) => {
  const { content, meta } = tokens[index];
  const code = `<code>${escaped(content)}</code>`;
  const isLinked = tokens.slice(0, index).reduce(depth, 0) > 0;
  if (isLinked || meta?.defines) return code;
  const href = env.codes?.has(content)
    ? `errors.html#${content.toLowerCase()}`
    : env.pages?.includes(content)
      ? outputOf(content)
      : env.symbols?.get(content);
  return href === undefined ? code : `<a href="${href}">${code}</a>`;
};

const depth = (sum, { type }) => sum + (type === "link_open" ? 1 : type === "link_close" ? -1 : 0);
