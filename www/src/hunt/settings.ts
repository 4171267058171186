/** What the visitor asks for. Pure. */

import type { PlacedAct, Spec } from "../sim/chunk.js";
import { linkTo } from "../sim/link.js";
import { DEFAULT_SPEC } from "../sim/spec.js";
import type { Find } from "./tally.js";

/** How long faults come in a world, in virtual milliseconds. */
export const TORMENT = 10_000;

/** More workers than this no machine is given. */
export const MAX_WORKERS = 64;

/** A seed as it was typed; null where that is none, and a random one where nothing was. */
export function seedOf(text: string, random: () => number = Math.random): number | null {
  const digits = text.replaceAll(/[\s,_]/g, "");
  if (digits === "") return Math.floor(random() * 2 ** 32);
  const seed = Number(digits);
  return /^\d+$/.test(digits) && Number.isSafeInteger(seed) ? seed : null;
}

/** How many workers were asked for, of those that can be had. */
export function workersOf(text: string, usual: number): number {
  const count = Number.parseInt(text, 10);
  return Number.isNaN(count) ? usual : Math.min(Math.max(count, 1), MAX_WORKERS);
}

/** The address of a world that failed, at its last moment. */
export function linkToFind({ seed, event }: Find, bug: string | null): string {
  const spec: Spec = { ...DEFAULT_SPEC, world: "campaign", seed, torment: TORMENT, bug };
  return linkTo(spec, NO_ACTS, event);
}

/** The address of a calm scene with a bug in it. */
export function linkToScene(bug: string, scene: Partial<Spec>): string {
  return linkTo({ ...DEFAULT_SPEC, ...scene, bug }, NO_ACTS, 0);
}

const NO_ACTS: readonly PlacedAct[] = [];
