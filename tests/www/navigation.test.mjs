// The navigation is plain HTML in each page: the same in all, but for the page that one is on.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

const www = new URL("../../www/", import.meta.url);
const pages = readdirSync(www).filter((name) => name.endsWith(".html"));
const text = (name) => readFileSync(new URL(name, www), "utf8");
const BLOCK = / {4}<!-- The navigation.*?<!-- End of the navigation. -->/s;
const CURRENT = ' aria-current="page"';

test("the pages are found", () => {
  assert.ok(pages.includes("index.html") && pages.length >= 5, `${pages}`);
});

for (const name of pages) {
  test(`${name} has the navigation of all pages, and its own link marked`, () => {
    const [block] = BLOCK.exec(text(name)) ?? [];
    assert.ok(block, "there is no navigation");
    const [plain] = BLOCK.exec(text("index.html"));
    assert.equal(block.replace(CURRENT, ""), plain.replace(CURRENT, ""));
    const marked = [...block.matchAll(/<a href="\.\/([^"]+)" aria-current="page">/g)];
    assert.deepEqual(
      marked.map(([, href]) => href),
      [name],
    );
  });

  test(`${name} has what the skip link leads to`, () => {
    assert.match(text(name), /<main id="main"/);
  });
}
