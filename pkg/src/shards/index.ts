/** The types of `quorate/shards`, and its entry where nothing more particular fits. */

export * from "../entry/shards.js";
