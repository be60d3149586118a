/** `withdraw_after`, above [clients] or of one client. */

import { parseDuration } from "../duration.ts";
import { typeName } from "./settings.ts";

/** Milliseconds: clients call in every few minutes, and some once an hour. */
const LEAST = 3_600_000;

/**
 * Milliseconds; Infinity: never. No fault repeats any of the text.
 *
 * @throws {RangeError}
 */
export function withdrawAfterOf(value: unknown): number {
  if (value === "never") return Infinity;
  const after = typeof value === "string" ? durationOf(value) : undefined;
  if (after !== undefined && after >= LEAST) return after;
  const expected = 'expected a length of time like "12h", "30d" or "8w", or "never"';
  if (typeof value !== "string") throw new RangeError(`${expected}, got ${typeName(value)}`);
  if (after === undefined) throw new RangeError(`${expected}, got another string`);
  throw new RangeError("it would take addresses away between two calls: expected 1h or more");
}

function durationOf(text: string): number | undefined {
  try {
    return parseDuration(text);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
}
