/** The keys of a partition with their values, as a job of the user's own reduces them. */

import type { Engine } from "./engine.js";
import { type Group, groupsIn } from "./groups.js";
import { fewerChains, mergedChains } from "./ordered-merge.js";
import { orderOf } from "./ordered-pairs.js";
import type { Assignment } from "./protocol.js";
import { openSections, type ReduceInput } from "./reduce-input.js";
import { fewer, mergedValues } from "./runs.js";
import type { Run } from "./tasks.js";
import type { AnyJob } from "./user-job.js";

export interface ReduceGroups extends Pick<ReduceInput<unknown>, "blame" | "close"> {
  readonly groups: Iterable<Group>;
}

/** Opens them, in the job's order. `name` is that of the file that comes of it. */
export async function openGroups(
  engine: Engine,
  job: AnyJob,
  run: Run,
  assignment: Assignment & { kind: "reduce" },
  name: string,
): Promise<ReduceGroups> {
  const { task } = assignment;
  const { scratch } = run;
  if (job.compare === undefined) {
    const input = await openSections(engine, run, assignment, name, (all, report) =>
      fewer(engine, all, task, scratch, name, report),
    );
    return { ...input, groups: groupsIn(mergedValues(engine, task, input.parts)) };
  }
  const merge = { engine, order: orderOf(job), partition: task };
  const input = await openSections(engine, run, assignment, name, (all, report) =>
    fewerChains(merge, all, { scratch, name, memory: run.spec.memory, report }),
  );
  return { ...input, groups: groupsIn(mergedChains(merge, input.parts)) };
}
