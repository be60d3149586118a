import { assert, assertEquals } from "@std/assert";
import { atOnce } from "../lib/slices.ts";
import { sorted } from "../lib/sorted.ts";
import { belowFrom } from "./support.ts";

Deno.test("sorted() sorts as sort() does, keeps equal ones in order, and leaves the list", () => {
  const below = belowFrom(7);
  for (const length of [0, 1, 2, 63, 64, 65, 128, 129, 1000, 4097]) {
    const items = Array.from({ length }, (_, number) => ({ key: below(100), number }));
    const before = items.slice();
    const byKey = (one: { key: number }, other: { key: number }) => one.key - other.key;
    assertEquals(atOnce(sorted(items, byKey)), items.toSorted(byKey));
    assertEquals(items, before);
  }
});

Deno.test("sorted() pauses often", () => {
  const items = Array.from({ length: 10_000 }, (_, i) => -i);
  let compared = 0, most = 0;
  const compare = (one: number, other: number) => (compared++, one - other);
  for (const work = sorted(items, compare); !work.next().done; compared = 0) {
    most = Math.max(most, compared);
  }
  assert(most > 0 && most < 1000, `${most} comparisons at a time`);
});
