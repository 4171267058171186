import type { Job } from "quorate/mapreduce";

export const map: Job<string>["map"];
export function reduce(letter: string, words: Iterable<string>): string;
export const combine: typeof reduce;
