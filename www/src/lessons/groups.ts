/** Beyond one group: shards that move between groups, and a job of MapReduce. */

import type { Board, JobBoard, ShardsBoard, TaskBoard } from "../sim/board.js";
import type { Director, Sight } from "./director.js";
import { calm, type Lesson } from "./lesson.js";
import { anotherLeads, both, leads } from "./sights.js";

const shardsOf = (board: Board | null): ShardsBoard | null =>
  board?.kind === "shards" ? board : null;

const jobOf = (board: Board | null): JobBoard | null => (board?.kind === "job" ? board : null);

/** The latest configuration is this one, and each group serves just what it gives it. */
const settled =
  (number: number): Sight =>
  (_, board) => {
    const shards = shardsOf(board);
    if (shards === null || shards.number !== number) return false;
    const [, ...groups] = shards.groups;
    return groups.every(({ id, places, ...group }) => {
      const its = shards.owners.filter((owner) => owner === id);
      return (
        group.number === number &&
        places.length === its.length &&
        places.every(({ stand }) => stand === "serving")
      );
    });
  };

/** Some shard stands so somewhere. */
const stands =
  (stand: string): Sight =>
  (_, board) =>
    shardsOf(board)?.groups.some(({ places }) => places.some((place) => place.stand === stand)) ??
    false;

/** A group serves a shard. */
const serves =
  (id: number, shard: number): Sight =>
  (_, board) =>
    shardsOf(board)
      ?.groups.find((group) => group.id === id)
      ?.places.some((place) => place.shard === shard && place.stand === "serving") ?? false;

/** So many nodes of groups that hold shards are down. */
const downInGroups =
  (count: number): Sight =>
  ({ nodes }) =>
    nodes.filter(({ id, state }) => id > 10 && state === "down").length >= count;

/** Who leads the group whose nodes these are. */
function leaderAmong(scene: Director, group: number): number {
  const found = scene.picture.nodes.find(
    ({ id, role, state }) =>
      Math.floor(id / 10) === group && role === "leader" && state === "running",
  );
  if (found === undefined) throw new Error(`nobody leads group ${group}`);
  return found.id;
}

/** The calls so far have ended. */
const answered = (scene: Director) => () =>
  scene.film.operationsAt(scene.now).every(({ state }) => state !== "open");

export const shards: Lesson = {
  id: "shards",
  spec: calm(3, { world: "shards" }),
  tell: async (scene) => {
    await scene.until(settled(1));
    await scene.until((_, board) => (shardsOf(board)?.groups[1]?.places.length ?? 0) > 0);
    scene.say("groups");
    for (const [at, key] of ["a", "b", "c", "d", "e", "f"].entries())
      await scene.ask(1 + (at % 3), "put", key, `the value of ${key}`);
    await scene.until(answered(scene));
    scene.say("keys");
    await scene.act({ do: "join", group: 2 });
    await scene.until((_, board) => shardsOf(board)?.number === 2);
    scene.say("decided");
    await scene.until(stands("leaving"));
    await scene.until(stands("arriving"));
    scene.say("copied");
    await scene.until(stands("frozen"));
    scene.say("frozen");
    const board = shardsOf(scene.board);
    const place = board?.groups[1]?.places.find(({ stand }) => stand === "frozen");
    const shard = place?.shard ?? 0;
    const key = board?.keys.find(([, of]) => of === shard)?.[0] ?? "a";
    await scene.ask(1, "append", key, "!");
    await scene.until(serves(2, shard));
    scene.say("arrived");
    await scene.until(answered(scene));
    scene.say("followed");
    await scene.until(settled(2));
    scene.say("end");
  },
  done: both(downInGroups(1), settled(2)),
  solve: async (scene) => {
    scene.back("copied");
    await scene.crash(leaderAmong(scene, 1));
    await scene.until(settled(2));
  },
};

const isRunning = ({ attempts }: TaskBoard) => attempts.some(({ state }) => state === "running");

const inPhase =
  (phase: string): Sight =>
  (_, board) =>
    jobOf(board)?.phase === phase;

/** A worker has a task. */
const works =
  (worker: number): Sight =>
  (_, board) =>
    jobOf(board)?.workers.some(({ id, state }) => id === worker && state === "working") ?? false;

/** What a worker had was given to another one. */
const givenOn =
  (worker: number): Sight =>
  (_, board) =>
    jobOf(board)?.tasks.some((task) => {
      const left = task.attempts.some((one) => one.worker === worker && one.state === "ended");
      return left && isRunning(task);
    }) ?? false;

/** Two are at the same task. */
const backedUp: Sight = (_, board) =>
  jobOf(board)?.tasks.some(
    ({ attempts }) => attempts.filter(({ state }) => state === "running").length === 2,
  ) ?? false;

const dead = (board: Board | null) =>
  jobOf(board)?.workers.filter(({ state }) => state === "dead").length ?? 0;

export const job: Lesson = {
  id: "job",
  spec: calm(3, { world: "job" }),
  tell: async (scene) => {
    await scene.pass(20);
    await scene.act({ do: "timeout", node: 1 });
    await scene.until(leads(1));
    scene.say("waits");
    await scene.act({ do: "submit" });
    await scene.until(inPhase("mapping"));
    for (const worker of [1, 2, 3]) await scene.until(works(worker));
    scene.say("maps");
    await scene.act({ do: "kill", worker: 3 });
    scene.say("dies");
    await scene.until(givenOn(3));
    scene.say("again");
    await scene.crash(1);
    scene.say("leader");
    await scene.until(anotherLeads(1));
    scene.say("goesOn");
    await scene.until(inPhase("reducing"));
    scene.say("reduces");
    await scene.act({ do: "tire", worker: 2 });
    await scene.until(backedUp);
    scene.say("backup");
    await scene.until(inPhase("completed"));
    scene.say("end");
  },
  done: both(inPhase("completed"), (_, board) => dead(board) >= 2),
  solve: async (scene) => {
    scene.back("again");
    await scene.act({ do: "kill", worker: 2 });
    await scene.until(inPhase("completed"));
  },
};
