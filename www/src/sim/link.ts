/**
 * A world and a moment of it as the fragment of an address, so that a teacher or a report of a bug can point to it. The fragment holds
 * the format's version, what of the spec is not as by default, the moment (an event's number) and the acts.
 */

import type { Act, PlacedAct, Spec } from "./chunk.js";
import { DEFAULT_SPEC } from "./spec.js";

/** The format that this page writes. It reads older ones, too, once there are any. */
export const VERSION = 1;
/** So many acts fit into an address that every browser takes. */
export const MAX_ACTS = 500;
const MAX_LENGTH = 60_000;

/** What an address points to. */
export interface Place {
  readonly spec: Spec;
  readonly acts: readonly PlacedAct[];
  /** The moment: right after this event. */
  readonly at: number;
}

/** `nothing`: an address without a fragment. `newer`: from a later version of this page. */
export type ReadLink =
  | { readonly kind: "place"; readonly place: Place }
  | { readonly kind: "nothing" }
  | { readonly kind: "newer"; readonly version: number }
  | { readonly kind: "unreadable"; readonly what: string };

/** The address, relative to the site, of this world at this moment. */
export function linkTo(spec: Spec, acts: readonly PlacedAct[], at: number): string {
  const fields = new URLSearchParams({ v: String(VERSION) });
  for (const name of NAMES) {
    const value = spec[name];
    if (value !== DEFAULT_SPEC[name]) fields.set(name, String(value));
  }
  if (at > 0) fields.set("at", String(at));
  if (acts.length > 0) fields.set("acts", acts.map(written).join(";"));
  return `simulator.html#${fields}`;
}

/** What the fragment of an address says, with or without its `#`. Whatever it is, this does not throw. */
export function readLink(fragment: string): ReadLink {
  const text = fragment.replace(/^#/, "");
  if (text === "") return { kind: "nothing" };
  if (text.length > MAX_LENGTH) return unreadable("it is too long");
  const fields = new URLSearchParams(text);
  const version = Number(fields.get("v"));
  if (!Number.isInteger(version) || version < 1) return unreadable("it names no version");
  if (version > VERSION) return { kind: "newer", version };
  try {
    const acts = (fields.get("acts") ?? "").split(";").filter((act) => act !== "");
    if (acts.length > MAX_ACTS) return unreadable(`it has more than ${MAX_ACTS} acts`);
    const place = {
      spec: specOf(fields),
      acts: acts.map(read),
      at: count(fields.get("at") ?? "0"),
    };
    if (place.acts.some(({ after }, at) => after < (place.acts[at - 1]?.after ?? 0)))
      return unreadable("its acts are not in order");
    return { kind: "place", place };
  } catch (error) {
    if (error instanceof Unreadable) return unreadable(error.message);
    throw error;
  }
}

class Unreadable extends Error {}

const unreadable = (what: string) => ({ kind: "unreadable", what }) as const;

const NAMES = Object.keys(DEFAULT_SPEC) as (keyof Spec)[];

function specOf(fields: URLSearchParams): Spec {
  const entries = NAMES.map((name) => {
    const text = fields.get(name);
    const usual = DEFAULT_SPEC[name];
    if (text === null) return [name, usual];
    if (typeof usual === "number") return [name, number(text)];
    return [name, text];
  });
  // Whether the words are ones that a world can be made of is for the simulator to say.
  return Object.fromEntries(entries) as Spec;
}

/** How each act is written behind its place and its name: which fields, in which order. */
const SHAPES: { readonly [K in Act["do"]]: readonly string[] } = {
  crash: ["node"],
  start: ["node"],
  pause: ["node"],
  resume: ["node"],
  freeze: ["node"],
  thaw: ["node"],
  evict: ["node"],
  timeout: ["node"],
  transfer: ["node"],
  remove: ["node"],
  demote: ["node"],
  restore: [],
  cut: ["from", "to"],
  mend: ["from", "to"],
  slow: ["from", "to", "ms"],
  lossy: ["from", "to", "loss"],
  heal: [],
  lose: ["flight"],
  deliver: ["flight"],
  call: ["client", "op", "timeout", "key", "value", "expected"],
  join: ["group"],
  leave: ["group"],
  submit: [],
  hire: [],
  kill: ["worker"],
  tire: ["worker"],
};

const WORDS: ReadonlySet<string> = new Set(["op", "key", "value", "expected"]);

function written({ after, act }: PlacedAct): string {
  const fields = act as unknown as Readonly<Record<string, string | number | undefined>>;
  const values = SHAPES[act.do].map((name) => fields[name]);
  while (values.length > 0 && values.at(-1) === undefined) values.pop();
  // What is left out is not what is empty: that one has a sign of its own.
  const texts = values.map((value) => (value === undefined ? "" : `.${encodeURIComponent(value)}`));
  return [after, act.do, ...texts].join(":");
}

function read(text: string): PlacedAct {
  const [after = "", name = "", ...texts] = text.split(":");
  const shape = Object.hasOwn(SHAPES, name) ? SHAPES[name as Act["do"]] : undefined;
  if (shape === undefined) throw new Unreadable(`nobody can ${JSON.stringify(name)}`);
  if (texts.length > shape.length) throw new Unreadable(`${name} takes ${shape.length} things`);
  const fields = shape.flatMap((field, at) => {
    const value = texts[at] ?? "";
    if (value === "") return [];
    const word = decoded(value.slice(1));
    return [[field, WORDS.has(field) ? word : number(word)]];
  });
  const needed = name === "call" ? 4 : shape.length;
  if (texts.slice(0, needed).filter((value) => value !== "").length < needed)
    throw new Unreadable(`${name} lacks something`);
  return { after: count(after), act: { do: name, ...Object.fromEntries(fields) } as Act };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Unreadable(`${JSON.stringify(text)} is no text`);
  }
}

function number(text: string): number {
  const value = Number(text);
  if (text === "" || !Number.isFinite(value) || value < 0)
    throw new Unreadable(`${JSON.stringify(text)} is no number`);
  return value;
}

function count(text: string): number {
  const value = number(text);
  if (!Number.isSafeInteger(value)) throw new Unreadable(`${JSON.stringify(text)} counts nothing`);
  return value;
}
