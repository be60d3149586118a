import { assert, assertEquals } from "@std/assert";
import { Lane } from "../../lib/dns/lane.ts";
import { generator } from "../support.ts";
import { type FakeTime, settle, test } from "../fake_time.ts";

/** A lane whose work takes some time, and who began it when. */
function slow({ now }: FakeTime, ms: number, max = 8, isFar = true) {
  const began: [string, number][] = [];
  const start = now();
  let running = 0, most = 0;
  const lane = new Lane<string>({
    max,
    isFar: () => isFar,
    now,
    run: async (item) => {
      began.push([item, now() - start]);
      most = Math.max(most, ++running);
      await new Promise<void>((resolve) => setTimeout(resolve, ms));
      running--;
    },
  });
  return { lane, began, most: () => most, names: () => began.map(([item]) => item).join("") };
}

test("where the nameserver is near, it goes one at a time", async (time) => {
  const { lane, most, began } = slow(time, 50, 8, false);
  for (const item of "abcdef") lane.add(item);
  await time.pass(1000);
  assertEquals([began.length, most()], [6, 1]);
  assertEquals(time.timers(), 0);
});

test("where it is far, more may go after each pause, up to the most", async (time) => {
  const { lane, began, most } = slow(time, 100_000, 4);
  for (const item of "abcdef") lane.add(item);
  await time.pass(50_000);
  assertEquals(began.map(([, at]) => at), [0, 20, 60, 140]);
  assertEquals(most(), 4);
  assertEquals(lane.size, 2);
  await time.pass(250_000);
  assertEquals(time.timers(), 0);
});

test("when all is done it is one at a time again", async (time) => {
  const { lane, began } = slow(time, 50);
  for (const item of "abcd") lane.add(item);
  await time.pass(1000);
  const before = time.now();
  for (const item of "ef") lane.add(item);
  await time.pass(19);
  assertEquals(began.length, 5);
  await time.pass(1);
  assertEquals(began.length, 6);
  assert(time.now() - before === 20);
  await time.pass(1000);
});

test("who is new does not wait for a backlog, and the backlog goes on", async (time) => {
  const { lane, names } = slow(time, 1);
  for (const item of "abcdef") lane.add(item);
  await time.pass(100);
  assertEquals(names(), "afbecd");
});

test("what was added as low waits for the others, but for one message", async (time) => {
  const { lane, names } = slow(time, 1);
  for (const item of "abc") lane.addLow(item);
  for (const item of "xyz") lane.add(item);
  await time.pass(100);
  assertEquals(names().slice(0, 4).split("").sort().join(""), "axyz");
});

test("what was added as low leaves half the places to the others", async (time) => {
  const { lane, began, most } = slow(time, 100_000, 4);
  for (const item of "abcdef") lane.addLow(item);
  await time.pass(5000);
  assertEquals(most(), 2);
  lane.add("x");
  await time.pass(5000);
  assertEquals(began.at(-1)![0], "x");
  await time.pass(1_000_000);
  assertEquals([began.length, lane.size, time.timers()], [7, 0, 0]);
});

test("one place is enough for what was added as low", async (time) => {
  const { lane, began } = slow(time, 10, 1);
  for (const item of "ab") lane.addLow(item);
  await time.pass(100);
  assertEquals(began.length, 2);
});

test("who releases its place early lets the next one go, once", async (time) => {
  const releases: (() => void)[] = [];
  const ends: (() => void)[] = [];
  const lane = new Lane<string>({
    max: 1,
    isFar: () => true,
    now: time.now,
    run: (_, release) => {
      releases.push(release);
      return new Promise<void>((resolve) => ends.push(resolve));
    },
  });
  for (const item of "abc") lane.add(item);
  assertEquals(ends.length, 1);
  releases[0]!();
  releases[0]!();
  assertEquals(ends.length, 2);
  ends[0]!();
  await settle();
  assertEquals(ends.length, 2);
  for (let i = 1; i < 3; i++) {
    ends[i]!();
    await settle();
  }
  assertEquals([ends.length, lane.size], [3, 0]);
  await time.pass(100_000);
});

test("clear() takes out what waits, and not what is under way", async (time) => {
  const { lane, began } = slow(time, 100, 1);
  for (const item of "ab") lane.add(item);
  for (const item of "xy") lane.addLow(item);
  assertEquals(lane.size, 3);
  assertEquals(lane.clear(), ["b", "x", "y"]);
  assertEquals([lane.size, began.length], [0, 1]);
  await time.pass(1000);
  assertEquals([began.length, time.timers()], [1, 0]);
});

test("clear() leaves no timer", async (time) => {
  const { lane } = slow(time, 100);
  for (const item of "abc") lane.add(item);
  lane.clear();
  assertEquals(time.timers(), 1, "only the work's own");
  await time.pass(1000);
});

test("random work: everything runs once, within the bound, and nothing is left", async (time) => {
  for (let seed = 1; seed <= 100; seed++) {
    const random = generator(seed);
    const below = (n: number) => Math.floor(random() * n);
    const max = 1 + below(8);
    let running = 0, released = 0, done = 0;
    const lane = new Lane<number>({
      max,
      isFar: () => true,
      now: time.now,
      run: async (ms, release) => {
        running++;
        assert(running - released <= max, `seed ${seed}`);
        await new Promise<void>((resolve) => setTimeout(resolve, ms / 2));
        const isEarly = ms % 3 === 0;
        if (isEarly) {
          released++;
          release();
        }
        await new Promise<void>((resolve) => setTimeout(resolve, ms / 2));
        running--;
        if (isEarly) released--;
        done++;
      },
    });
    for (let i = 0; i < 50; i++) {
      if (below(2) === 0) lane.add(below(200));
      else lane.addLow(below(200));
      if (below(3) === 0) await time.pass(below(50));
    }
    await time.pass(20_000);
    assertEquals([done, lane.size, time.timers()], [50, 0, 0], `seed ${seed}`);
  }
});
