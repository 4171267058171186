/** What the simulator's page says. Pure. */

import type { Act, Failure, OperationRow } from "../sim/chunk.js";
import type { ReadLink } from "../sim/link.js";
import type { Commitment } from "../simulator/commit.js";
import type { Explanation } from "./why.js";

const list = (ids: readonly number[]) => ids.map((id) => `n${id}`).join(", ");

/** How far an entry is. */
export function commitmentText(index: number, commitment: Commitment): Explanation {
  const [text, section] = told(index, commitment);
  return { text, section };
}

function told(index: number, commitment: Commitment): readonly [string, string] {
  switch (commitment.state) {
    case "none":
      return [`There is no entry ${index} here.`, ""];
    case "committed":
      return [
        commitment.applied
          ? `Entry ${index} is committed, and applied to the store here.`
          : `Entry ${index} is committed; the store here will have it in a moment.`,
        "§5.3",
      ];
    case "unheard":
      return [
        `Entry ${index} is committed. This node has not heard so yet: the next message of the leader n${commitment.leader} says it.`,
        "§5.3",
      ];
    case "noLeader":
      return [
        `Entry ${index} is not known to be committed, and there is no leader to find out. The next one may have it, or not.`,
        "§5.4",
      ];
    case "foreign":
      return [
        commitment.theirs === 0
          ? `Entry ${index} is not in the log of the leader n${commitment.leader}: it was never committed, and will be removed.`
          : `The leader n${commitment.leader} has another entry ${index}, of term ${commitment.theirs}. This one was never committed, and will be replaced.`,
        "§5.3",
      ];
    case "waits": {
      const { holders, majority } = commitment;
      const have =
        holders.length === 0
          ? "Nobody has"
          : `${list(holders)} ${holders.length === 1 ? "has" : "have"}`;
      return [
        `Entry ${index} is not committed yet: ${have.charAt(0).toLowerCase()}${have.slice(1)} it on disk, as far as the leader knows, and it takes ${majority}.`,
        "§5.3",
      ];
    }
    case "earlierTerm":
      return [
        `A majority has entry ${index} on disk, and still it is not committed: it is of an earlier term, and the leader n${commitment.leader} counts only entries of its own term ${commitment.term}. It is committed with the first of these.`,
        "§5.4.2, Figure 8",
      ];
  }
}

/** What can be done to a node. */
export const NODE_ACTS: readonly {
  readonly do: Act["do"] & string;
  readonly label: string;
  readonly hint: string;
}[] = [
  { do: "crash", label: "Crash", hint: "What is not on its disk is gone." },
  { do: "start", label: "Start", hint: "From what its disk has." },
  { do: "timeout", label: "Time out", hint: "Its election timer fires now." },
  { do: "pause", label: "Pause", hint: "It does nothing; its clock goes on." },
  { do: "resume", label: "Resume", hint: "All that came meanwhile comes now." },
  { do: "freeze", label: "Freeze", hint: "Its clock stands, too: a laptop that sleeps." },
  { do: "thaw", label: "Thaw", hint: "It goes on, and finds out." },
  { do: "evict", label: "Lose disk", hint: "It crashes, and its disk is gone." },
  { do: "transfer", label: "Make leader", hint: "The leader hands over to it." },
  { do: "remove", label: "Remove", hint: "It leaves the cluster, by joint consensus." },
  { do: "demote", label: "Take vote", hint: "It becomes a learner." },
];

export const ACTS = {
  node: "Node",
  nobody: "Choose a node in the ring, or here.",
  link: "Link",
  from: "from",
  to: "to",
  cut: "Cut",
  mend: "Mend",
  slow: "Slow (100 ms)",
  isolate: "Cut off",
  heal: "Heal the network",
  restore: "Restore members",
  call: "Client",
  op: "asks to",
  key: "Key",
  value: "Value",
  ask: "Ask",
  lose: "Lose it",
  deliver: "Deliver it now",
} as const;

export const EVENTS = {
  label: "Events around this moment",
  none: "Nothing has happened yet. Press Play.",
  all: "Show disks and timers, too",
} as const;

