// Leader tasks: a function that runs in one place at a time, and always somewhere.

import assert from "node:assert/strict";
import test from "node:test";

import { calm, failure, rough, world, worlds } from "./help.mjs";
import { errors, recipes } from "./model/build.mjs";

const { election, leaderTask } = recipes;

/** Runs a task in several clients until it has done so many steps in all; each step is fenced. */
function work(world, { clients = 3, steps = 12, fails = 0 } = {}) {
  const running = new Set();
  const [tokens, reported] = [[], []];
  world.invariant = () => {
    const now = [...running].filter(({ client }) => !client.dead && !client.isStalled());
    assert.ok(now.length <= 1, `${now.length} run at a time`);
  };
  const done = () => Number(world.store.keys.get("steps")?.value ?? 0);
  for (let client = 0; client < clients; client++) {
    const self = world.client(async (kv) => {
      const task = leaderTask(
        kv,
        "a",
        async (signal, { token, condition }) => {
          tokens.push(token);
          const entry = { client: self };
          running.add(entry);
          signal.addEventListener("abort", () => running.delete(entry));
          try {
            while (!signal.aborted && done() < steps) {
              await world.sleep(world.random.below(1_000));
              if (world.random.chance(fails)) throw new Error("a bad day");
              await kv.txn({ if: [condition], do: [{ increment: "steps" }] }, { signal });
            }
            signal.throwIfAborted();
          } finally {
            running.delete(entry);
          }
        },
        {
          ttl: 3_000,
          onError: (error) => reported.push(error),
          pause: { first: 100, most: 1_000 },
        },
      );
      await task.ended;
      assert.equal(task.token, undefined);
    });
  }
  // Somebody must be left to finish it.
  world.clients[0].mortal = false;
  return { tokens, reported, done };
}

test("it runs in one place at a time, until its work is done", async () => {
  await worlds(calm, (world) => {
    const { tokens, done } = work(world);
    return () => {
      assert.ok(done() >= 12);
      assert.ok(
        tokens.every((it, at) => at === 0 || tokens[at - 1] < it),
        `${tokens}`,
      );
    };
  });
});

test("it runs in one place at a time, and goes on elsewhere, through deaths, lost answers and exceptions", async () => {
  let [thrown, moves] = [0, 0];
  await worlds(rough, (world) => {
    const { tokens, reported, done } = work(world, { fails: 5 });
    return () => {
      assert.ok(done() >= 12);
      assert.ok(
        tokens.every((it, at) => at === 0 || tokens[at - 1] < it),
        `${tokens}`,
      );
      moves += tokens.length - 1;
      thrown += reported.filter(({ message }) => message === "a bad day").length;
      for (const error of reported) {
        if (error.message !== "a bad day") assert.ok(error instanceof errors.QuorateError, error);
      }
    };
  });
  assert.ok(moves > 0 && thrown > 0);
});

/** A task that notes when it begins and ends, and runs until it is told to end. */
function patient(kv, notes, options = {}) {
  return leaderTask(
    kv,
    "a",
    (signal) =>
      new Promise((resolve) => {
        notes.push("begins");
        signal.addEventListener("abort", () => {
          notes.push("ends");
          resolve();
        });
      }),
    { ttl: 5_000, ...options },
  );
}

test("a task that is stopped ends, and another one takes over at once", async () => {
  await worlds(
    calm,
    (world) => {
      const notes = [];
      world.client(async (kv) => {
        const first = patient(kv, notes);
        await world.sleep(10_000);
        const second = patient(kv, notes, { value: "second" });
        await world.sleep(10_000);
        assert.notEqual(first.token, undefined);
        assert.equal(second.token, undefined);
        await first.stop();
        await first.stop();
        assert.equal(first.token, undefined);
        await world.sleep(1_500);
        assert.notEqual(second.token, undefined);
        assert.deepEqual(await election(kv, "a").leader(), {
          value: "second",
          token: second.token,
        });
        await second[Symbol.asyncDispose]();
        assert.equal(await election(kv, "a").leader(), null);
        assert.deepEqual(notes, ["begins", "ends", "begins", "ends"]);
      });
    },
    40,
  );
});

