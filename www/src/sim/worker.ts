/** The worker in which a world lives. */

import { loadSimulator } from "./load.js";
import { NotLoaded, type Order, World } from "./world.js";

const world = new World(loadSimulator);
/** Orders are carried out in the order in which they came. */
let last: Promise<unknown> = Promise.resolve();

addEventListener("message", ({ data }: MessageEvent<{ number: number; order: Order }>) => {
  last = last.then(async () => {
    const { number, order } = data;
    try {
      postMessage({ number, answer: await world.perform(order) });
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      postMessage({ number, problem, isLoaded: !(error instanceof NotLoaded) });
    }
  });
});
