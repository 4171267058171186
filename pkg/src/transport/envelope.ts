/** What goes over a transport: a frame, and who says it to whom. Numbers are little-endian, as in all that is stored or sent. */

/** The format. Frames of another one are dropped. */
export const ENVELOPE_VERSION = 1;

/** What is inside. */
export const Kind = {
  /** Who the sender is, as JSON: see `Hello`. */
  Hello: 1,
  /** From core to core. */
  Messages: 2,
  /** From a client to a node that is not its owner's, and back. `channel` is the client's number. */
  Requests: 3,
  Replies: 4,
  /** What only a leader can do, as JSON, and what came of it. `channel` is the number of the request. */
  Ask: 5,
  Answer: 6,
  /** The sender ends its node in order. */
  Goodbye: 7,
} as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

export interface Envelope {
  readonly kind: Kind;
  readonly from: number;
  /** 0: whoever gets it. */
  readonly to: number;
  readonly channel: number;
  /** The cluster's id; `NOBODY` if the sender knows of none. */
  readonly cluster: string;
  /** The sender's incarnation: drawn for one life of its worker. */
  readonly sender: string;
  /** The addressee's, as far as the sender knows; else `NOBODY`. */
  readonly addressee: string;
  readonly body: Uint8Array;
}

/** The name that nothing has. */
export const NOBODY = "0000000000000000";

export function seal(envelope: Envelope): Uint8Array {
  const { kind, from, to, channel, cluster, sender, addressee, body } = envelope;
  const frame = new Uint8Array(HEADER_BYTES + body.length);
  const view = new DataView(frame.buffer);
  frame.set([0x51, 0x54, ENVELOPE_VERSION, kind]);
  view.setUint32(4, from, true);
  view.setUint32(8, to, true);
  view.setUint32(12, channel, true);
  [cluster, sender, addressee].forEach((name, at) => {
    view.setBigUint64(16 + 8 * at, BigInt(`0x${name}`), true);
  });
  frame.set(body, HEADER_BYTES);
  return frame;
}

/** Reads any bytes: an envelope, or why they are none. */
export function open(frame: unknown): Envelope | "malformed" | "version" {
  if (!(frame instanceof Uint8Array) || frame.length < HEADER_BYTES) return "malformed";
  if (frame[0] !== 0x51 || frame[1] !== 0x54) return "malformed";
  if (frame[2] !== ENVELOPE_VERSION) return "version";
  const kind = frame[3] as Kind;
  if (!KINDS.has(kind)) return "malformed";
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const name = (at: number) =>
    view
      .getBigUint64(16 + 8 * at, true)
      .toString(16)
      .padStart(16, "0");
  const from = view.getUint32(4, true);
  if (from === 0) return "malformed";
  return {
    kind,
    from,
    to: view.getUint32(8, true),
    channel: view.getUint32(12, true),
    cluster: name(0),
    sender: name(1),
    addressee: name(2),
    body: frame.subarray(HEADER_BYTES),
  };
}

const HEADER_BYTES = 40;
const KINDS: ReadonlySet<Kind> = new Set(Object.values(Kind));
