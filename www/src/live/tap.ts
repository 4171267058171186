/**
 * Watches a node from within its worker, without a word to it: what goes over its ports, and when its timer is set. Installed before the
 * package's code, which knows nothing of it. Everything is counted; some of it is told, so that a page can draw it.
 */

import type { EntryPicture } from "../stage/picture.js";
import { Log } from "./tap-log.js";
import { readFrame, TAGS } from "./wire.js";

/** What the page gives a worker of its own, before the package says anything. */
export interface Attach {
  readonly type: "tap";
  readonly port: MessagePort;
}

/** What the page asks of it. */
export type Order = { readonly type: "freeze"; readonly ms: number };

/** A message that was sent. A tag of 0 is a client's frame. */
export interface Sighting {
  readonly tag: number;
  readonly from: number;
  readonly to: number;
  readonly term: number;
  readonly entries: number;
  /** When it was sent: milliseconds since 1970, as fine as the browser's clock is. */
  readonly at: number;
}

/** What a worker saw in a while. */
export interface Report {
  readonly node: number;
  /** How many messages of each tag the node sent, and frames of clients under 0. */
  readonly counts: readonly (readonly [tag: number, count: number])[];
  readonly sightings: readonly Sighting[];
  /** Terms of entries that were sent. */
  readonly runs: readonly Run[];
  /** The newest of these entries in words. */
  readonly entries: readonly EntryPicture[];
  /** The election timer, as it stands; null: not known, or none. */
  readonly timer: { readonly from: number; readonly to: number } | null;
}

/** Entries that follow one another: all are of `term`, and the one before the first is of `before`. */
export interface Run {
  readonly first: number;
  readonly last: number;
  readonly term: number;
  readonly before: number;
}

/** A report is made in so many milliseconds. */
export const REPORT_MS = 50;
/** So many messages of one report are told of; more, of those that are rare. */
export const TOLD = 5;
const TOLD_RARE = 20;
/** The shortest time for which a follower of this page waits. */
export const ELECTION_MS = 300;

/** What is rare, and worth to be seen each time. */
const RARE: ReadonlySet<number> = new Set([
  TAGS.preVote,
  TAGS.preVoteGranted,
  TAGS.preVoteRefused,
  TAGS.requestVote,
  TAGS.requestVoteTransfer,
  TAGS.voteGranted,
  TAGS.voteRefused,
  TAGS.appendRejected,
  TAGS.snapshotLastChunk,
  TAGS.snapshotInstalled,
  TAGS.timeoutNow,
]);

/** With these a node gives its election timer a new deadline when it hears them, and when it says them. */
const HEARD: ReadonlySet<number> = new Set([
  TAGS.append,
  TAGS.heartbeat,
  TAGS.commitNotice,
  TAGS.snapshotChunk,
  TAGS.snapshotLastChunk,
]);
const SAID: ReadonlySet<number> = new Set([
  TAGS.preVote,
  TAGS.requestVote,
  TAGS.requestVoteTransfer,
  TAGS.voteGranted,
]);

/** Installs the tap. To be called before the package's code runs. */
export function tap(): void {
  const watch = new Watch();
  watchPorts(watch);
  watchTimer(watch);
  watchClock(watch);
  addEventListener("message", (event) => {
    const { data } = event as MessageEvent;
    if (data?.type === "start") watch.node = data.node;
    if (data?.type === "peerGone") watch.gone(data.node);
    if (data?.type !== "tap") return;
    event.stopImmediatePropagation();
    watch.tellTo((data as Attach).port);
  });
}

