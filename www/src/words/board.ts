/** What is said of shards and of jobs. Pure. */

import type {
  AttemptBoard,
  Board,
  JobPhase,
  PlaceBoard,
  TaskBoard,
  WorkerBoard,
} from "../sim/board.js";

export const BOARD = {
  titles: { shards: "Shards", job: "The job" } as const satisfies Record<Board["kind"], string>,
  shard: "Shard",
  keys: "Keys",
  owner: "Whose",
  nobody: "nobody yet",
  group: (id: number) => `At group ${id}`,
  owned: (id: number) => `group ${id}`,
  configuration: (number: number) =>
    number === 0 ? "There is no configuration yet." : `Configuration ${number}`,
  behind: (id: number, number: number) => `group ${id} is at ${number}`,
  kinds: { map: "Map", reduce: "Reduce", publish: "Publish" },
  tasks: "Tasks, and who tried each: ▶ works, ✓ won, ≠ beaten by another, ✕ given up",
  idle: "waits",
  workers: "Workers",
  result: "What was published",
} as const;

const PHASES: Readonly<Record<JobPhase, string>> = {
  none: "No job yet.",
  waiting: "The job is being handed in.",
  mapping: "Lines are mapped.",
  reducing: "Counts are added up.",
  publishing: "The result is published.",
  completed: "The job is done.",
  failed: "The job failed.",
  cancelled: "The job was cancelled.",
};

export function phaseText(phase: JobPhase): string {
  return PHASES[phase];
}

/** How a shard stands in a group. */
export function placeText({ stand, copies, pieces }: PlaceBoard): string {
  switch (stand) {
    case "serving":
      return "● served";
    case "leaving":
      return "◑ served, and copied";
    case "frozen":
      return "❄ frozen";
    case "arriving":
      return `◌ ${copies === 0 ? "arriving" : "catching up"}, ${pieces} ${pieces === 1 ? "piece" : "pieces"}`;
  }
}

/** What stands for a task in the row of its kind. */
export function taskName({ kind, index }: TaskBoard): string {
  return kind === "publish" ? "" : String(index + 1);
}

const ATTEMPTS: Readonly<Record<AttemptBoard["state"], readonly [sign: string, word: string]>> = {
  running: ["▶", "works at it"],
  won: ["✓", "won"],
  beaten: ["≠", "was beaten by another"],
  ended: ["✕", "was given up"],
};

/** An attempt as a sign, whose it is, and in words. */
export function attemptText({
  worker,
  state,
}: AttemptBoard): readonly [sign: string, worker: string, word: string] {
  const [sign, word] = ATTEMPTS[state];
  return [sign, `w${worker}`, word];
}

const WORKERS: Readonly<Record<WorkerBoard["state"], string>> = {
  waiting: "waits",
  working: "works",
  dead: "✕ dead",
  home: "is done",
};

export function workerText({ id, state, slow }: WorkerBoard): string {
  return `w${id} ${WORKERS[state]}${slow && state !== "dead" ? ", slow" : ""}`;
}

export const BOARD_ACTS = {
  group: "Group",
  join: "Join",
  leave: "Leave",
  worker: "Worker",
  kill: "Kill",
  tire: "Make slow",
  hire: "Another worker",
  submit: "Hand in the job",
  hints: {
    join: "It gets its part of the shards.",
    leave: "Its shards go to the other group.",
    kill: "It ends without a word.",
    tire: "It takes ten times as long from now on.",
    hire: "One more.",
    submit: "Count the words of six lines.",
  },
} as const;
