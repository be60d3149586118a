/** What the status page, its JSON and `sftdyn status` say of the hosts: one form for all of them. */

import type { Calls, LastAnswer } from "../calls.ts";
import type { AddressType } from "../change.ts";
import type { Hostname } from "../hostname.ts";

/** Times are as in RFC 3339, in UTC; null is what is not known, or was not. */
export interface StatusReport {
  readonly version: string;
  /** When this was said. */
  readonly time: string;
  /** From when on calls are known. */
  readonly since: string;
  /** What is wrong, a line each, as /health says it. */
  readonly faults: readonly string[];
  /** Who has been silent longest first, and before them those who have not called at all. */
  readonly hosts: readonly HostReport[];
}

export interface HostReport {
  readonly host: Hostname;
  /** As far as the nameserver has said it; "none" if there is no record. */
  readonly a: string | null;
  readonly aaaa: string | null;
  readonly last_call: string | null;
  /** Where that came from. */
  readonly from: string | null;
  readonly answer: LastAnswer | null;
  readonly last_change: string | null;
  readonly last_fault: string | null;
  readonly fault: string | null;
}

export interface HostReportsOptions {
  calls: Pick<Calls, "of" | "all">;
  /** Those of the configuration; others that have called are added. */
  names: Iterable<Hostname>;
  addressOf: (name: Hostname, type: AddressType) => string | undefined;
}

/** One for each host, in a report's order. */
export function hostReports({ calls, names, addressOf }: HostReportsOptions): HostReport[] {
  const all = new Set(names);
  for (const [name] of calls.all()) all.add(name);
  const reports = Array.from(all, (host): HostReport => {
    const { calledAt, from, answer, changedAt, fault } = calls.of(host) ?? {};
    return {
      host,
      a: addressOf(host, "A") ?? null,
      aaaa: addressOf(host, "AAAA") ?? null,
      last_call: timeText(calledAt),
      from: calledAt === undefined ? null : from!,
      answer: answer ?? null,
      last_change: timeText(changedAt),
      last_fault: timeText(fault?.at),
      fault: fault?.reason ?? null,
    };
  });
  return reports.sort((one, other) => order(one) - order(other) || compare(one.host, other.host));
}

function order({ last_call }: HostReport): number {
  return last_call === null ? 0 : Date.parse(last_call);
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

function timeText(time: number | undefined): string | null {
  return time === undefined ? null : new Date(time).toISOString();
}
