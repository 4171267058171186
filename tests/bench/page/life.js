// A cluster's life, in the page.

import * as steps from "./life/steps.mjs";
import { Cluster } from "./quorate/auto.js";

const opener = (name) => () => Cluster.open({ name });

export const start = (name, origin) => steps.start(opener(name), origin);
export const failOver = (name, kind, times) => steps.failOver(opener(name), kind, times);

/** The cluster stays as long as the page. */
export const rest = async (name, settleMs) => {
  globalThis.resting = await steps.rest(opener(name), settleMs);
};

/** The same page, without a cluster. */
export const empty = (_name, settleMs) => steps.sleep(settleMs);