export const INSPECTOR = {
  nothing:
    "Choose a node, a message, an entry or an event. Stop first: what flies is hard to catch.",
  event: (event: number) => `Event ${event}`,
  node: (id: number) => `Node n${id}`,
  flight: (name: string, from: number, to: number) => `${name} from ${who(from)} to ${who(to)}`,
  entry: (index: number, node: number) => `Entry ${index} at n${node}`,
  operation: (id: number) => `Call ${id}`,
  why: "Why",
  sent: "sent",
  arrives: "arrives",
  landed: { arrived: "arrived", lost: "was lost" },
  vanishes: "vanishes on its way",
  term: "term",
} as const;

export const FACTS = {
  state: "State",
  role: "Role",
  term: "Term",
  vote: "Voted for",
  leader: "Follows",
  votes: "Has votes of",
  timer: "Campaigns in",
  last: "Last entry",
  persisted: "On disk",
  commit: "Committed",
  applied: "Applied",
  snapshot: "Snapshot",
  peer: (id: number) => `About n${id}`,
} as const;

function who(id: number): string {
  return id === 0 ? "a client" : `n${id}`;
}

export const LIGHTS = {
  holds: "holds",
  broken: "broken",
  all: (count: number) => `All ${count} hold up to this moment.`,
  one: (name: string) => `Broken: ${name}.`,
  each: "What is checked",
} as const;

export const HISTORY = {
  none: "No client has called yet.",
  label: "Calls, by client and time",
  check: "Check linearizability",
  good: "One order explains all that clients saw so far: each call took effect at one moment between its beginning and its end.",
  bad: (count: number) =>
    count === 1
      ? "This call was told what nobody may be told at that moment."
      : `No order explains these ${count} calls. Leave out any of them, and one does.`,
  state: {
    open: "no answer yet",
    answered: "answered",
    unknown: "no answer: it may have taken effect",
    notApplied: "failed: it has had no effect",
  },
  span: "Seconds shown",
} as const;

export function operationText({ client, text, answer, state }: OperationRow): string {
  // It begins with what is written on its bar.
  return answer === null
    ? `${text}. Client ${client}, ${HISTORY.state[state]}`
    : `${text}: ${answer}. Client ${client}`;
}

export const WORLD = {
  seed: "Seed",
  dice: "Another seed",
  nodes: "Nodes",
  clients: "Clients that call by themselves",
  think: "Pause between their calls (ms)",
  election: "Election timeout (ms)",
  heartbeat: "Heartbeat (ms)",
  delay: "Delay of messages (ms)",
  loss: "Lost of 1,000 messages",
  disk: "Time of a write (ms)",
  snapshotEntries: "Entries between snapshots",
  batch: "Entries in a message",
  faults: "Time between faults (ms; 0: none)",
  reads: "Reads are answered by",
  world: "Kind",
  bug: "Planted bug",
  noBug: "none: the code that ships",
  hint: "To try",
  begin: "Begin this world",
  link: "Copy a link to this moment",
  copied: "The link is copied. Whoever opens it sees this very moment.",
  notCopied: "The browser does not let this page copy. The link is in the address bar now.",
  kinds: {
    scene: "a scene: nothing happens but what you do",
    campaign: "a campaign: drawn from the seed, as a hunt lives it",
    shards: "shards: a controller and two groups, of 1 to 3 nodes each",
    job: "a job: MapReduce on so many coordinators",
  },
  readers: {
    leader: "the leader, which asks a majority",
    lease: "the leader, by its lease",
    here: "any node, which asks the leader",
  },
} as const;

export function failureText({ kind, property, text }: Failure): string {
  return kind === "safety"
    ? `${property} is broken: ${text}`
    : `Too long without progress: ${text}`;
}

export const FULL = "This film is full. Go back and do something else, or begin another world.";
export const ENDED = "This world has come to its end: the faults stopped, and all is well.";

export const TROUBLE = {
  loading: "The simulator did not start",
  refused: "That cannot be done",
  link: "This link cannot be opened",
  way: "Begin an ordinary world",
  wasm: (text: string) =>
    `The browser did not load or run the simulator's WebAssembly: ${text.replace(/\.+$/, "")}. A policy or an extension may forbid it. The lessons' texts and the documentation can be read without.`,
  unreadable: (what: string) => `What is behind the # is not what this page writes: ${what}.`,
  newer: (version: number) =>
    `It was made by a newer version of this page (format ${version}). Reload the page to get that, or ask for the seed.`,
} as const;

export function linkTrouble(link: ReadLink): string | null {
  switch (link.kind) {
    case "newer":
      return TROUBLE.newer(link.version);
    case "unreadable":
      return TROUBLE.unreadable(link.what);
    default:
      return null;
  }
}
