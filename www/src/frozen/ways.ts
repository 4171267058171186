/** Three ways for tabs to choose one that does the work. */

import { createLeaderElection, BroadcastChannel as ElectionChannel } from "broadcast-channel";
import type { Node } from "quorate";

/** A way to choose. */
export interface Way {
  readonly id: "lock" | "library" | "quorate";
  readonly name: string;
  /**
   * Calls `lead` when this tab was chosen, with the term, if there are any, and with what does one piece of work: null where it
   * may not any more, else the revision of the work, or 0 where there are none.
   */
  join(lead: (work: () => Promise<number | null>, term?: number) => void): void;
}

/** Whoever holds the lock works. The browser gives it to the next one when the tab is closed, and not before. */
export const webLock: Way = {
  id: "lock",
  name: "A Web Lock",
  join: (lead) => {
    void navigator.locks.request("frozen-leader", () => {
      lead(async () => 0);
      return new Promise(() => {});
    });
  },
};

/** The election of the package `broadcast-channel`, as its documentation has it. */
export const library: Way = {
  id: "library",
  name: "broadcast-channel",
  join: (lead) => {
    const elector = createLeaderElection(new ElectionChannel("frozen-leader"));
    void elector.awaitLeadership().then(() => lead(async () => (elector.isLeader ? 0 : null)));
  },
};

/**
 * The tab whose node leads claims the work for its term; a later term takes the claim away. Each piece of work is a
 * transaction that holds only under the claim, so that a leader that has slept can do no harm.
 */
export const quorate = (node: Node): Way => ({
  id: "quorate",
  name: "Quorate",
  join: (lead) => {
    /** The last term in which this node led. */
    let led = 0;
    const claim = async (term: number) => {
      const mine = { node: node.id, term };
      while (term === led) {
        const before = await node.kv.get<typeof mine>("claim");
        if (before !== null && before.value.term >= term) return;
        const { swapped } = await node.kv.compareAndSwap("claim", before?.value, mine);
        if (!swapped) continue;
        lead(async () => {
          const { succeeded, revision } = await node.kv.txn({
            if: [{ key: "claim", value: mine }],
            do: [{ increment: "work" }],
          });
          return succeeded ? revision : null;
        }, term);
        return;
      }
    };
    const look = ({ leader, term }: { leader: number | null; term: number }) => {
      if (leader !== node.id || term === led) return;
      led = term;
      // A claim that cannot be made in all the time that a call has is none: nobody agrees.
      void claim(term).catch(() => {
        led = 0;
      });
    };
    node.addEventListener("leaderchange", ({ detail }) => look(detail));
    void node.status().then(look);
  },
});
