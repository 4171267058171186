/** The rules between nodes, as the caller sees them. Pure: what changes is handed to `apply`, link by link. */

import { integer, invalid, number, record, show } from "./check.js";
import type { LinkRule, Network } from "./types.js";

/** A rule as the core takes it. */
export interface CoreRule {
  readonly blocked: boolean;
  readonly drop: number;
  readonly delayMs: number;
  readonly jitterMs: number;
}

export class Rules implements Network {
  #size: number;
  readonly #changed: () => void;
  /** The group of each node, by id; all alike when there is no partition. */
  #groups: number[];
  #losses = new Map<string, number>();
  #delays = new Map<string, { ms: number; jitter: number }>();

  /** Nodes up to `size` can be named. A new one belongs to those that are not named. */
  grow(size: number): void {
    this.#size = Math.max(this.#size, size);
  }

  /** `changed` is called after each change. */
  constructor(size: number, changed: () => void) {
    this.#size = size;
    this.#changed = changed;
    this.#groups = this.#together();
  }

  partition(...groups: (readonly number[])[]): void {
    if (groups.length === 0)
      throw invalid("partition needs at least one group of nodes, as in partition([1], [2, 3])");
    const next = this.#together();
    groups.forEach((group, at) => {
      if (!Array.isArray(group))
        throw invalid(`each group is an array of nodes, not ${show(group)}`);
      for (const node of group as readonly unknown[]) {
        const id = this.#node(node);
        if (next[id] !== 0) throw invalid(`node ${id} is named twice`);
        next[id] = at + 1;
      }
    });
    this.#groups = next;
    this.#changed();
  }

  isolate(...nodes: number[]): void {
    this.partition(...nodes.map((node) => [node]));
  }

  drop(rule: { from?: number; to?: number; probability: number }): void {
    record(rule, "the rule", ["from", "to", "probability"]);
    const probability = number(rule.probability, "probability", 0, 1);
    this.#each(rule, (link) => {
      if (probability === 0) this.#losses.delete(link);
      else this.#losses.set(link, probability);
    });
  }

  delay(rule: { from?: number; to?: number; ms: number; jitter?: number }): void {
    record(rule, "the rule", ["from", "to", "ms", "jitter"]);
    const ms = number(rule.ms, "ms", 0, MAX_DELAY_MS);
    const jitter = number(rule.jitter ?? 0, "jitter", 0, MAX_DELAY_MS);
    this.#each(rule, (link) => {
      if (ms + jitter === 0) this.#delays.delete(link);
      else this.#delays.set(link, { ms, jitter });
    });
  }

  heal(): void {
    this.#groups = this.#together();
    this.#losses.clear();
    this.#delays.clear();
    this.#changed();
  }

  get rules(): readonly LinkRule[] {
    const rules: LinkRule[] = [];
    for (let from = 1; from <= this.#size; from++) {
      for (let to = 1; to <= this.#size; to++) {
        if (from === to) continue;
        const { blocked, drop, delayMs, jitterMs } = this.rule(from, to);
        if (blocked || drop > 0 || delayMs + jitterMs > 0) {
          rules.push({ from, to, cut: blocked, drop, delay: delayMs, jitter: jitterMs });
        }
      }
    }
    return rules;
  }

  /** What `from` does with frames to `to`. */
  rule(from: number, to: number): CoreRule {
    const delay = this.#delays.get(linkName(from, to));
    return {
      blocked: (this.#groups[from] ?? 0) !== (this.#groups[to] ?? 0),
      drop: this.#losses.get(linkName(from, to)) ?? 0,
      delayMs: delay?.ms ?? 0,
      jitterMs: delay?.jitter ?? 0,
    };
  }

  #together(): number[] {
    return new Array<number>(this.#size + 1).fill(0);
  }

  #node(id: unknown): number {
    return integer(id, "a node", 1, this.#size);
  }

  #each(rule: { from?: number; to?: number }, visit: (link: string) => void): void {
    const from = rule.from === undefined ? undefined : this.#node(rule.from);
    const to = rule.to === undefined ? undefined : this.#node(rule.to);
    for (let a = from ?? 1; a <= (from ?? this.#size); a++) {
      for (let b = to ?? 1; b <= (to ?? this.#size); b++) {
        if (a !== b) visit(linkName(a, b));
      }
    }
    this.#changed();
  }
}

const MAX_DELAY_MS = 60_000;

function linkName(from: number, to: number): string {
  return `${from}>${to}`;
}
