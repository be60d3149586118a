import { assertEquals, assertRejects } from "@std/assert";
import { atOnce, inSlices, Slices, type Work } from "../lib/slices.ts";

Deno.test("inSlices() lets the event loop run whenever some milliseconds have passed", async () => {
  let now = 0, turns = 0;
  const work = function* (): Work<string> {
    for (let step = 0; step < 1600; step++) {
      now += 0.5;
      yield;
    }
    return "done";
  };
  const turn = () => Promise.resolve(void turns++);
  assertEquals(await inSlices(work(), { now: () => now, turn }), "done");
  // 16 steps of half a millisecond between two looks at the clock.
  assertEquals(turns, 100);
  turns = 0;
  assertEquals(await inSlices(work(), { now: () => 0, turn }), "done");
  assertEquals(turns, 0);
  assertEquals(atOnce(work()), "done");
});

Deno.test("Slices let the event loop run though each work is too short for a pause", async () => {
  let now = 0, turns = 0;
  const work = function* (): Work {
    for (let step = 0; step < 20; step++) {
      now += 0.25;
      yield;
    }
  };
  const slices = new Slices({ now: () => now, turn: () => Promise.resolve(void turns++) });
  for (let i = 0; i < 100; i++) await slices.do(work());
  // The clock is looked at once in each: every second time, 8 milliseconds have passed.
  assertEquals(turns, 50);
});

Deno.test("inSlices() really runs the event loop, and hands on what the work throws", async () => {
  let now = 0, isRun = false;
  const message = new MessageChannel();
  message.port1.onmessage = () => isRun = true;
  message.port2.postMessage(undefined);
  const work = function* (): Work {
    while (!isRun) {
      now++;
      yield;
    }
    throw new RangeError("what is wrong");
  };
  await assertRejects(() => inSlices(work(), { now: () => now }), RangeError, "what is wrong");
  message.port1.close();
  message.port2.close();
});
