// Code in colors, at build time. shiki knows the languages as editors do; each of its tokens becomes a class, so that
// style.css alone decides on colors, and a strict Content-Security-Policy allows them.

import { createCssVariablesTheme, createHighlighter } from "shiki";

import { escaped } from "./paths.mjs";

const theme = createCssVariablesTheme({ name: "classes", variablePrefix: "--" });
const aliases = { sh: "bash", js: "javascript", ts: "typescript" };
const languages = ["bash", "css", "go", "html", "javascript", "json", "rust", "typescript"];

const highlighter = await createHighlighter({ themes: [theme], langs: languages });

/** Code as HTML. `link` may give the address of a word of its own, as the name of a type. */
export function highlight(code, language, link = () => undefined) {
  const lang = aliases[language] ?? language;
  if (!languages.includes(lang)) return escaped(code);
  const lines = highlighter.codeToTokensBase(code, { lang, theme: "classes" });
  return lines.map((line) => line.map((token) => span(token, link)).join("")).join("\n");
}

function span({ content, color }, link) {
  const text = content.replace(/[A-Za-z_$][\w$]*|[^A-Za-z_$]+/g, (word) => {
    const href = link(word);
    return href === undefined ? escaped(word) : `<a href="${escaped(href)}">${escaped(word)}</a>`;
  });
  const kind = /^var\(--token-([\w-]+)\)$/.exec(color ?? "")?.[1];
  return kind === undefined ? text : `<span class="t-${kind}">${text}</span>`;
}
