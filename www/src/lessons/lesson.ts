/** What a lesson is. */

import type { Spec } from "../sim/chunk.js";
import { DEFAULT_SPEC } from "../sim/spec.js";
import type { LessonId } from "../words/lessons.js";
import type { Director, Sight } from "./director.js";

export interface Lesson {
  readonly id: LessonId;
  /** The world in which it plays. */
  readonly spec: Spec;
  /** Stages it. */
  readonly tell: (scene: Director) => Promise<void>;
  /** The same with a bug or a variant, by its name: what would be otherwise. */
  readonly without?: string;
  /** Whether the visitor has done what was to be tried, after the last thing that was said. */
  readonly done: Sight;
  /** One way to do it: lessons are tested with it. */
  readonly solve: (scene: Director) => Promise<void>;
}

/** A calm world of so many nodes, without clients of its own. */
export function calm(nodes: number, other: Partial<Spec> = {}): Spec {
  return { ...DEFAULT_SPEC, nodes, clients: 0, delay: 15, ...other };
}
