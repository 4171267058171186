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

/** An object with no other fields than these: a misspelt one is an error, not a surprise. */
export function record(value: unknown, what: string, fields: readonly string[]): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalid(`${what} is an object, not ${show(value)}`);
  }
  for (const field of Object.keys(value)) {
    if (!fields.includes(field)) {
      throw invalid(`${what} has no field "${field}"; it has ${fields.join(", ")}`);
    }
  }
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
      return value === null ? "null" : Array.isArray(value) ? "an array" : "an object";
    default:
      return `a ${typeof value}`;
  }
}
