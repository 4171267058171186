// The simulator's page by keyboard, in Chromium and Firefox alike: each moment is what the world was then, as often as one goes there.

import assert from "node:assert/strict";

import { theatre } from "../sim-page/theatre.mjs";
import { load } from "../www/load.mjs";
import { inBoth } from "./hand.mjs";
import { openPages } from "./visit.mjs";

const pages = openPages();
const { DEFAULT_SPEC } = await load("sim/spec");
const { linkTo, readLink } = await load("sim/link");
const words = { ...(await load("words/simulator")), ...(await load("words/stage")) };
const { seconds } = await load("words/player");
const { explain } = await load("words/why");

const spec = { ...DEFAULT_SPEC, seed: 42, think: 60 };
const AT = 400;
/** What is lived here is longer than anybody looks at it there. */
const LONGER = 300;

/** The same world, lived here. */
async function lived(acts, at = AT + LONGER) {
  const own = theatre();
  await own.open(spec, acts, at);
  return own.film;
}

/** In the page: all that is to be seen of a moment once it has been drawn, or nothing. */
const SEEN = `
  const all = (selector, read = (one) => one.textContent) =>
    [...document.querySelectorAll(selector)].map(read);
  const label = (one) => one.getAttribute("aria-label");
  const slider = document.querySelector("input[type=range]");
  const [, event] = /event (\\d+)$/.exec(slider.getAttribute("aria-valuetext")) ?? [0, 0];
  return {
    event: Number(event),
    ring: all("#stage .node", label),
    logs: all(".row[data-node]", (row) => [...row.querySelectorAll("[data-cell]")].map(label)),
    summary: document.querySelector("#summary").textContent,
    now: all('#events li[aria-current="step"]'),
    past: all('#events li:not([data-when="future"])'),
    calls: all(".history button", label),
    facts: all("#inspector dl > div", ({ children: [name, value] }) =>
      [name.textContent, value.textContent]),
    inspected: all("#inspector h3"),
    why: all("#inspector .why"),
    lights: document.querySelector(".lights-summary").textContent,
  };
`;

/** What the world was at a moment, in the page's words. */
function facts(film, moment, inspected) {
  const { event } = moment;
  const picture = film.picture(moment);
  const reason = film.rows
    .slice(0, film.rowsUpTo(moment))
    .findLast(({ node, why }) => node === inspected && why !== null);
  return {
    ring: picture.nodes.map(({ id, term, log, state, role }) => {
      const is = state === "running" ? words.ROLES[role] : words.STATES[state];
      return [`n${id} term ${term} ${is}`, log.last];
    }),
    summary: words.describeCluster(picture),
    now: film
      .rowsOf(event)
      .map(({ at, node, client, kind, text }) =>
        [seconds(at), node > 0 ? `n${node}` : client > 0 ? `c${client}` : "", `${kind} ${text}`]
          .join("")
          .trim(),
      ),
    calls: film.operationsAt(moment).map(words.operationText),
    node: picture.nodes.find(({ id }) => id === inspected),
    at: moment.at / 1_000,
    why: reason === undefined ? [] : [told(explain(reason.why))],
  };
}

const told = ({ text, section }) => (section === "" ? text : `${text} ${section}`);

