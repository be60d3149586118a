import { assert, assertEquals } from "@std/assert";
import { MessageLimit } from "../../lib/dns/message_limit.ts";

const ZONE = "dyn.example";

/** How many records of such names go into the next message. */
function fill(limit: MessageLimit, kind: "ask" | "set", length = 13): number {
  const fits = limit.next(kind);
  const record = { name: `${"h".repeat(length - ZONE.length - 1)}.${ZONE}`, type: "AAAA" } as const;
  let count = 0;
  while (count < 2000 && fits([record], ZONE)) count++;
  assertEquals(limit.pause(kind, Array(count).fill(record), ZONE), 0);
  return count;
}

Deno.test("a message has 500 records at most", () => {
  for (const kind of ["ask", "set"] as const) {
    assertEquals(fill(new MessageLimit(() => 0), kind), 500);
  }
});

Deno.test("a message of the longest names stays within 65,535 octets", () => {
  // RFC 1035: a name of 253 characters has 255 octets, and is compressed nowhere at the worst.
  assertEquals(fill(new MessageLimit(() => 0), "ask", 253), Math.floor(60_000 / (255 + 26)));
  const sets = fill(new MessageLimit(() => 0), "set", 253);
  assert(sets * (3 * (255 + 10) + 16) <= 60_000);
  assertEquals(sets, Math.floor(60_000 / (3 * 255 + 46)));
});

Deno.test("of messages that need TCP there is one in 4 ms, the others fit into UDP", () => {
  let now = 100;
  const limit = new MessageLimit(() => now);
  for (
    const [at, kind, count] of [
      [100, "set", 500],
      [103, "set", 6],
      [103.9, "ask", 11],
      [104, "ask", 500],
      [104, "set", 6],
    ] as const
  ) {
    now = at;
    assertEquals(fill(limit, kind), count, `at ${at}`);
  }
});

Deno.test("messages that fit into UDP go without a pause", () => {
  const limit = new MessageLimit(() => 0);
  for (let i = 0; i < 10; i++) {
    const fits = limit.next("set");
    assert(fits([{ name: `a.${ZONE}`, type: "AAAA" }], ZONE));
  }
  assertEquals(fill(limit, "set"), 500);
});

Deno.test("one record always fits, however long its name and soon it comes", () => {
  const limit = new MessageLimit(() => 0);
  assertEquals(fill(limit, "set"), 500);
  const name = `${"a".repeat(60)}.`.repeat(3) + ZONE;
  const fits = limit.next("set");
  assert(fits([{ name, type: "AAAA" }], "example"));
  assert(!fits([{ name, type: "AAAA" }], "example"));
});

Deno.test("records that go together are in one message, which waits if it is big", () => {
  let now = 0;
  const limit = new MessageLimit(() => now);
  const household = Array(20).fill({ name: `h.${ZONE}`, type: "AAAA" } as const);
  for (const [at, pause] of [[0, 0], [1, 3], [2, 6], [20, 0]] as const) {
    now = at;
    const fits = limit.next("set");
    const taken = [fits(household, ZONE), fits(household, ZONE)];
    const isAlone = pause > 0;
    assertEquals([at, ...taken], [at, true, !isAlone]);
    assertEquals(limit.pause("set", household, ZONE), pause);
  }
});

Deno.test("of records with the shorter address there are more", () => {
  const limit = new MessageLimit(() => 0);
  assertEquals(fill(limit, "set"), 500);
  const fits = limit.next("set");
  let count = 0;
  while (fits([{ name: `${count}.${ZONE}`, type: "A" }], ZONE)) count++;
  // Of such a record there are 12 + 12 + 16 octets, and the 2 of its name.
  assertEquals(count, Math.floor(330 / 42));
});

Deno.test("of messages with big commands there is one in 4 ms, small ones go without a pause", () => {
  const limit = new MessageLimit(() => 0);
  assertEquals(limit.pauseOf(["x".repeat(110), "x".repeat(220)]), 0);
  assertEquals([0, 1, 2].map(() => limit.pauseOf(["x".repeat(110), "x".repeat(221)])), [0, 4, 8]);
  assertEquals(limit.pauseOf(["x"]), 0);
});
