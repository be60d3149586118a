/** Who has not called for how long, as far as that is known. */

import { durationText } from "../duration.ts";
import type { HostReport, StatusReport } from "./report.ts";

/** What one looks at, if nobody says how long is too long. */
export const A_DAY = 24 * 60 * 60 * 1000;

/** "called", within the time; "unknown": not since a start that is not so long ago. */
export type Silence = "silent" | "called" | "unknown";

/** Whether a host has been silent for so many milliseconds when the report was made. */
export function silenceOf(
  { last_call }: HostReport,
  { time, since }: Pick<StatusReport, "time" | "since">,
  limit: number,
): Silence {
  if (Date.parse(time) - Date.parse(last_call ?? since) >= limit) return "silent";
  return last_call === null ? "unknown" : "called";
}

/** How many hosts there are of each. */
export function countSilence(report: StatusReport, limit: number): Record<Silence, number> {
  const counts = { silent: 0, called: 0, unknown: 0 };
  for (const host of report.hosts) counts[silenceOf(host, report, limit)]++;
  return counts;
}

/** How long before the report that was: "3 days". */
export function ageText(then: string, { time }: Pick<StatusReport, "time">): string {
  return durationText(Date.parse(time) - Date.parse(then));
}

/** A time of the report for people: "2026-11-28 14:32:07 UTC". */
export function utcText(time: string): string {
  return `${time.slice(0, 10)} ${time.slice(11, 19)} UTC`;
}
