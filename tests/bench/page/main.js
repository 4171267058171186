// What can be called in the page.

import * as bench from "./bench.js";
import * as life from "./life.js";

const functions = { ...bench, ...life };

globalThis.bench = {
  functions,
  /** For a driver that waits for nothing long: what comes of it is in `outcome`. */
  begin(name, args) {
    globalThis.bench.outcome = undefined;
    functions[name](...args).then(
      (value) => {
        globalThis.bench.outcome = { value };
      },
      (error) => {
        globalThis.bench.outcome = { error: String(error) };
      },
    );
  },
};
