/**
 * Everything that happened in a world so far, kept so that each moment can be shown again. Grows by chunks, and is cut where another
 * future begins. No document, no worker.
 */

import type { Flight, LinkPicture, NodePicture, Picture } from "../stage/picture.js";
import type { Board } from "./board.js";
import type {
  BoardRow,
  Chunk,
  EventRow,
  Failure,
  FlightRow,
  LandingRow,
  LinksRow,
  NodeRow,
  OperationRow,
} from "./chunk.js";
import { lastUpTo } from "./search.js";

/** A moment: after an event, and before the next one. Time is in virtual microseconds. */
export interface Moment {
  readonly event: number;
  readonly at: number;
}

export const BEGINNING: Moment = { event: 0, at: 0 };

/** A film with so many lines is full: some minutes of a busy cluster, and some hundred megabytes. */
export const MAX_ROWS = 200_000;

/** After so many messages it is noted which of them are under way. */
const FLIGHTS_PER_NOTE = 256;

export class Film {
  #rows: EventRow[] = [];
  readonly #nodes = new Map<number, NodeRow[]>();
  #flights: FlightRow[] = [];
  readonly #landings = new Map<number, LandingRow>();
  #open = new Map<number, FlightRow>();
  /** The messages under way after an event, once in a while. */
  #notes: { event: number; sent: number; open: readonly FlightRow[] }[] = [];
  #links: LinksRow[] = [];
  #boards: BoardRow[] = [];
  #operations: OperationRow[] = [];
  #end: Moment = BEGINNING;
  #hash = "";
  failure: Failure | null = null;
  ended = false;

  /** The lines of the trace, in order. */
  get rows(): readonly EventRow[] {
    return this.#rows;
  }

  /** How far it goes. */
  get end(): Moment {
    return this.#end;
  }

  /** The hash of all that happened until the end. */
  get hash(): string {
    return this.#hash;
  }

  get isFull(): boolean {
    return this.#rows.length >= MAX_ROWS;
  }

  /** Calls of clients, as they are at the end. */
  get operations(): readonly OperationRow[] {
    return this.#operations;
  }

  append(chunk: Chunk): void {
    for (const row of chunk.events) this.#rows.push(row);
    for (const row of chunk.nodes) {
      const rows = this.#nodes.get(row.node.id);
      if (rows === undefined) this.#nodes.set(row.node.id, [row]);
      else if (rows.at(-1)?.event === row.event) rows[rows.length - 1] = row;
      else rows.push(row);
    }
    this.#land(chunk);
    for (const row of chunk.links) this.#links.push(row);
    for (const row of chunk.boards) this.#boards.push(row);
    for (const row of chunk.operations) this.#operations[row.id - 1] = row;
    this.#end = { event: chunk.count, at: chunk.at };
    this.#hash = chunk.hash;
    this.failure = chunk.failure ?? this.failure;
    this.ended = chunk.ended;
  }

  /** A message of a chunk may end in the same chunk; which are under way is noted in the order of their sending. */
  #land({ flights, landings }: Chunk): void {
    for (const landing of landings) this.#landings.set(landing.flight, landing);
    for (const flight of flights) {
      this.#flights.push(flight);
      this.#open.set(flight.id, flight);
      if (this.#flights.length % FLIGHTS_PER_NOTE === 0) this.#note(flight.event - 1);
    }
  }

