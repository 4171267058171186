// Each lesson can be staged, says what it has words for, and can be done; and shows what it says without the rule, too.

import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "../www/load.mjs";
import { theatre } from "./theatre.mjs";

const { LESSONS } = await load("lessons/scenes");
const { Director } = await load("lessons/director");
const { LESSON_WORDS } = await load("words/lessons");

/** What breaks where a rule is switched off; `null`: nothing that is checked, only the way is another one. */
const BREAKS = {
  repair: null,
  figure8: /./,
  persistence:
    /Election Safety|One vote in a term|Votes and terms are never taken back|A restart finds what was durable/,
  preVote: null,
  reads: /Reads are not stale/,
  sessions: /./,
};

test("there are fourteen lessons, each with its words", () => {
  assert.deepEqual(
    LESSONS.map(({ id }) => id),
    Object.keys(LESSON_WORDS),
  );
  assert.equal(LESSONS.length, 14);
});

for (const lesson of LESSONS) {
  test(`${lesson.id}: it is told, and what is to be tried can be done`, async () => {
    const scene = new Director(theatre());
    await scene.open(lesson.spec);
    await lesson.tell(scene);
    const words = LESSON_WORDS[lesson.id];
    assert.deepEqual(
      scene.beats.map(({ says }) => says),
      Object.keys(words.says),
    );
    const events = scene.beats.map(({ moment }) => moment.event);
    assert.deepEqual(
      events,
      [...events].sort((a, b) => a - b),
    );
    assert.equal(
      lesson.done(scene.picture, scene.board),
      false,
      "it is not done before it was tried",
    );
    await lesson.solve(scene);
    assert.equal(lesson.done(scene.picture, scene.board), true);
    assert.equal(scene.film.failure, null);
  });
}

for (const lesson of LESSONS.filter(({ without }) => without !== undefined)) {
  test(`${lesson.id}: without the rule`, async () => {
    const scene = new Director(theatre());
    await scene.open({ ...lesson.spec, bug: lesson.without });
    // A world that is broken stands still, so that the scene may not come to its end.
    await lesson.tell(scene).catch(() => {});
    const breaks = BREAKS[lesson.id];
    if (breaks === null) assert.equal(scene.film.failure, null);
    else assert.match(scene.film.failure?.property ?? "nothing is broken", breaks);
    if (lesson.id !== "reads") return;
    // The shortest contradiction: what was written, and the read that began later and did not see it.
    const [write, read, ...rest] = scene.film.failure.operations.map(
      (id) => scene.film.operations[id - 1],
    );
    assert.deepEqual([write.text, read.text, rest.length], ["x=new", "get x", 0]);
    assert.ok(write.endedAt < read.calledAt);
  });
}