/** Waits until the page shows a moment in all its parts: lists and the inspector are drawn a few times a second. */
async function shows(hand, film, moment, inspected = null) {
  const wanted = facts(film, moment, inspected);
  const { event } = moment;
  let seen;
  for (let look = 0; look < 200; look++) {
    seen = await hand.run(SEEN);
    if (seen.event === event && differs(seen, wanted) === null) break;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  assert.equal(seen.event, event);
  assert.equal(differs(seen, wanted), null);
  return seen;
}

/** In what the page is not what the world was; null if in nothing. */
function differs(seen, { ring, summary, now, calls, node, at, why }) {
  for (const [name, value] of Object.entries({ summary, now, calls: [...calls].sort() })) {
    const shown = name === "calls" ? [...seen.calls].sort() : seen[name];
    if (JSON.stringify(shown) !== JSON.stringify(value)) return { name, shown, value };
  }
  for (const [place, [start, last]] of ring.entries()) {
    const said = seen.ring[place] ?? "";
    const log = last === 0 ? "Log: empty" : `Log: ${last} entries`;
    if (!said.startsWith(start) || !said.includes(log)) return { said, start, log };
  }
  if (node === undefined) return null;
  const { FACTS, STATES, ROLES } = words;
  const of = (id) => (id === null ? undefined : `n${id}`);
  const known = {
    [FACTS.state]: STATES[node.state],
    [FACTS.role]: node.state === "running" ? ROLES[node.role] : undefined,
    [FACTS.term]: String(node.term),
    [FACTS.vote]: of(node.vote),
    [FACTS.leader]: of(node.leader),
    [FACTS.timer]:
      node.timer === null || node.state !== "running"
        ? undefined
        : `${Math.max(0, Math.round(node.timer.to - at))} ms`,
    [FACTS.last]: String(node.log.last),
    [FACTS.commit]: String(node.log.commit),
    [FACTS.applied]: String(node.log.applied),
  };
  const shown = Object.fromEntries(seen.facts);
  for (const [name, value] of Object.entries(known))
    if (shown[name] !== value) return { name, shown: shown[name], value };
  return JSON.stringify(seen.why) === JSON.stringify(why) ? null : { shown: seen.why, why };
}

/** The page there, with all lines in its list of events. */
async function openAt(hand, link) {
  await hand.open(link);
  await hand.until(`return document.querySelector("#events li button") !== null`);
  await hand.reach("#events input[type=checkbox]");
  await hand.press("Space");
  await hand.until(`return document.querySelector("#events input").checked`);
}

/** To a time by the slider, as a hand that drags it does. */
const scrub = (hand, ms) =>
  hand.run(
    `const slider = document.querySelector("input[type=range]");
     slider.value = String(arguments[0]);
     slider.dispatchEvent(new Event("input", { bubbles: true }));`,
    ms,
  );

inBoth("each moment is shown again as it was", pages, async (hand) => {
  const acts = [
    { after: 150, act: { do: "crash", node: 2 } },
    { after: 250, act: { do: "start", node: 2 } },
  ];
  const film = await lived(acts);
  let moment = film.momentOf(AT);
  await openAt(hand, linkTo(spec, acts, AT));
  await shows(hand, film, moment);
  await hand.reach("#stage .node", "n2");
  await hand.press("Enter");
  const steps = [[moment, await shows(hand, film, moment, 2)]];
  for (let step = 0; step < 4; step++) {
    await hand.press("ArrowLeft");
    moment = film.previous(moment);
    steps.push([moment, await shows(hand, film, moment, 2)]);
  }
  for (const [moment, seen] of steps.slice(0, -1).toReversed()) {
    await hand.press("ArrowRight");
    assert.deepEqual(await shows(hand, film, moment, 2), seen);
  }
  // Back and forth by the slider: twice between the same events, and across the crash and the start.
  const [early, ...later] = [60, 160, 200, 240].map((event) =>
    Math.ceil(film.momentOf(event).at / 1_000),
  );
  const times = [early, early + 1, ...later];
  const first = new Map();
  for (const ms of [...times, ...times.toReversed()]) {
    await scrub(hand, ms);
    const seen = await shows(hand, film, film.momentAt(ms * 1_000), 2);
    if (first.has(ms)) assert.deepEqual(seen, first.get(ms));
    first.set(ms, seen);
  }
  const states = [...first.values()].map(({ facts }) => new Map(facts).get(words.FACTS.state));
  assert.ok(states.includes(words.STATES.down) && states.includes(words.STATES.running));
});

inBoth(
  "what is done by keyboard is in the link, which opens the same world",
  pages,
  async (hand) => {
    const before = await lived([]);
    const { event } = before.momentOf(AT);
    const { nodes } = before.picture(before.momentOf(AT));
    const { id } = nodes.find(({ role, state }) => role === "follower" && state === "running");
    await openAt(hand, linkTo(spec, [], AT));
    await shows(hand, before, before.momentOf(AT));
    await hand.reach("#stage .node", `n${id}`);
    await hand.press("Enter");
    await hand.says("#inspector h3", words.INSPECTOR.node(id));
    await hand.reach("button", "Crash");
    await hand.press("Enter");
    await hand.until(
      `return document.querySelector('#stage .node[data-node="' + arguments[0] + '"]').dataset.state === "down"`,
      id,
    );
    await hand.press("ArrowRight");
    await hand.press("ArrowRight");
    await hand.reach("button", "Copy a link to this moment");
    await hand.press("Enter");
    const fragment = await hand.until("return location.hash.includes('crash') && location.hash");
    const { kind, place } = readLink(fragment);
    assert.equal(kind, "place");
    assert.deepEqual(place.acts, [{ after: event, act: { do: "crash", node: id } }]);
    const after = await lived(place.acts, place.at + LONGER);
    const moment = after.momentOf(place.at);
    const there = await shows(hand, after, moment, id);
    // What was done in the past of a world, and a world in which it is done, are one.
    const own = theatre();
    await own.open(spec, [], AT);
    await own.act(place.acts[0].act, event);
    const opened = await lived(place.acts, own.film.end.event);
    assert.deepEqual([opened.end, opened.hash], [own.film.end, own.film.hash]);
    assert.notEqual(opened.hash, (await lived([], own.film.end.event)).hash);
    await hand.open("hunt.html");
    await openAt(hand, `simulator.html${fragment}`);
    await shows(hand, after, moment);
    await hand.reach("#stage .node", `n${id}`);
    await hand.press("Enter");
    assert.deepEqual(await shows(hand, after, moment, id), there);
  },
);

inBoth("time is driven by keyboard alone", pages, async (hand) => {
  const film = await lived([]);
  const moment = film.momentOf(AT);
  await openAt(hand, linkTo(spec, [], AT));
  await shows(hand, film, moment);
  const button = async (name, key) => {
    await hand.reach(".transport button", name);
    await hand.press(key);
  };
  const speed = `document.querySelector(".speed").textContent`;
  await button("One event back", "Enter");
  await shows(hand, film, film.previous(moment));
  await button("One event on", "Space");
  await shows(hand, film, moment);
  const usual = await hand.run(`return ${speed}`);
  await button("Faster", "Enter");
  await hand.until(`return ${speed} !== arguments[0]`, usual);
  await button("Slower", "Space");
  await hand.until(`return ${speed} === arguments[0]`, usual);
  await button("To the beginning", "Enter");
  await shows(hand, film, film.momentAt(0));
  await button("Play", "Enter");
  await hand.until(`return document.querySelectorAll('#events li[data-when="past"]').length > 3`);
  await button("Pause", "Space");
  await hand.until(`return document.querySelector(".transport [aria-label=Play]") !== null`);
  await hand.reach("input[type=range]", "Moment");
  await hand.press("Home");
  await shows(hand, film, film.momentAt(0));
  for (let press = 0; press < 5; press++) await hand.press("ArrowRight");
  await hand.until(`return document.querySelector("input[type=range]").valueAsNumber === 5`);
  await shows(hand, film, film.momentAt(5_000));
});