/** What was seen since the last report. */
class Watch {
  node = 0;
  #tell: ((report: Report) => void) | undefined;
  #counts = new Map<number, number>();
  #sightings: Sighting[] = [];
  #told = 0;
  /** One in so many messages is told of. */
  #stride = 1;
  #seen = 0;
  #log = new Log();
  #isDue = false;
  /** When the election timer was given its deadline, and for how long that was, when it was last known. */
  #reset: number | undefined;
  /** It is given one in the step that begins: from the time that the node finds it to be. */
  #hears = false;
  #length = 1.5 * ELECTION_MS;
  #timer: Report["timer"] = null;
  #heard = false;
  #leader = 0;
  /** The owner has just told that the leader's worker ended: followers do not wait for the rest of their time then. */
  #hurries = false;
  /** The node's timer. */
  alarm: Alarm | undefined;

  tellTo(port: MessagePort): void {
    port.onmessage = ({ data }: MessageEvent<Order>) => freeze(data.ms);
    this.#tell = (report) => Reflect.apply(plainPost, port, [report]);
  }

  /** The node, or a client of it, sent or got a frame. */
  frame(data: unknown, way: "sent" | "received"): void {
    if (!(data instanceof ArrayBuffer)) return;
    const frame = readFrame(
      new Uint8Array(data),
      (entry) => way === "sent" && this.#log.add(entry),
    );
    if (frame.kind === "other") return;
    if (frame.kind === "messages") {
      for (const head of frame.heads) {
        if (way === "sent") this.#sent(head);
        if ((way === "sent" ? SAID : HEARD).has(head.tag)) this.#reset = looked;
        if (way === "received" && HEARD.has(head.tag)) {
          this.#hears = true;
          this.#heard = true;
          this.#leader = head.from;
        }
      }
    } else {
      const [from, to] = way === "sent" ? [this.node, 0] : [0, this.node];
      for (let left = frame.count; left > 0; left--)
        this.#sent({ tag: 0, from, to, term: 0, entries: 0 });
    }
    this.#due();
  }

