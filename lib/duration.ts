/** Lengths of time as people write and read them. Inside, they are milliseconds. */

import { count } from "./count.ts";

const SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR, WEEK = 7 * DAY;

const UNITS: Record<string, number> = { s: SECOND, m: MINUTE, h: HOUR, d: DAY, w: WEEK };

/**
 * A number and its unit, "30d", in milliseconds.
 * @throws {RangeError} saying what would be right
 */
export function parseDuration(text: string): number {
  const [, number, unit] = /^([1-9]\d{0,4})([smhdw])$/.exec(text) ?? [];
  if (unit !== undefined) return Number(number) * UNITS[unit]!;
  throw new RangeError(
    `"${text}" is not a length of time: write 1 to 99999 and a unit, as in "12h" ` +
      "(s, m, h, d or w: seconds, minutes, hours, days or weeks)",
  );
}

/** Milliseconds in one unit, rounded down: "30 days", "36 hours", "5 minutes". */
export function durationText(duration: number): string {
  // One and a bit would leave too much out.
  const says = (unit: number) => duration >= 2 * unit || duration === unit;
  if (says(DAY)) return count(Math.floor(duration / DAY), "day");
  if (says(HOUR)) return count(Math.floor(duration / HOUR), "hour");
  if (says(MINUTE)) return count(Math.floor(duration / MINUTE), "minute");
  return count(Math.max(0, Math.floor(duration / SECOND)), "second");
}
