/** Recipes: what can be built on the store alone. Each is a function of a store and a name. */

export { barrier } from "./barrier.js";
export { counter } from "./counter.js";
export { doubleBarrier } from "./double-barrier.js";
export { election } from "./election.js";
export { leaderTask } from "./leader-task.js";
export { lock, tryLock } from "./lock.js";
export { queue } from "./queue.js";
export { semaphore } from "./semaphore.js";
