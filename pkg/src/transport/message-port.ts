/** A transport over one `MessagePort` to each other node: to frames, workers, or threads. */

import { integer, invalid } from "../check.js";
import { MAX_ID } from "../limits.js";
import type { Transport, TransportLink } from "./transport.js";

/** What of a port is used: a browser's, or Node's. */
export interface FramePort {
  /** Sends a frame; its buffer is transferred. */
  postMessage(frame: Uint8Array, transfer: ArrayBuffer[]): void;
  /** Set to hear what arrives; null to hear it no more. */
  onmessage: ((event: never) => void) | null;
  /** Lets messages in. Node's ports and a browser's have it, others need not. */
  start?(): void;
}

/** A transport that ports can be given to at any time. Its user closes them. */
export interface MessagePortTransport extends Transport {
  /** Reaches a node over this port from now on, or, without one, no longer. */
  connect(node: number, port: FramePort | undefined): void;
}

/** Reaches other nodes over these ports, one for each, by their ids. */
export function messagePort(ports: Readonly<Record<number, FramePort>> = {}): MessagePortTransport {
  const transport = new Ports();
  for (const [node, port] of Object.entries(ports)) transport.connect(Number(node), port);
  return transport;
}

type Receive = Parameters<Transport["open"]>[1];

class Ports implements MessagePortTransport {
  readonly #ports = new Map<number, FramePort>();
  #receive: Receive | undefined;

  connect(node: number, port: FramePort | undefined): void {
    integer(node, "a node", 1, MAX_ID);
    const earlier = this.#ports.get(node);
    if (earlier !== undefined) earlier.onmessage = null;
    this.#ports.delete(node);
    if (port === undefined) return;
    if (typeof port?.postMessage !== "function") throw invalid("a port is a MessagePort");
    this.#ports.set(node, port);
    if (this.#receive !== undefined) this.#listen(node, port, this.#receive);
  }

  open(_self: unknown, receive: Receive): TransportLink {
    this.#receive = receive;
    for (const [node, port] of this.#ports) this.#listen(node, port, receive);
    return {
      send: (frame, to) => {
        if (this.#receive !== receive) return;
        if (to !== undefined) return this.#post(this.#ports.get(to), frame);
        for (const port of this.#ports.values()) {
          try {
            this.#post(port, frame.slice());
          } catch {
            // Lost to this one; the others get it.
          }
        }
      },
      close: () => {
        if (this.#receive !== receive) return;
        this.#receive = undefined;
        // On Node a port that somebody listens to keeps the process alive.
        for (const port of this.#ports.values()) port.onmessage = null;
      },
    };
  }

  #listen(node: number, port: FramePort, receive: Receive): void {
    port.onmessage = ({ data }: { data: Uint8Array }) => receive(data, node);
    port.start?.();
  }

  #post(port: FramePort | undefined, frame: Uint8Array): void {
    // A frame that is a part of something larger is copied, not torn out.
    const whole = frame.byteLength === frame.buffer.byteLength ? frame : frame.slice();
    port?.postMessage(whole, [whole.buffer as ArrayBuffer]);
  }
}
