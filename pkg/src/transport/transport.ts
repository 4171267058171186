/**
 * What a node needs of a transport: frames to other nodes, which are known by their ids.
 *
 * Frames are opaque, and may be lost, doubled, delayed or overtaken by others. One that arrives is as it was sent: a
 * transport that can garble must check, and drop.
 */

/** Carries frames between nodes. One of it can be opened again after it was closed: its node was started again. */
export interface Transport {
  /**
   * Opens the way of one node to the others. `receive` gets what arrives, from then on until `close`; it owns the frame.
   * A transport that knows from whom the frame is says so, and frames that claim to be from someone else are dropped.
   */
  open(
    self: TransportNode,
    receive: (frame: Uint8Array, from?: number) => void,
  ): TransportLink | Promise<TransportLink>;
}

/** For whom a transport is opened. */
export interface TransportNode {
  /** The cluster's name. */
  readonly cluster: string;
  /** The node's id. */
  readonly node: number;
}

/** An open way. */
export interface TransportLink {
  /**
   * Sends a frame to a node, or to all nodes that can be reached. The frame belongs to the transport from then on. Nobody
   * is told what became of it; what cannot be sent is lost.
   */
  send(frame: Uint8Array, to?: number): void;
  /** Lets go of everything. A second time it does nothing. */
  close(): void | Promise<void>;
}
