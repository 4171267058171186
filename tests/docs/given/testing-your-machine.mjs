import { simulate } from "quorate/testing";
import Machine from "./bank.js";

const place = Number(process.argv[2]);
/** The first block is a test, which ends by itself. */
export const stay = place === 1;

export const Bank = Machine;
const well =
  place === 1
    ? undefined
    : await simulate(Bank, { command: () => ({ from: "mint", to: "a", amount: 1 }) });
/** As if something had been found. */
export const result = { ...well, ok: false };
