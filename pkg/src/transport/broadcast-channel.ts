/**
 * A transport over `BroadcastChannel`: to all tabs and workers of one origin, or of one Node process.
 *
 * What is for one node goes over a channel that only the two of them open, so that a tab which does not listen, because
 * it is frozen, collects nothing but what is meant for it.
 */

import { MAX_ID } from "../limits.js";
import type { Transport, TransportLink, TransportNode } from "./transport.js";

/** Reaches the nodes of this cluster's name in all tabs of the site. */
export function broadcastChannel(): Transport {
  return new Broadcast();
}

/** The class tells it from a user's own: a worker opens it by itself. */
export class Broadcast implements Transport {
  open(self: TransportNode, receive: (frame: Uint8Array, from?: number) => void): TransportLink {
    const { cluster, node } = self;
    const pairs = new Map<number, BroadcastChannel>();
    const hear = (name: string, from?: number) => {
      const channel = new BroadcastChannel(`quorate/${cluster}/${name}`);
      channel.onmessage = ({ data }: MessageEvent<unknown>) => {
        if (from === undefined && isNumber(data)) meet(data);
        else receive(data as Uint8Array, from);
      };
      return channel;
    };
    const pair = (other: number) => {
      if (other === node) return undefined;
      let channel = pairs.get(other);
      pairs.delete(other);
      if (channel === undefined) {
        for (const [idle, longest] of pairs) {
          if (pairs.size < PAIRS_MAX) break;
          longest.close();
          pairs.delete(idle);
        }
        channel = hear([node, other].sort((a, b) => a - b).join("-"), other);
        // The other one may not know yet that it is to listen.
        all.postMessage(node);
      }
      // The last one is the one that was used last.
      pairs.set(other, channel);
      return channel;
    };
    // Who is there says its number; who hears that answers with the negative of its own.
    const meet = (said: number) => {
      pair(Math.abs(said));
      if (said > 0) all.postMessage(-node);
    };
    const all = hear("all");
    let isOpen = true;
    all.postMessage(node);
    return {
      send: (frame, to) => {
        if (isOpen) (to === undefined ? all : pair(to))?.postMessage(frame);
      },
      close: () => {
        isOpen = false;
        for (const channel of [all, ...pairs.values()]) channel.close();
        pairs.clear();
      },
    };
  }
}

function isNumber(data: unknown): data is number {
  return Number.isInteger(data) && data !== 0 && Math.abs(data as number) <= MAX_ID;
}

/** As many as a host has links. */
const PAIRS_MAX = 255;
