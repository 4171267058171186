/**
 * Between a node's host and a transport: who the others are, and a port for each. Runs in the node's worker.
 *
 * Who says hello is a peer until it is silent for long. Whatever comes in is checked here once; what does not fit is
 * dropped, and counted by its reason.
 */

import type { Host } from "../wasm/quorate_wasm.js";
import { now, nowSinceEpoch } from "./clock.js";
import { type PlainError, toPlain } from "./errors.js";
import { MAX_ID } from "./limits.js";
import { randomName } from "./names.js";
import type { LeaderRequest } from "./protocol.js";
import { type Envelope, Kind, NOBODY, open, seal } from "./transport/envelope.js";
import { Order } from "./transport/order.js";
import type { Transport, TransportLink } from "./transport/transport.js";
import type { TransportStatus } from "./types.js";

/** What a node says of itself to all others. */
export interface Hello {
  /** Name of its cluster. */
  readonly name: string;
  /** Its storage's own name. */
  readonly storage: string;
  /** It is run by somebody else, because its owner is gone. */
  readonly orphan: boolean;
  /** It runs a state machine of the user's own. */
  readonly machine: boolean;
  /** When its worker's life began, in milliseconds by its own clock: of two lives the later one counts. */
  readonly born: number;
}

/** Who this is. */
type Self = Omit<Hello, "storage" | "born"> & { readonly node: number };

/** Another node, as it is now. */
export interface Peer extends Hello {
  readonly incarnation: string;
  /** The cluster it knows; `NOBODY` if none. */
  readonly cluster: string;
  /** When anything was last heard of it. */
  heard: number;
}

/** What a mesh tells its node. */
export interface MeshEvents {
  /** Somebody knows the cluster, and this node does not. */
  cluster(id: string): void;
  /** Somebody knows a cluster of this name, with another kind of machine; this node knows of none. */
  mismatch(): void;
  /** Another node is there, anew or for the first time. */
  up(node: number): void;
  down(node: number): void;
  /** Another node asks for what a leader can do; the index of the entry. */
  asked(request: LeaderRequest): number;
}

/** What the core takes for a port. */
interface CorePort {
  postMessage(frame: ArrayBuffer): void;
  onmessage: ((event: { data: ArrayBuffer }) => void) | null;
  onmessageerror: null;
  close(): void;
}

interface Contact extends Peer {
  readonly port: CorePort;
  /** Its page's clients, by the numbers they have there. */
  readonly clients: Map<
    number,
    { readonly id: number; readonly port: CorePort; readonly order: Order }
  >;
  /** When something was last sent while it was silent. */
  probed: number;
  /** Of what it asks of a leader. */
  readonly asked: Order;
}

