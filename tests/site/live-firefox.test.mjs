// The live page in Firefox: what it shows is what the nodes say, through faults and a reload.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { servePage } from "../browser/help.mjs";
import { firefox } from "../browser/webdriver.mjs";

let site;
before(async () => {
  site = await servePage();
});
after(() => site?.close());

/** In the page: a line typed at the console; answers with what it says, once it has said something. */
const TYPE = `
  const [line] = arguments;
  const input = document.querySelector("#console-input");
  input.value = line;
  document.querySelector("#console-form").requestSubmit();
`;
/** In the page: what the console said since the last line was typed. */
const SAID = `
  const lines = [...document.querySelectorAll("#console-lines p")];
  const typed = lines.findLastIndex((line) => line.dataset.kind === "typed");
  const said = lines.slice(typed + 1).map((line) => line.textContent);
  return said.length >= arguments[0] && said;
`;
/** In the page: the leader that it names, if it is another one. */
const LEADER = `
  const [, id] = /^Node (\\d) leads/.exec(document.querySelector("#summary").textContent) ?? [];
  return Number(id) !== arguments[0] && Number(id);
`;
/** In the page: for each node what ring and card say. */
const SHOWN = `
  return [...document.querySelectorAll("#stage .node")].map((node) => {
    const card = document.querySelector('article[data-node="' + node.dataset.node + '"]');
    const facts = [...card.querySelectorAll("dd")].map((fact) => fact.textContent);
    const term = /term (\\d+)/.exec(node.getAttribute("aria-label"))[1];
    return [Number(node.dataset.node), node.dataset.state, node.dataset.role, term, facts[0], facts[3]];
  });
`;

/** Types a line at the console; answers with what is said then, so many lines at least. */
function typist({ run, until }) {
  return async (line, lines = 1) => {
    await run(TYPE, line);
    return until(SAID, lines);
  };
}

test("Firefox: ring and cards say what status() says, through a kill, a cut and a reload", async (t) => {
  const driven = await firefox();
  t.after(() => driven.close());
  const { run, until } = driven;
  const type = typist(driven);
  /** Both at one time: they are asked until they agree, as they do when nothing changes. */
  const compare = async (nodes) => {
    let shown;
    let said;
    for (let look = 0; look < 100; look++) {
      said = await type("status", nodes);
      shown = (await run(SHOWN)).map(([id, state, role, term, cardTerm, commit]) =>
        state === "running"
          ? [`node ${id}: ${role}, term ${term}, committed ${commit} `, term === cardTerm]
          : [`node ${id}: killed`, true],
      );
      if (shown.every(([line, same], at) => same && said[at].startsWith(line))) return said;
    }
    assert.fail(JSON.stringify({ shown, said }));
  };
  await driven.open(site.url);
  const first = await until(LEADER, 0);
  assert.deepEqual(await type("put fruit apple"), ["ok, at revision 1"]);
  await compare(3);
  await run(`document.querySelector("[aria-label='Kill node ${first}']").click()`);
  const second = await until(LEADER, first);
  assert.deepEqual(await type("get fruit"), ["apple"]);
  assert.equal((await compare(3))[first - 1], `node ${first}: killed`);
  await run(`document.querySelector("[aria-label='Start node ${first}']").click()`);
  await until(
    `return document.querySelector('.node[data-node="${first}"]').dataset.state === "running"`,
  );
  await run(
    `document.querySelector("[aria-label='Cut off node ${second} from the others']").click()`,
  );
  await until(LEADER, second);
  await run(`document.querySelector("#heal").click()`);
  await until(
    `return document.querySelector('.node[data-node="${second}"]').dataset.role === "follower"`,
  );
  await compare(3);

  // What is seen on the wires is what the nodes count.
  await run(`
    const rate = document.querySelector("#load-rate");
    rate.value = "100";
    rate.dispatchEvent(new Event("change"));`);
  await until(`return /^\\d{3,} answered/.test(document.querySelector("#load-state").textContent)`);
  await run(`
    const rate = document.querySelector("#load-rate");
    rate.value = "0";
    rate.dispatchEvent(new Event("change"));`);
  const [sent, lost, seen] = await until(`
    const row = document.querySelector('#messages tr[data-kind="append"]');
    const cells = [...row.querySelectorAll("td")].map((td) => Number(td.textContent.replaceAll(",", "")));
    return cells[0] > 100 && cells[0] - cells[1] === cells[2] && cells`);
  assert.equal(seen, sent - lost);
  await until(`return document.querySelectorAll("#plots canvas").length === 3`);

  await driven.open(site.url);
  await until(LEADER, 0);
  assert.deepEqual(await type("get fruit"), ["apple"]);
  await compare(3);
});

// Chromium's tests run in contexts of their own, which are its private windows.
test("Firefox: a private window has a cluster like any other, and keeps it over a reload", async (t) => {
  const driven = await firefox(undefined, { "browser.privatebrowsing.autostart": true });
  t.after(() => driven.close());
  const type = typist(driven);
  await driven.open(site.url);
  await driven.until(LEADER, 0);
  assert.deepEqual(await type("put fruit apple"), ["ok, at revision 1"]);
  await driven.open(site.url);
  await driven.until(LEADER, 0);
  assert.deepEqual(await type("get fruit"), ["apple"]);
  const told = ["#warning", "#trouble"].map(
    (place) => `document.querySelector("${place}").checkVisibility()`,
  );
  assert.equal(await driven.run(`return ${told.join(" || ")};`), false);
});
