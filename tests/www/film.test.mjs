// The film of a world: what was at each moment, however it came in chunks, and after it was cut.

import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./load.mjs";

const { Film } = await load("sim/film");

/** A world of so many events: each is a millisecond after the one before, and node 1's term is its number. */
function world(events, first = 1) {
  const numbers = Array.from({ length: events - first + 1 }, (_, at) => first + at);
  return {
    at: events * 1_000,
    count: events,
    hash: String(events),
    events: numbers.map((event) => ({
      event,
      at: event * 1_000,
      kind: "timer",
      node: 1,
      text: `${event}`,
    })),
    nodes: numbers.map((event) => ({ event, node: { id: 1, term: event } })),
    // Each message takes as many events as its number has ones; the seventh, and each seventh after it, is lost.
    flights: numbers.map((event) => ({
      id: event,
      event,
      sentAt: event,
      arrivesAt: event + ones(event),
      lost: event % 7 === 0,
    })),
    landings: numbers.flatMap((event) =>
      Array.from({ length: 12 }, (_, back) => event - back - 1)
        .filter((flight) => flight > 0 && flight + ones(flight) === event)
        .map((flight) => ({
          flight,
          event,
          at: event,
          fate: flight % 7 === 0 ? "lost" : "arrived",
        })),
    ),
    operations: [],
    links: [],
    boards: [],
    failure: null,
    ended: false,
  };
}

const ones = (number) => number.toString(2).replaceAll("0", "").length;
const flying = (film, event) =>
  film
    .picture(film.momentOf(event))
    .flights.map(({ id }) => id)
    .sort((a, b) => a - b);
/** The same by counting. */
const expected = (event) =>
  Array.from({ length: event }, (_, at) => at + 1).filter((id) => id + ones(id) > event);

test("a moment has the nodes and messages that it had, in one chunk or in many", () => {
  const whole = new Film();
  whole.append(world(2_000));
  const pieces = new Film();
  for (let first = 1; first <= 2_000; first += 333)
    pieces.append(world(Math.min(2_000, first + 332), first));
  for (const film of [whole, pieces]) {
    for (const event of [1, 2, 255, 256, 257, 258, 511, 512, 513, 1_000, 1_998]) {
      assert.equal(film.node(1, event).term, event);
      assert.deepEqual(flying(film, event), expected(event), `after ${event}`);
    }
    assert.deepEqual(film.picture(film.momentOf(0)).nodes, []);
    const [lost] = film.picture(film.momentOf(1_001)).flights.filter(({ id }) => id === 1_001);
    assert.equal(lost.lost, true);
    assert.equal(film.end.event, 2_000);
  }
});

test("moments are found by time and by step", () => {
  const film = new Film();
  film.append(world(100));
  assert.deepEqual(film.momentAt(50_500), { event: 50, at: 50_500 });
  assert.deepEqual(film.momentAt(-1), { event: 0, at: 0 });
  assert.deepEqual(film.momentAt(1e9), { event: 100, at: 100_000 });
  assert.deepEqual(film.next({ event: 50, at: 50_500 }), { event: 51, at: 51_000 });
  assert.deepEqual(film.previous({ event: 50, at: 50_500 }), { event: 49, at: 49_000 });
  assert.equal(film.next(film.end), null);
  assert.deepEqual(film.previous({ event: 1, at: 1_000 }), { event: 0, at: 0 });
  assert.deepEqual(
    film.rowsOf(7).map(({ text }) => text),
    ["7"],
  );
});

test("after a cut nothing is known of what came later, and another future can follow", () => {
  const film = new Film();
  film.append(world(1_000));
  film.cut(600);
  assert.deepEqual(film.end, { event: 600, at: 600_000 });
  assert.equal(film.node(1, 9_999).term, 600);
  assert.deepEqual(flying(film, 600), expected(600));
  film.append(world(1_000, 601));
  for (const event of [599, 600, 601, 700, 998])
    assert.deepEqual(flying(film, event), expected(event), `after ${event}`);
});

test("a call is shown as it was at the moment", () => {
  const film = new Film();
  const call = { id: 1, client: 1, key: "x", text: "put 1", calledAt: 10_000, calledEvent: 10 };
  const chunk = world(100);
  chunk.operations = [
    { ...call, state: "answered", answer: "ok", endedAt: 30_000, endedEvent: 30, point: 20_000 },
  ];
  film.append(chunk);
  const at = (event) => film.operationsAt(film.momentOf(event))[0];
  assert.equal(at(9), undefined);
  assert.deepEqual([at(10).state, at(10).point, at(10).answer], ["open", null, null]);
  assert.deepEqual([at(20).state, at(20).point, at(20).endedAt], ["open", 20_000, null]);
  assert.deepEqual([at(30).state, at(30).answer], ["answered", "ok"]);
  film.cut(25);
  assert.equal(film.operations[0].state, "open");
});
