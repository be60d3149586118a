import { assertEquals, assertRejects } from "@std/assert";
import { Kept } from "../../lib/status/kept.ts";
import { test } from "../fake_time.ts";

const delay = (ms: number) => new Promise<void>((resolve) => void setTimeout(resolve, ms));

test("what took a while is found once for all, and kept nine times as long", async ({ now, pass }) => {
  let finds = 0;
  const kept = new Kept(async () => {
    await delay(100);
    return ++finds;
  }, { now, delay });
  const both = Promise.all([kept.get(), kept.get()]);
  await pass(100);
  assertEquals(await both, [1, 1]);
  await pass(899);
  assertEquals(await kept.get(), 1);
  await pass(1);
  const next = kept.get();
  await pass(100);
  assertEquals(await next, 2);
});

test("what depends on something else is found anew where that has changed", async ({ now }) => {
  let of = "one", finds = 0;
  const options = { of: () => of, least: 1000, now, delay };
  const kept = new Kept(() => Promise.resolve(`${of} ${++finds}`), options);
  assertEquals([await kept.get(), await kept.get()], ["one 1", "one 1"]);
  of = "two";
  assertEquals([await kept.get(), await kept.get()], ["two 2", "two 2"]);
});

test("what takes no time is kept as long as is said, and a failure not at all", async ({ now, pass }) => {
  let finds = 0;
  const find = () => finds++ === 0 ? Promise.reject(new Error("once")) : Promise.resolve(finds);
  const kept = new Kept(find, { least: 500, rest: 0, now, delay });
  await assertRejects(() => kept.get(), Error, "once");
  assertEquals(await kept.get(), 2);
  await pass(499);
  assertEquals(await kept.get(), 2);
  await pass(1);
  assertEquals(await kept.get(), 3);
});