test("a stopped candidate leaves the line, by its signal, too", async () => {
  await worlds(
    calm,
    (world) => {
      world.client(async (kv) => {
        const notes = [];
        const first = patient(kv, notes);
        await world.sleep(5_000);
        const stop = new AbortController();
        const second = patient(kv, notes, { signal: stop.signal });
        const third = patient(kv, notes);
        await world.sleep(5_000);
        stop.abort();
        await Promise.all([second.ended, third.stop()]);
        await first.stop();
        await world.sleep(5_000);
        assert.deepEqual(notes, ["begins", "ends"]);
        assert.equal(world.store.keys.size, 0);
        const never = patient(kv, notes, { signal: stop.signal });
        await never.ended;
      });
    },
    40,
  );
});

test("the signal tells at once that leadership is lost, and the task campaigns again", async () => {
  await worlds(
    calm,
    (world) => {
      world.client(async (kv) => {
        const reasons = [];
        const task = leaderTask(kv, "a", async (signal) => {
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
          reasons.push(signal.reason.code);
          // It ends in one way the first time, and in another one the second time.
          if (reasons.length === 2) throw new Error("what it throws now does not matter");
        });
        for (let time = 1; time <= 2; time++) {
          await world.sleep(5_000);
          const before = task.token;
          await kv.deleteRange({ prefix: "election/a/" });
          await world.sleep(5_000);
          assert.deepEqual(reasons, Array(time).fill("LEADERSHIP_LOST"));
          assert.ok(task.token > before);
        }
        await task.stop();
        assert.deepEqual(reasons, ["LEADERSHIP_LOST", "LEADERSHIP_LOST", "ABORTED"]);
      });
    },
    40,
  );
});

test("a task whose function returns is over here, and begins elsewhere", async () => {
  await world((world) => {
    world.client(async (kv) => {
      const runs = [];
      const [first, second] = [1, 2].map((it) => leaderTask(kv, "a", () => runs.push(it)));
      await Promise.all([first.ended, second.ended]);
      assert.deepEqual(runs.sort(), [1, 2]);
    });
  });
});

test("what the function throws ends the task, or goes to onError and the task pauses longer each time", async () => {
  await world((world) => {
    world.client(async (kv) => {
      const bad = () => {
        throw new Error("bad");
      };
      await assert.rejects(leaderTask(kv, "a", bad).ended, /bad/);
      const times = [];
      const onError = ({ message }) => {
        assert.equal(message, "bad");
        times.push(world.now);
      };
      const task = leaderTask(kv, "a", bad, { onError, pause: { first: 10_000, most: 40_000 } });
      await world.sleep(180_000);
      await task.stop();
      const pauses = times.slice(1).map((time, at) => Math.floor((time - times[at]) / 10_000));
      assert.deepEqual(pauses.slice(0, 4), [1, 2, 4, 4]);
    });
  });
});

test("a task that does not end when it is stopped gives its leadership up all the same", async () => {
  await world((world) => {
    world.client(async (kv) => {
      const stubborn = leaderTask(kv, "a", () => new Promise(() => {}));
      await world.sleep(2_000);
      const notes = [];
      const next = patient(kv, notes);
      await failure(stubborn.stop({ timeout: 1_000 }), "TIMEOUT");
      await world.sleep(5_000);
      assert.deepEqual(notes, ["begins"]);
      await next.stop();
    });
  });
});

test("trouble of the store is told, and does not end the task; a closed cluster does", async () => {
  await world((world) => {
    world.client(async (kv) => {
      const told = [];
      const lease = ["NO_QUORUM", "TIMEOUT", "CLOSED"];
      const failing = (code) => Promise.reject(errors.quorateError(code, "as the test says"));
      const json = { ...bound(kv.as("json")), lease: () => failing(lease.shift()) };
      const task = leaderTask({ as: () => json }, "a", () => {}, {
        onError: ({ code }) => told.push(code),
      });
      await task.ended;
      assert.deepEqual(told, ["NO_QUORUM", "TIMEOUT"]);

      const broken = { ...json, lease: () => failing("QUORUM_LOST") };
      await failure(leaderTask({ as: () => broken }, "a", () => {}).ended, "QUORUM_LOST");
    });
  });
});

const bound = (kv) => ({
  txn: kv.txn.bind(kv),
  range: kv.range.bind(kv),
  watch: kv.watch.bind(kv),
});
