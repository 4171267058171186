/** The worker of a node: the package's own, with a tap on it. */

import { tap } from "./tap.js";

tap();
// What is not there, or does not run, shall be an error of this worker, which the page hears of.
import("quorate/worker").catch((error: unknown) => {
  setTimeout(() => {
    throw error;
  });
});
