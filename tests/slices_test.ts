import { assertEquals, assertRejects } from "@std/assert";
import { atOnce, inSlices, type Work } from "../lib/slices.ts";

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
