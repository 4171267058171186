// The frame of each page: head, navigation, table of contents. No address leads outside but the links of the text.

import { escaped } from "./paths.mjs";

/** `page` is `{ file, title, html, headings }`, `navigation` `[{ title, pages: [{ file, title }] }]`. */
export function frame(page, navigation, version) {
  const order = navigation.flatMap(({ pages }) => pages);
  const place = order.findIndex(({ file }) => file === page.file);
  const title = page.file === "index.html" ? "Quorate" : `${page.title} · Quorate`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="color-scheme" content="light dark">
<title>${escaped(title)}</title>
<link rel="icon" href="icon.svg">
<link rel="stylesheet" href="style.css">
<script src="site.js" defer></script>
</head>
<body>
<a class="skip" href="#main">Skip to content</a>
<header class="top">
<a class="brand" href="index.html"><img src="icon.svg" alt="" width="26" height="26"> Quorate <small>${escaped(version)}</small></a>
<div class="search" role="search" hidden>
<input type="search" id="query" placeholder="Search  /" aria-label="Search the documentation" autocomplete="off" spellcheck="false">
<ul class="hits" id="hits" hidden></ul>
<p class="hint" role="status"></p>
</div>
<button type="button" class="theme" hidden aria-label="Dark colors" aria-pressed="false"><span aria-hidden="true">◐</span></button>
</header>
<div class="columns">
<nav class="side" aria-label="Pages">
<details class="menu"><summary>Menu</summary>${menu(page, navigation)}</details>
<div class="wide">${menu(page, navigation)}</div>
</nav>
<main id="main" tabindex="-1">
<article>
${page.html}</article>
${place === -1 ? "" : neighbors(order[place - 1], order[place + 1])}
</main>
${toc(page.headings)}
</div>
</body>
</html>
`;
}

const policy =
  "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'";

function menu(page, navigation) {
  return navigation
    .map(({ title, pages }) => {
      const links = pages.map((one) => {
        const current = one.file === page.file ? ' aria-current="page"' : "";
        return `<li><a href="${one.file}"${current}>${escaped(one.title)}</a></li>`;
      });
      return `<p>${escaped(title)}</p><ul>${links.join("")}</ul>`;
    })
    .join("\n");
}

function toc(headings) {
  const shown = headings.filter(({ level }) => level === 2 || level === 3);
  if (shown.length < 2) return "";
  const links = shown.map(
    ({ level, text, id }) =>
      `<li class="l${level}"><a href="#${escaped(id)}">${escaped(text)}</a></li>`,
  );
  return `<nav class="toc" aria-label="On this page"><p>On this page</p><ul>${links.join("")}</ul></nav>`;
}

function neighbors(previous, next) {
  const link = (page, rel, label) =>
    page === undefined
      ? "<span></span>"
      : `<a rel="${rel}" href="${page.file}"><small>${label}</small> ${escaped(page.title)}</a>`;
  return `<nav class="neighbors" aria-label="Neighbors">${link(previous, "prev", "Before")}${link(next, "next", "Next")}</nav>`;
}
