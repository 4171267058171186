// What the tests of recipes share: many worlds, and who holds what in them.

import assert from "node:assert/strict";

import { errors } from "./model/build.mjs";
import { World } from "./model/world.mjs";

/** How many worlds each claim is tried in. */
const seeds = Number(process.env.QUORATE_WORLDS ?? 150);

/** Kinds of trouble, from none to all. */
export const calm = {};
export const rough = { unknown: 5, compact: 2, death: 0.4 };

/** Lets a story happen in many worlds. A failure names the seed. */
export async function worlds(faults, story, count = seeds) {
  for (let seed = 1; seed <= count; seed++) {
    const world = new World(seed, errors, faults);
    try {
      const check = story(world);
      await world.run();
      await check?.();
    } catch (error) {
      error.message = `in world ${seed}: ${error.message}`;
      throw error;
    }
  }
}

/** One world, for a story that needs no chance. */
export async function world(story, faults = calm) {
  await worlds(faults, story, 1);
}

/** The error of a promise, which must be the package's and have this code. */
export async function failure(work, code) {
  let error;
  try {
    await (typeof work === "function" ? work() : work);
  } catch (caught) {
    error = caught;
  }
  assert.ok(
    error instanceof errors.QuorateError,
    `wanted ${code}, got ${error === undefined ? "success" : error.stack}`,
  );
  assert.equal(error.code, code, error.message);
  assert.ok(error.message.length > 10, "the sentence helps");
  return error;
}

/** Errors with which a recipe may end when the store gives trouble. */
export function forgive(error) {
  const trouble = ["TIMEOUT", "ABORTED", "LOCK_LOST", "LEADERSHIP_LOST", "LEASE_NOT_FOUND"];
  if (!(error instanceof errors.QuorateError) || !trouble.includes(error.code)) throw error;
  return error;
}

/** Who holds something now, by their own belief. A client that is dead or stalled can do nothing, so it does not count. */
export class Holders {
  #all = new Set();

  constructor(world, most) {
    world.invariant = () => {
      const now = [...this.#all].filter(
        ({ hold, client }) => !hold.lost.aborted && !client.dead && !client.isStalled(),
      );
      assert.ok(
        now.length <= most,
        `${now.length} hold at a time: ${now.map((it) => it.hold.token)}`,
      );
    };
  }

  async during(hold, client, work) {
    const entry = { hold, client };
    this.#all.add(entry);
    try {
      return await work();
    } finally {
      this.#all.delete(entry);
    }
  }
}
