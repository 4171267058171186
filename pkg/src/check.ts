/** Checks at the gate: what the caller gave becomes a valid type or an error that says what is wrong. */

import { ArgumentError } from "./errors.js";

export function invalid(message: string, cause?: unknown): ArgumentError {
  return new ArgumentError("INVALID_ARGUMENT", message, { cause });
}

export function integer(value: unknown, what: string, min: number, max: number): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max) {
    throw invalid(`${what} is an integer from ${min} to ${max}, not ${show(value)}`);
  }
  return value;
}

export function number(value: unknown, what: string, min: number, max: number): number {
  if (typeof value !== "number" || !(value >= min && value <= max)) {
    throw invalid(`${what} is a number from ${min} to ${max}, not ${show(value)}`);
  }
  return value;
}

/** A plain object with no other fields than these: a misspelt one is an error, not a surprise. */
export function record(value: unknown, what: string, fields: readonly string[]): void {
  if (!isPlain(value)) {
    throw invalid(`${what} must be an object { ${fields.join(", ")} }, not ${show(value)}`);
  }
  for (const field of Object.keys(value)) {
    if (!fields.includes(field)) {
      throw invalid(`there is no field "${field}" in ${what}, but ${fields.join(", ")}`);
    }
  }
}

/** Not of a class: a signal that is given in place of `{ signal }` has no fields of its own, and would pass for none. */
function isPlain(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** An end to waiting, where one is given. */
export function signalOf(value: unknown): AbortSignal | undefined {
  if (value !== undefined && !(value instanceof AbortSignal)) {
    throw invalid(`"signal" is an AbortSignal, not ${show(value)}`);
  }
  return value;
}

/** A value in an error's sentence: short, whatever it is. */
export function show(value: unknown): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
    case "number":
    case "boolean":
    case "undefined":
      return String(value);
    case "bigint":
      return `${value}n`;
    case "object":
      return value === null ? "null" : Array.isArray(value) ? "an array" : `an ${classOf(value)}`;
    default:
      return `a ${typeof value}`;
  }
}

/** The name of an object's class, or "object" where it has none. */
function classOf(value: object): string {
  const name: unknown = Object.getPrototypeOf(value)?.constructor?.name;
  return typeof name === "string" && name !== "" && name !== "Object"
    ? `object of the class ${name}`
    : "object";
}
