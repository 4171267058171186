// A world of a machine, in a page.

import { simulate } from "./quorate/testing.js";

const { default: Bank, asked } = await import("./bank.mjs");

class Stamped extends Bank {
  apply(command) {
    return [super.apply(command), Date.now()];
  }
}

const told = async (machine) => {
  const { ok, hash, failure, counts } = await simulate(machine, { ...asked, seed: 12, seconds: 3 });
  return { ok, hash, failure: failure?.kind ?? "none", calls: counts.calls };
};

try {
  const module = new URL("./bank.mjs", import.meta.url);
  globalThis.outcome = { told: [await told(Bank), await told(module), await told(Stamped)] };
} catch (error) {
  globalThis.outcome = { error: String(error) };
}
