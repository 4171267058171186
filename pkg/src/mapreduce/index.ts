/** The types of `quorate/mapreduce`, and its entry where nothing more particular fits. */

export * from "../entry/mapreduce.js";