  #note(event: number): void {
    for (const id of this.#open.keys()) {
      if ((this.#landings.get(id)?.event ?? Number.POSITIVE_INFINITY) <= event)
        this.#open.delete(id);
    }
    const open = [...this.#open.values()].filter((flight) => flight.event <= event);
    const sent = lastUpTo(this.#flights, (flight) => flight.event, event) + 1;
    this.#notes.push({ event, sent, open });
  }

  /** Forgets what comes after an event. */
  cut(event: number): void {
    const upTo = <T extends { readonly event: number }>(rows: readonly T[]) =>
      rows.slice(0, lastUpTo(rows, (row) => row.event, event) + 1);
    this.#rows = upTo(this.#rows);
    for (const [id, rows] of this.#nodes) this.#nodes.set(id, upTo(rows));
    this.#flights = upTo(this.#flights);
    this.#links = upTo(this.#links);
    this.#boards = upTo(this.#boards);
    this.#notes = upTo(this.#notes);
    for (const [id, landing] of this.#landings)
      if (landing.event > event) this.#landings.delete(id);
    const open = this.#flights.filter(({ id }) => !this.#landings.has(id));
    this.#open = new Map(open.map((flight) => [flight.id, flight]));
    this.#operations = this.#operations
      .filter(({ calledEvent }) => calledEvent <= event)
      .map((operation) => operationAt(operation, { event, at: Number.POSITIVE_INFINITY }));
    this.#end = { event, at: this.#rows.at(-1)?.at ?? 0 };
    this.failure = null;
    this.ended = false;
  }

  /** The last event at a time. */
  momentAt(at: number): Moment {
    const time = Math.min(Math.max(at, 0), this.#end.at);
    const row = this.#rows[lastUpTo(this.#rows, (row) => row.at, time)];
    return { event: row?.event ?? 0, at: time };
  }

  /** When an event was; the last one before it, if it left no line. */
  momentOf(event: number): Moment {
    const row = this.#rows[lastUpTo(this.#rows, (row) => row.event, event)];
    return row === undefined ? BEGINNING : { event: row.event, at: row.at };
  }

  /** The event after this one; null at the end. */
  next({ event }: Moment): Moment | null {
    const row = this.#rows[lastUpTo(this.#rows, (row) => row.event, event) + 1];
    return row === undefined ? null : { event: row.event, at: row.at };
  }

  /** The event before this one. */
  previous({ event }: Moment): Moment {
    const first = lastUpTo(this.#rows, (row) => row.event, event - 1);
    const row = this.#rows[first];
    return row === undefined ? BEGINNING : { event: row.event, at: row.at };
  }

  /** The lines of an event. */
  rowsOf(event: number): readonly EventRow[] {
    const first = lastUpTo(this.#rows, (row) => row.event, event - 1) + 1;
    const end = lastUpTo(this.#rows, (row) => row.event, event) + 1;
    return this.#rows.slice(first, end);
  }

  /** How many lines there are up to a moment. */
  rowsUpTo({ event }: Moment): number {
    return lastUpTo(this.#rows, (row) => row.event, event) + 1;
  }

  /** A message with all that is in it. */
  flight(id: number): FlightRow | undefined {
    return this.#flights[lastUpTo(this.#flights, (flight) => flight.id, id)];
  }

  landing(id: number): LandingRow | undefined {
    return this.#landings.get(id);
  }

  /** A node after an event. */
  node(id: number, event: number): NodePicture | undefined {
    const rows = this.#nodes.get(id) ?? [];
    return rows[lastUpTo(rows, (row) => row.event, event)]?.node;
  }

  picture({ event, at }: Moment): Picture {
    const nodes = [...this.#nodes.keys()]
      .sort((a, b) => a - b)
      .flatMap((id) => this.node(id, event) ?? []);
    const board = this.board(event);
    const picture = {
      at: at / 1_000,
      nodes,
      flights: this.#underWay(event),
      sampled: 1,
      links: this.links(event),
    };
    return board?.kind === "shards" ? { ...picture, rings: board.groups } : picture;
  }

  links(event: number): readonly LinkPicture[] {
    return this.#links[lastUpTo(this.#links, (row) => row.event, event)]?.links ?? [];
  }

  /** What stands beside the nodes after an event; null where nothing does. */
  board(event: number): Board | null {
    return this.#boards[lastUpTo(this.#boards, (row) => row.event, event)]?.board ?? null;
  }

  /** Calls that had begun by a moment, as they were then. */
  operationsAt(moment: Moment): OperationRow[] {
    return this.#operations
      .filter(({ calledEvent }) => calledEvent <= moment.event)
      .map((operation) => operationAt(operation, moment));
  }

  #underWay(event: number): Flight[] {
    const note = this.#notes[lastUpTo(this.#notes, (note) => note.event, event)];
    const sent = lastUpTo(this.#flights, (flight) => flight.event, event) + 1;
    const later = this.#flights.slice(note?.sent ?? 0, sent);
    const candidates = note === undefined ? later : [...note.open, ...later];
    const flying: Flight[] = [];
    for (const flight of candidates) {
      const landing = this.#landings.get(flight.id);
      if (landing !== undefined && landing.event <= event) continue;
      flying.push(
        landing === undefined
          ? flight
          : { ...flight, arrivesAt: landing.at, lost: landing.fate === "lost" },
      );
    }
    return flying;
  }
}

/** A call as it was at a moment, whatever became of it later. */
function operationAt(operation: OperationRow, { event, at }: Moment): OperationRow {
  const { endedEvent, point } = operation;
  const ended = endedEvent !== null && endedEvent <= event;
  const took = point !== null && point <= at;
  if (ended) return took ? operation : { ...operation, point: null };
  return {
    ...operation,
    state: "open",
    answer: null,
    endedAt: null,
    endedEvent: null,
    point: took ? point : null,
  };
}
