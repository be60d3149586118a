import { assertEquals } from "@std/assert";
import {
  A_DAY,
  ageText,
  countSilence,
  type Silence,
  silenceOf,
  utcText,
} from "../../lib/status/silence.ts";
import { ago, DAY, host, REPORT } from "./sample.ts";

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

Deno.test("countSilence() counts all hosts", () => {
  assertEquals(countSilence(REPORT, A_DAY), { silent: 4, called: 1, unknown: 0 });
  const young = { ...REPORT, since: ago(60) };
  assertEquals(countSilence(young, A_DAY), { silent: 2, called: 1, unknown: 2 });
  assertEquals(countSilence({ ...REPORT, hosts: [] }, A_DAY), { silent: 0, called: 0, unknown: 0 });
});

Deno.test("ageText() and utcText() tell a time in words and exactly", () => {
  assertEquals(ageText(ago(3 * DAY), REPORT), "3 days");
  assertEquals(utcText(ago(0)), "2026-11-28 14:32:07 UTC");
});
