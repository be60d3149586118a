/** A report with everything that there may be in one. */

import type { Hostname } from "../../lib/hostname.ts";
import type { HostReport, StatusReport } from "../../lib/status/report.ts";

export const NOW = Date.parse("2026-11-28T14:32:07.123Z");

/** The time so many seconds ago. */
export function ago(seconds: number): string {
  return new Date(NOW - seconds * 1000).toISOString();
}

export const MINUTE = 60, HOUR = 60 * MINUTE, DAY = 24 * HOUR;

export function host(name: string, known: Partial<HostReport> = {}): HostReport {
  return {
    host: name as Hostname,
    a: null,
    aaaa: null,
    since: null,
    last_call: null,
    from: null,
    answer: null,
    last_change: null,
    last_fault: null,
    fault: null,
    ...known,
  };
}

export const ATTIC = host("attic.dyn.example");
export const CELLAR = host("cellar.dyn.example", { a: "none", aaaa: "none" });
export const CABIN = host("cabin.dyn.example", {
  a: "198.51.100.23",
  aaaa: "none",
  last_call: ago(3 * DAY),
  from: "198.51.100.23",
  answer: "UPTODATE",
  last_change: ago(5 * DAY),
});
export const OFFICE = host("office.dyn.example", {
  a: "203.0.113.80",
  aaaa: "2001:db8:1234:5678:abcd:ef01:2345:6789",
  last_call: ago(30 * HOUR),
  from: "2001:db8:1234:5678:abcd:ef01:2345:6789",
  answer: "FAIL",
  last_fault: ago(30 * HOUR),
  fault: "REFUSED: see named's log",
});
export const HOME = host("home.dyn.example", {
  a: "203.0.113.7",
  last_call: ago(5 * MINUTE),
  from: "203.0.113.7",
  answer: "OK",
  last_change: ago(5 * MINUTE),
});

export const REPORT: StatusReport = {
  version: "1.2.0",
  time: ago(0),
  since: ago(9 * DAY),
  faults: [],
  hosts: [ATTIC, CELLAR, CABIN, OFFICE, HOME],
  hosts_left_out: 0,
};
