import { assertEquals, assertThrows } from "@std/assert";
import { durationText, parseDuration } from "../lib/duration.ts";

Deno.test("parseDuration() takes a number and its unit", () => {
  const table: [string, number][] = [
    ["1s", 1000],
    ["90s", 90_000],
    ["5m", 300_000],
    ["12h", 43_200_000],
    ["1d", 86_400_000],
    ["30d", 2_592_000_000],
    ["2w", 1_209_600_000],
    ["99999w", 99_999 * 604_800_000],
  ];
  for (const [text, duration] of table) {
    assertEquals([text, parseDuration(text)], [text, duration]);
  }
});

Deno.test("parseDuration() says of anything else what would be right", () => {
  const table = ["", "1", "d", "0d", "00d", "-1d", "+1d", "1.5d", "1 d", " 1d", "1d\n", "1D", "1M"];
  for (const text of [...table, "1y", "1dd", "1d12h", "1e3s", "100000s", "١d", "constructor"]) {
    const error = assertThrows(() => parseDuration(text), RangeError);
    assertEquals(
      error.message,
      `"${text}" is not a length of time: write 1 to 99999 and a unit, as in "12h" ` +
        "(s, m, h, d or w: seconds, minutes, hours, days or weeks)",
    );
  }
});

Deno.test("durationText() names one unit", () => {
  const table: [number, string][] = [
    [-5000, "0 seconds"],
    [0, "0 seconds"],
    [999, "0 seconds"],
    [1000, "1 second"],
    [59_999, "59 seconds"],
    [60_000, "1 minute"],
    [61_000, "61 seconds"],
    [119_999, "119 seconds"],
    [120_000, "2 minutes"],
    [3_600_000, "1 hour"],
    [5_400_000, "90 minutes"],
    [7_200_000, "2 hours"],
    [86_400_000, "1 day"],
    [129_600_000, "36 hours"],
    [172_800_000, "2 days"],
    [2_592_000_000, "30 days"],
    [365 * 86_400_000, "365 days"],
  ];
  for (const [duration, text] of table) {
    assertEquals([duration, durationText(duration)], [duration, text]);
  }
});
