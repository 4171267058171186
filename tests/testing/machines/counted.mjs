// A bank that counts how often its module was loaded.

export { default } from "./bank.mjs";

globalThis.loadsOfCounted = (globalThis.loadsOfCounted ?? 0) + 1;
