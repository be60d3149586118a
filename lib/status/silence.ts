/** Who has not called for how long, as far as that is known. */

import { durationText } from "../duration.ts";
import type { HostReport, StatusReport } from "./report.ts";

/** What one looks at, if nobody says how long is too long. */
export const A_DAY = 24 * 60 * 60 * 1000;

/** "called", within the time; "unknown": not since its start, or the host's, which is not so long ago. */
export type Silence = "silent" | "called" | "unknown";

/** Whether a host has been silent for so many milliseconds when the report was made. */
export function silenceOf(
  host: HostReport,
  report: Pick<StatusReport, "time" | "since">,
  limit: number,
): Silence {
  const { last_call } = host;
  const since = last_call ?? knownSince(host, report);
  if (Date.parse(report.time) - Date.parse(since) >= limit) return "silent";
  return last_call === null ? "unknown" : "called";
}

/** From when on it is known that a host has not called. */
export function knownSince(
  { since }: Pick<HostReport, "since">,
  report: Pick<StatusReport, "since">,
): string {
  return since ?? report.since;
}

export interface SilenceCounts {
  readonly all: number;
  readonly silent: number;
  readonly unknown: number;
  /** "+" if there may be more of these among the hosts that the report leaves out. */
  readonly moreSilent: "+" | "";
  readonly moreUnknown: "+" | "";
}

/** How many hosts there are, and how many of them have not called. */
export function countSilence(report: StatusReport, limit: number): SilenceCounts {
  const { hosts, hosts_left_out: leftOut } = report;
  const counts = { silent: 0, called: 0, unknown: 0 };
  let last: Silence = "called";
  for (const host of hosts) counts[last = silenceOf(host, report, limit)]++;
  // Those that are left out have called later than the last one here.
  const more = (silence: Silence) => leftOut > 0 && last === silence ? "+" : "";
  return {
    all: hosts.length + leftOut,
    silent: counts.silent,
    unknown: counts.unknown,
    moreSilent: more("silent"),
    moreUnknown: more("unknown"),
  };
}

/** How long before the report that was: "3 days". */
export function ageText(then: string, { time }: Pick<StatusReport, "time">): string {
  return durationText(Date.parse(time) - Date.parse(then));
}

/** A time of the report for people: "2026-11-28 14:32:07 UTC". */
export function utcText(time: string): string {
  return `${time.slice(0, 10)} ${time.slice(11, 19)} UTC`;
}
