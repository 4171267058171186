/** The package's types, and its entry where nothing more particular fits. */

export * from "./entry/auto.js";
