// The page in Firefox and in WebKit: elect, put, delete a database, kill the leader, read, reload, read again.

import assert from "node:assert/strict";
import { test } from "node:test";
import { servePage } from "./help.mjs";
import { firefox, webkit } from "./webdriver.mjs";

for (const [name, launch] of Object.entries({ Firefox: firefox, WebKit: webkit })) {
  test(`${name}: elect, put, delete a database, kill the leader, read, reload, read again`, (t) =>
    story(t, launch));
}

async function story(t, launch) {
  const site = await servePage();
  t.after(() => site.close());
  const browser = await launch();
  t.after(() => browser.close());

  const leader = (former) =>
    browser.until(
      `const [, id] = /^Node (\\d) leads/.exec(document.querySelector("#summary").textContent) ?? [];
       return id !== arguments[0] && id;`,
      former ?? null,
    );
  const call = async (what, key, value) => {
    const before = await browser.run(
      `const before = document.querySelector("#answer").dataset.call;
       document.querySelector("#key").value = arguments[1];
       document.querySelector("#value").value = arguments[2];
       document.querySelector("button[value=" + arguments[0] + "]").click();
       return Number(before);`,
      what,
      key,
      value ?? "",
    );
    return browser.until(
      `const { dataset: { call, kind }, textContent } = document.querySelector("#answer");
       return Number(call) > arguments[0] && kind !== "waiting" && textContent;`,
      before,
    );
  };

  await browser.open(site.url);
  const first = await leader();
  assert.match(await call("put", "fruit", "apple"), /stored at revision 1/);
  const other = first === "1" ? "2" : "1";
  await browser.run(
    `document.querySelector("[aria-label='Delete database of node ${other}']").click();`,
  );
  await browser.until(
    `return document.querySelector("#events").textContent.includes(arguments[0]);`,
    `Node ${other} has learned everything, and has its vote again`,
  );
  await browser.run(`document.querySelector("[aria-label='Kill node ${first}']").click();`);
  await leader(first);
  assert.match(await call("get", "fruit"), /“apple”, of revision 1/);
  await browser.open(site.url);
  await leader();
  assert.match(await call("get", "fruit"), /“apple”, of revision 1/);
}
