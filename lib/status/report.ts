/** What the status page, its JSON and `sftdyn status` say of the hosts: one form for all of them. */

import type { Calls, LastAnswer } from "../calls.ts";
import type { AddressType } from "../change.ts";
import type { Hostname } from "../hostname.ts";
import type { Work } from "../slices.ts";
import { sorted } from "../sorted.ts";

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
  /** How many hosts, those that have called last, are not among these, as there are too many. */
  readonly hosts_left_out: number;
}

export interface HostReport {
  readonly host: Hostname;
  /** As far as the nameserver has said it; "none" if there is no record. */
  readonly a: string | null;
  readonly aaaa: string | null;
  /** From when on its calls are known, if it was new after the report's `since`, and has not called. */
  readonly since: string | null;
  readonly last_call: string | null;
  /** Where that came from. */
  readonly from: string | null;
  readonly answer: LastAnswer | null;
  readonly last_change: string | null;
  readonly last_fault: string | null;
  readonly fault: string | null;
}

export interface HostReportsOptions {
  calls: Pick<Calls, "of" | "all" | "newAt">;
  /** Those of the configuration. */
  names: Iterable<Hostname>;
  /** Whether hooks name hosts, too: all that have called are hosts then. */
  hasOthers: boolean;
  addressOf: (name: Hostname, type: AddressType) => string | undefined;
  /** Of more hosts, those that have called last are left out. */
  most?: number;
}

export interface HostReports {
  readonly hosts: HostReport[];
  readonly leftOut: number;
}

/** 30 MB as JSON. */
const MOST = 100_000;

/** One for each host, in a report's order. */
export function* hostReports(
  { calls, names, hasOthers, addressOf, most = MOST }: HostReportsOptions,
): Work<HostReports> {
  const all = new Set<Hostname>();
  for (const name of names) {
    all.add(name);
    yield;
  }
  if (hasOthers) {
    for (const [name] of calls.all()) {
      all.add(name);
      yield;
    }
  }
  const callers: Caller[] = [];
  for (const host of all) {
    callers.push({ host, at: calls.of(host)?.calledAt ?? 0 });
    yield;
  }
  const hosts: HostReport[] = [];
  for (const { host } of (yield* sorted(callers, longestSilentFirst)).slice(0, most)) {
    const { calledAt, from, answer, changedAt, fault } = calls.of(host) ?? {};
    hosts.push({
      host,
      a: addressOf(host, "A") ?? null,
      aaaa: addressOf(host, "AAAA") ?? null,
      since: timeText(calls.newAt(host)),
      last_call: timeText(calledAt),
      from: calledAt === undefined ? null : from!,
      answer: answer ?? null,
      last_change: timeText(changedAt),
      last_fault: timeText(fault?.at),
      fault: fault?.reason ?? null,
    });
    yield;
  }
  return { hosts, leftOut: callers.length - hosts.length };
}

interface Caller {
  readonly host: Hostname;
  readonly at: number;
}

function longestSilentFirst(one: Caller, other: Caller): number {
  return one.at - other.at || (one.host < other.host ? -1 : one.host > other.host ? 1 : 0);
}

function timeText(time: number | undefined): string | null {
  return time === undefined ? null : new Date(time).toISOString();
}
