import { assertEquals } from "@std/assert";
import {
  A_DAY,
  ageText,
  countSilence,
  type Silence,
  silenceOf,
  utcText,
} from "../../lib/status/silence.ts";
import type { StatusReport } from "../../lib/status/report.ts";
import { ago, ATTIC, CABIN, DAY, HOME, host, REPORT } from "./sample.ts";

Deno.test("silenceOf() counts from the last call, or from when calls are known", () => {
  const table: [lastCall: number | null, since: number, Silence][] = [
    [DAY - 1, 9 * DAY, "called"],
    [DAY, 9 * DAY, "silent"],
    [0, 0, "called"],
    // The clock was set back.
    [-60, 9 * DAY, "called"],
    [null, 9 * DAY, "silent"],
    [null, DAY, "silent"],
    [null, DAY - 1, "unknown"],
    [null, 0, "unknown"],
  ];
  for (const [lastCall, since, silence] of table) {
    const called = host("a.example", { last_call: lastCall === null ? null : ago(lastCall) });
    const found = silenceOf(called, { ...REPORT, since: ago(since) }, A_DAY);
    assertEquals([lastCall, since, found], [lastCall, since, silence]);
  }
});

Deno.test("silenceOf() counts a new host from when it was new", () => {
  assertEquals(silenceOf(host("a.example", { since: ago(60) }), REPORT, A_DAY), "unknown");
  assertEquals(silenceOf(host("a.example", { since: ago(DAY) }), REPORT, A_DAY), "silent");
});

Deno.test("countSilence() counts all hosts", () => {
  const counts = { all: 5, silent: 4, unknown: 0, moreSilent: "", moreUnknown: "" } as const;
  assertEquals(countSilence(REPORT, A_DAY), counts);
  const young = { ...REPORT, since: ago(60) };
  assertEquals(countSilence(young, A_DAY), { ...counts, silent: 2, unknown: 2 });
  const none = { ...REPORT, hosts: [] };
  assertEquals(countSilence(none, A_DAY), { ...counts, all: 0, silent: 0 });
});

Deno.test("countSilence() says whether there may be more among those that are left out", () => {
  const more = (hosts: StatusReport["hosts"], since = REPORT.since) => {
    const report = { ...REPORT, since, hosts, hosts_left_out: 7 };
    const { all, moreSilent, moreUnknown } = countSilence(report, A_DAY);
    return [all, moreSilent, moreUnknown];
  };
  assertEquals(more([ATTIC, CABIN, HOME]), [10, "", ""]);
  assertEquals(more([ATTIC, CABIN]), [9, "+", ""]);
  assertEquals(more([ATTIC], ago(60)), [8, "", "+"]);
});

Deno.test("ageText() and utcText() tell a time in words and exactly", () => {
  assertEquals(ageText(ago(3 * DAY), REPORT), "3 days");
  assertEquals(utcText(ago(0)), "2026-11-28 14:32:07 UTC");
});