  /** The worker of another node ended. What the node does about it, it does before anything else. */
  gone(node: number): void {
    if (node !== this.#leader) return;
    this.#hurries = true;
    looked = now();
    looks = true;
    plainSetTimeout(() => {
      this.#hurries = false;
    });
  }

  /** The node looked at the clock, to begin a step. */
  looked(): void {
    if (this.#hears) this.#reset = looked;
    this.#hears = false;
  }

  /** Whether a timer that is set now is the node's. */
  get isAtWork(): boolean {
    return atWork || this.#hurries;
  }

  /** A timer of the node was set, to go off in `ms`. Its deadline is that of an election if it is as far off as one. */
  armed(ms: number): void {
    const at = looked + ms;
    if (this.#hurries) {
      this.#timer = { from: at - this.#length, to: at };
      this.#due();
      return;
    }
    // One whose time was over campaigns, or waits anew; whoever it asks may not hear of it.
    if ((this.#timer?.to ?? 0) <= looked + 1 && ms >= ELECTION_MS - 2) this.#reset = looked;
    const length = at - (this.#reset ?? looked);
    if (this.#reset === undefined || length < ELECTION_MS - 2 || length > 2 * ELECTION_MS + 2)
      return;
    this.#length = length;
    this.#timer = { from: this.#reset, to: at };
    this.#due();
  }

  #sent({ tag, from, to, term, entries }: Omit<Sighting, "at">): void {
    this.#counts.set(tag, (this.#counts.get(tag) ?? 0) + 1);
    const rare = RARE.has(tag);
    this.#seen += 1;
    if (rare ? this.#told >= TOLD_RARE : this.#told >= TOLD || this.#seen % this.#stride > 0)
      return;
    this.#told += 1;
    this.#sightings.push({ tag, from, to, term, entries, at: now() });
  }

  #due(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    plainSetTimeout(() => this.#report(), REPORT_MS);
  }

  #report(): void {
    // It finds nothing due, and sets a new one: so the deadline that it has since it heard the leader is known.
    if (this.#heard) this.alarm?.fireNow();
    this.#heard = false;
    this.#isDue = false;
    // Between two words of the leader the deadline may not be known: then it is about as far off as it was.
    if (this.#reset !== undefined && (this.#timer?.from ?? 0) < this.#reset)
      this.#timer = { from: this.#reset, to: this.#reset + this.#length };
    this.#tell?.({
      node: this.node,
      counts: [...this.#counts],
      sightings: this.#sightings,
      ...this.#log.take(),
      timer: this.#timer,
    });
    this.#stride = Math.max(1, Math.ceil(this.#seen / TOLD));
    this.#counts = new Map();
    this.#sightings = [];
    this.#told = 0;
    this.#seen = 0;
  }
}

const plainSetTimeout = globalThis.setTimeout;
const plainClearTimeout = globalThis.clearTimeout;
const plainPost = MessagePort.prototype.postMessage;
const plainNow = performance.now.bind(performance);

/** Whether the node is at work: a port's message is being taken, or a timer goes off. What is set then is the node's timer. */
let atWork = false;
/** The time from which the node counts in the step that it is at, or was at last, however long it was held up before and after. */
let looked = 0;
/** It has not looked at the clock in this step: it counts from its first look, others are of those who measure. */
let looks = false;

function work(step: () => void): void {
  const before = atWork;
  atWork = true;
  looked = now();
  looks = true;
  try {
    step();
  } finally {
    atWork = before;
  }
}

/** The core listens by `onmessage`, and sends by `postMessage`. */
function watchPorts(watch: Watch): void {
  const { prototype } = MessagePort;
  prototype.postMessage = function (this: MessagePort, ...args: unknown[]) {
    // Before it is transferred.
    watch.frame(args[0], "sent");
    Reflect.apply(plainPost, this, args);
  };
  const onmessage = Object.getOwnPropertyDescriptor(prototype, "onmessage");
  const [get, set] = [onmessage?.get, onmessage?.set];
  if (get === undefined || set === undefined) return;
  Object.defineProperty(prototype, "onmessage", {
    configurable: true,
    enumerable: true,
    get,
    set(this: MessagePort, handler: ((event: MessageEvent) => void) | null) {
      const watched = (event: MessageEvent) =>
        work(() => {
          watch.frame(event.data, "received");
          handler?.call(this, event);
        });
      set.call(this, handler === null ? null : watched);
    },
  });
}

/** A timer of the node that has not gone off. It takes no harm from going off early. */
interface Alarm {
  readonly timer: number;
  fireNow(): void;
}

function watchTimer(watch: Watch): void {
  const set = (callback: unknown, ms = 0, ...rest: unknown[]): number => {
    if (typeof callback !== "function") return plainSetTimeout(callback as () => void, ms, ...rest);
    const fire = () => {
      if (watch.alarm?.timer === timer) watch.alarm = undefined;
      work(() => callback(...rest));
    };
    const timer = plainSetTimeout(fire, ms);
    const fireNow = () => {
      plainClearTimeout(timer);
      fire();
    };
    if (watch.isAtWork) {
      watch.alarm = { timer, fireNow };
      watch.armed(ms);
    }
    return timer;
  };
  globalThis.setTimeout = set as typeof setTimeout;
  globalThis.clearTimeout = (timer) => {
    if (watch.alarm?.timer === timer) watch.alarm = undefined;
    plainClearTimeout(timer);
  };
}

/** The core looks at the clock when a step begins, and counts from what it reads. */
function watchClock(watch: Watch): void {
  performance.now = () => {
    const time = plainNow();
    if (watch.isAtWork && looks) {
      looks = false;
      looked = performance.timeOrigin + time;
      watch.looked();
    }
    return time;
  };
}

/** Milliseconds since 1970, as the page counts them, too. */
function now(): number {
  return performance.timeOrigin + plainNow();
}

/** Does nothing at all for a while: nothing that comes is heard, and nothing is said. The clock goes on. */
function freeze(ms: number): void {
  const end = plainNow() + ms;
  while (plainNow() < end);
}
