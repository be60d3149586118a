import { assertEquals } from "@std/assert";
import { MemoryWatch } from "../lib/memory_watch.ts";

/** At which looks the memory is trimmed, given what is resident at each, in MB; trimming sets it. */
function trims(start: number, readings: number[]): number[] {
  let now = start;
  const trimmed: number[] = [];
  const watch = new MemoryWatch({
    resident: () => now * 2 ** 20,
    trim: () => trimmed.push(now) > 0,
  });
  return readings.flatMap((reading, i) => {
    now = reading;
    watch.look();
    return trimmed.splice(0).map(() => i);
  });
}

Deno.test("look() trims once after a flood", () => {
  const table: [what: string, readings: number[], trimmed: number[]][] = [
    ["nothing happens", [50, 50, 50], []],
    ["it is not worth it", [82, 82, 82], []],
    ["it is", [82.1, 82.1, 82.1], [1]],
    ["a flood that goes on", [60, 90, 120, 150], []],
    ["one that is over, and leaves nothing", [150, 150, 50, 50], [1]],
    ["over, and leaves what is needed", [150, 150, 140, 140, 140], [1]],
    ["a second flood after what is needed", [150, 150, 100, 100, 200, 200, 100], [1, 5]],
    ["a second flood that is not worth it", [150, 150, 100, 130, 130], [1]],
    ["it falls by itself", [150, 60, 60], []],
    ["less than ever", [30, 61, 61, 63, 63], [4]],
    ["slow growth that never ends", [51, 52, 53, 60, 70, 80, 82, 83, 83.5], [7]],
  ];
  for (const [what, readings, trimmed] of table) assertEquals(trims(50, readings), trimmed, what);
});

Deno.test("look() tries again at the next look where the memory could not be trimmed", () => {
  const readings = [50, 150, 150, 150, 120, 120, 120].map((reading) => reading * 2 ** 20);
  const outcomes = [false, false, true];
  let tries = 0;
  const watch = new MemoryWatch({
    resident: () => readings.shift()!,
    trim: () => outcomes[tries++]!,
  });
  for (let i = 0; i < 6; i++) watch.look();
  assertEquals(tries, 3);
});

Deno.test("look() reads this process's memory unless told otherwise, and leaves it alone", () => {
  let trimmed = 0;
  const watch = new MemoryWatch({ trim: () => ++trimmed > 0 });
  watch.look();
  assertEquals(trimmed, 0);
});
