// Where the machines of these tests are, and clusters that run them.

import { open } from "../node/help.mjs";

/** The URL of a machine beside this file. */
export const machine = (name) => new URL(`./machines/${name}.mjs`, import.meta.url);

/** A module with this text. */
export const text = (code) => new URL(`data:text/javascript,${encodeURIComponent(code)}`);

/** A cluster with a machine, closed when the test ends. */
export const openMachine = (t, name, options = {}) =>
  open(t, { machine: machine(name), ...options });
