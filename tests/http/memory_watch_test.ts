import { assertEquals } from "@std/assert";
import { MemoryWatch } from "../../lib/http/memory_watch.ts";

/** At which polls the memory is trimmed, given what is resident at each, in MB. */
function trims(start: number, readings: number[]): number[] {
  let now = start;
  const trimmed: number[] = [];
  const watch = new MemoryWatch({
    resident: () => now * 2 ** 20,
    trim: () => trimmed.push(now) > 0,
  });
  return readings.flatMap((reading, i) => {
    now = reading;
    watch.poll();
    return trimmed.splice(0).map(() => i);
  });
}

Deno.test("poll() trims what a flood left behind, and less and less often what is needed", () => {
  const needed = Array.from({ length: 100 }, () => 150);
  const table: [what: string, readings: number[], trimmed: number[]][] = [
    ["nothing happens", [50, 50, 50], []],
    ["it is not worth it", [82, 82, 82], []],
    ["it is", [82.1, 50, 50], [0]],
    ["it falls by itself", [60, 80, 60], []],
    ["less than ever", [30, 62, 63, 30], [2]],
    ["two floods", [150, 55, 55, 200, 60, 60], [0, 3]],
    ["it frees a part each time", [200, 150, 120, 90, 60], [0, 1, 2, 3]],
    ["it is needed", needed, [0, 2, 6, 14, 30, 62, 94]],
    ["it is in use for a while", [150, 150, 150, 150, 60, 60, 60, 150], [0, 2, 7]],
  ];
  for (const [what, readings, trimmed] of table) assertEquals(trims(50, readings), trimmed, what);
});

Deno.test("poll() tries again at the next poll where the memory could not be trimmed", () => {
  const readings = [50, 150, 150, 150, 60, 60, 60].map((reading) => reading * 2 ** 20);
  const outcomes = [false, false, true];
  let tries = 0;
  const watch = new MemoryWatch({
    resident: () => readings.shift()!,
    trim: () => outcomes[tries++]!,
  });
  for (let i = 0; i < 6; i++) watch.poll();
  assertEquals(tries, 3);
});

Deno.test("poll() reads this process's memory unless told otherwise, and leaves it alone", () => {
  let trimmed = 0;
  const watch = new MemoryWatch({ trim: () => ++trimmed > 0 });
  watch.poll();
  assertEquals(trimmed, 0);
});