export class Mesh {
  readonly peers = new Map<number, Contact>();
  readonly #self: Self;
  readonly #events: MeshEvents;
  readonly #incarnation = randomName();
  readonly #born = nowSinceEpoch();
  readonly #traffic = {
    sent: 0,
    received: 0,
    /** Not sent, because the other one has been silent for long. */
    withheld: 0,
    malformed: 0,
    origin: 0,
    cluster: 0,
    version: 0,
    incarnation: 0,
    repeated: 0,
  };
  #link: TransportLink | undefined;
  #host: Host | undefined;
  #storage = NOBODY;
  #cluster = NOBODY;
  /** The core has begun to run, and takes ports. */
  #isRunning = false;
  #timer: ReturnType<typeof setInterval> | undefined;
  /** The page's ports to other nodes' clients, by channel. */
  readonly #far = new Map<
    number,
    { readonly node: number; readonly port: MessagePort; readonly order: Order }
  >();
  readonly #asks = new Map<
    number,
    {
      readonly node: number;
      readonly asked: number;
      readonly answer: (index: number, error?: PlainError) => void;
    }
  >();
  readonly #askOrder = new Order();
  #nextAsk = 1;
  #nextClient = CLIENTS_FROM;
  #looked = now();

  constructor(self: Self, events: MeshEvents) {
    this.#self = self;
    this.#events = events;
  }

  /** Opens the way. `cluster` is what the storage knows of it. */
  async open(
    transport: Transport,
    host: Host,
    storage: string,
    cluster: string | null,
  ): Promise<void> {
    this.#host = host;
    this.#storage = storage;
    this.#cluster = cluster ?? NOBODY;
    const { name, node } = this.#self;
    this.#link = await transport.open({ cluster: name, node }, (frame, from) =>
      this.#receive(frame, from),
    );
    this.#sayHello();
    this.#timer = setInterval(() => this.#tick(), HELLO_MS);
  }

  /** The host runs now, in this cluster. */
  begin(cluster: string): void {
    this.#cluster = cluster;
    this.#isRunning = true;
    for (const [node, { port, cluster }] of this.peers)
      if (cluster === this.#cluster) this.#host?.connectPeer(node, port);
    this.#sayHello();
  }

  /** Connects a client of this node's page to another node. */
  connectFar(node: number, channel: number, port: MessagePort): void {
    this.#far.get(channel)?.port.close();
    const order = new Order();
    this.#far.set(channel, { node, port, order });
    port.onmessage = ({ data }: MessageEvent<ArrayBuffer>) =>
      this.#send(Kind.Requests, node, channel, order.give(new Uint8Array(data)));
  }

  /** Ends what `connectFar` began; whether there was anything. */
  disconnectFar(channel: number): boolean {
    this.#far.get(channel)?.port.close();
    return this.#far.delete(channel);
  }

  /**
   * Asks another node for what only a leader can do. An error whose outcome is unknown: it may have been taken, and
   * the answer was lost.
   */
  ask(
    node: number,
    request: LeaderRequest,
    answer: (index: number, error?: PlainError) => void,
  ): void {
    const number = this.#nextAsk++;
    const contact = this.peers.get(node);
    if (contact === undefined || this.#asks.size >= ASKS_MAX) {
      answer(0, { code: "NOT_LEADER", message: `node ${node} cannot be reached` });
      return;
    }
    this.#asks.set(number, { node, asked: now(), answer });
    this.#send(Kind.Ask, node, number, this.#askOrder.give(encode(request)));
  }

  /** Another node's life is over: whoever follows it need not wait until it is silent for long. It is known until its next life. */
  ended(node: number): void {
    if (this.#isRunning && this.peers.has(node)) this.#host?.disconnectPeer(node);
  }

  status(): TransportStatus {
    const { sent, received, withheld, ...dropped } = this.#traffic;
    return { incarnation: this.#incarnation, sent, received, withheld, dropped };
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#post(Kind.Goodbye, 0, 0, new Uint8Array());
    const link = this.#link;
    this.#link = undefined;
    for (const node of [...this.peers.keys()]) this.#forget(node);
    for (const { port } of this.#far.values()) port.close();
    await link?.close();
  }

  /** The time, with which `heard` of peers compares. */
  look(): number {
    const time = now();
    // This worker stood still itself: that nobody was heard says nothing of the others.
    if (time - this.#looked > STILL_MS)
      for (const contact of this.peers.values()) contact.heard = time;
    this.#looked = time;
    return time;
  }

  #tick(): void {
    const time = this.look();
    for (const [node, { heard }] of this.peers) if (time - heard > GONE_MS) this.#forget(node);
    this.#giveUp(({ asked }) => time - asked >= ASK_MS, "has not answered");
    this.#sayHello();
  }

  #sayHello(to = 0): void {
    const { name, orphan, machine } = this.#self;
    const hello: Hello = { name, orphan, machine, storage: this.#storage, born: this.#born };
    this.#post(Kind.Hello, to, 0, encode(hello));
  }

  #receive(frame: unknown, from: number | undefined): void {
    if (this.#link === undefined && this.#host === undefined) return;
    const traffic = this.#traffic;
    const envelope = open(frame);
    if (typeof envelope === "string") {
      traffic[envelope] += 1;
      return;
    }
    const { node } = this.#self;
    if ((from !== undefined && from !== envelope.from) || envelope.from === node) {
      traffic.origin += 1;
      return;
    }
    if ((envelope.to !== 0 && envelope.to !== node) || envelope.from > MAX_ID) {
      traffic.malformed += 1;
      return;
    }
    if (envelope.kind === Kind.Hello) {
      if (this.#hear(envelope)) traffic.received += 1;
      return;
    }
    const contact = this.peers.get(envelope.from);
    if (envelope.cluster !== this.#cluster) {
      traffic.cluster += 1;
      return;
    }
    const isStranger = contact?.incarnation !== envelope.sender;
    const isForEarlier = envelope.to !== 0 && envelope.addressee !== this.#incarnation;
    if (contact === undefined || isStranger || isForEarlier) {
      traffic.incarnation += 1;
      // It may not have heard of this one yet, nor this one of it.
      if (isStranger) this.#sayHello(envelope.from);
      return;
    }
    traffic.received += 1;
    contact.heard = now();
    this.#take(envelope, contact);
  }

  #take(envelope: Envelope, contact: Contact): void {
    const { kind, from, channel, body } = envelope;
    switch (kind) {
      case Kind.Messages:
        contact.port.onmessage?.({ data: bufferOf(body) });
        return;
      case Kind.Requests:
        this.#inOrder(this.#clientOf(contact, from, channel)?.order, body, (data) =>
          contact.clients.get(channel)?.port.onmessage?.({ data }),
        );
        return;
      case Kind.Replies: {
        const far = this.#far.get(channel);
        if (far?.node !== from) return;
        this.#inOrder(far.order, body, (buffer) => far.port.postMessage(buffer, [buffer]));
        return;
      }
      case Kind.Ask: {
        const answer = (index: number, error?: PlainError) =>
          this.#send(Kind.Answer, from, channel, encode({ index, error }));
        // One that comes twice, or after a later one, is not done again.
        this.#inOrder(contact.asked, body, (data) => {
          try {
            answer(this.#events.asked((decode(new Uint8Array(data)) ?? {}) as LeaderRequest));
          } catch (error) {
            answer(0, toPlain(error, "NODE_HALTED"));
          }
        });
        return;
      }
      case Kind.Answer: {
        const ask = this.#asks.get(channel);
        if (ask?.node !== from) return;
        this.#asks.delete(channel);
        const { index, error } = (decode(body) ?? {}) as { index?: number; error?: PlainError };
        ask.answer(typeof index === "number" ? index : 0, error);
        return;
      }
      case Kind.Goodbye:
        this.#forget(from);
        return;
      case Kind.Hello:
        return;
    }
  }

  /** Takes a frame of a client's, unless it, or a later one, was taken before. */
  #inOrder(order: Order | undefined, body: Uint8Array, take: (frame: ArrayBuffer) => void): void {
    if (order === undefined) return;
    const frame = order.take(body);
    if (frame === undefined) this.#traffic.repeated += 1;
    else take(bufferOf(frame));
  }

  /** Takes a hello. Whether it was one to this node. */
  #hear({ from, cluster, sender, body }: Envelope): boolean {
    const hello = decode(body) as Partial<Hello> | undefined;
    const { name, storage, born, orphan = false, machine = false } = hello ?? {};
    const isWhole = typeof storage === "string" && STORAGE.test(storage) && storage !== NOBODY;
    if (!isWhole || typeof name !== "string" || typeof born !== "number") {
      this.#traffic.malformed += 1;
      return false;
    }
    const isForeign = cluster !== NOBODY && this.#cluster !== NOBODY && cluster !== this.#cluster;
    const isNamesake = name === this.#self.name;
    if (!isNamesake || isForeign || machine !== this.#self.machine) {
      this.#traffic.cluster += 1;
      if (isNamesake && cluster !== NOBODY && this.#cluster === NOBODY) this.#events.mismatch();
      return false;
    }
    const known = this.peers.get(from);
    const time = now();
    if (known?.incarnation === sender && (known.cluster === cluster || cluster === NOBODY)) {
      known.heard = time;
      return true;
    }
    // A word of an earlier life that was long on its way, unless a clock was put back.
    if (known !== undefined && born < known.born && time - known.heard <= SILENT_MS) {
      this.#traffic.incarnation += 1;
      return false;
    }
    if (known === undefined && this.peers.size >= PEERS_MAX) return true;
    if (known !== undefined) this.#forget(from);
    const hers = { name, storage, orphan: orphan === true, machine, born };
    const port = this.#port(Kind.Messages, from, 0);
    const fresh = { heard: time, port, clients: new Map(), probed: 0, asked: new Order() };
    this.peers.set(from, { ...hers, ...fresh, cluster, incarnation: sender });
    // It may have opened its ears only now.
    this.#sayHello(from);
    if (this.#isRunning && cluster === this.#cluster) this.#host?.connectPeer(from, port);
    if (cluster !== NOBODY && this.#cluster === NOBODY) this.#events.cluster(cluster);
    this.#events.up(from);
    return true;
  }

  #clientOf(
    contact: Contact,
    node: number,
    channel: number,
  ): { readonly order: Order } | undefined {
    const { clients } = contact;
    const known = clients.get(channel);
    if (known !== undefined) {
      // The first is the one that has been idle for longest.
      clients.delete(channel);
      clients.set(channel, known);
      return known;
    }
    if (!this.#isRunning) return undefined;
    for (const [idle, { id }] of clients) {
      if (clients.size < CLIENTS_MAX) break;
      clients.delete(idle);
      this.#host?.disconnectClient(id);
    }
    const order = new Order();
    const port = this.#port(Kind.Replies, node, channel, order);
    const client = { id: this.#nextClient++, port, order };
    clients.set(channel, client);
    this.#host?.connectClient(client.id, client.port);
    return client;
  }

  #forget(node: number): void {
    const contact = this.peers.get(node);
    if (contact === undefined) return;
    this.peers.delete(node);
    if (this.#isRunning) {
      this.#host?.disconnectPeer(node);
      for (const { id } of contact.clients.values()) this.#host?.disconnectClient(id);
    }
    // Its owner connects anew when it is there again.
    for (const [channel, far] of this.#far) if (far.node === node) this.disconnectFar(channel);
    this.#giveUp((ask) => ask.node === node, "is gone");
    this.#events.down(node);
  }

  /** Ends questions whose answers do not come. What was asked may have been done. */
  #giveUp(which: (ask: { node: number; asked: number }) => boolean, why: string): void {
    for (const [number, ask] of this.#asks) {
      if (!which(ask)) continue;
      this.#asks.delete(number);
      const message = `node ${ask.node} ${why}`;
      ask.answer(0, { code: "NOT_LEADER", message, outcome: "unknown" });
    }
  }

  #port(kind: Kind, node: number, channel: number, order?: Order): CorePort {
    return {
      postMessage: (data) => {
        const frame = new Uint8Array(data);
        this.#send(kind, node, channel, order?.give(frame) ?? frame);
      },
      onmessage: null,
      onmessageerror: null,
      close() {},
    };
  }

  /** To a peer. One that is silent is spoken to now and then: what it does not take out would pile up. */
  #send(kind: Kind, to: number, channel: number, body: Uint8Array): void {
    const contact = this.peers.get(to);
    if (contact === undefined) return;
    const time = now();
    if (time - contact.heard > SILENT_MS) {
      if (time - contact.probed < HELLO_MS) {
        this.#traffic.withheld += 1;
        return;
      }
      contact.probed = time;
    }
    this.#post(kind, to, channel, body);
  }

  #post(kind: Kind, to: number, channel: number, body: Uint8Array): void {
    const frame = seal({
      kind,
      from: this.#self.node,
      to,
      channel,
      cluster: this.#cluster,
      sender: this.#incarnation,
      addressee: this.peers.get(to)?.incarnation ?? NOBODY,
      body,
    });
    this.#traffic.sent += 1;
    try {
      this.#link?.send(frame, to === 0 ? undefined : to);
    } catch {
      // A frame that cannot be sent is lost.
    }
  }
}

function bufferOf(body: Uint8Array): ArrayBuffer {
  return body.slice().buffer as ArrayBuffer;
}

function encode(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** What the bytes say; nothing if they are no object. */
function decode(body: Uint8Array): object | undefined {
  if (body.length > JSON_BYTES_MAX) return undefined;
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(body));
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Everybody says hello so often. */
export const HELLO_MS = 1_000;
/** Who was not heard for so long is sent no more than one frame in a second. */
const SILENT_MS = 5_000;
/** Who was not heard for so long is forgotten. A frozen tab says hello when it is thawed. */
const GONE_MS = 60_000;
/** A gap between two looks that tells that this worker itself was stopped. */
const STILL_MS = 3_000;
const PEERS_MAX = 255;
/** Clients of one other owner. */
const CLIENTS_MAX = 64;
/** Numbers of clients that the owner itself does not give. */
const CLIENTS_FROM = 2 ** 32;
/** Questions to leaders that are under way. */
const ASKS_MAX = 64;
/** An answer that has not come by then does not come. */
const ASK_MS = 2_000;
const JSON_BYTES_MAX = 1 << 16;
const STORAGE = /^[0-9a-f]{16}$/;
