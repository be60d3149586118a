import { assertEquals } from "@std/assert";
import { DigestTable } from "../lib/digest_table.ts";
import { sha256Words } from "../lib/sha256.ts";

Deno.test("DigestTable finds each of very many digests by its number, and no other", () => {
  const table = new DigestTable();
  const count = 50_000;
  for (let i = 0; i < count; i++) table.add(sha256Words(`${i}`));
  assertEquals(table.size, count);
  const wrong: number[] = [];
  for (let i = 0; i < count; i++) {
    if (table.find(sha256Words(`${i}`)) !== i || table.find(sha256Words(`x${i}`)) !== -1) {
      wrong.push(i);
    }
  }
  assertEquals(wrong, []);
});

Deno.test("DigestTable compares all of a digest", () => {
  const table = new DigestTable();
  const digest = sha256Words("a").slice();
  table.add(digest);
  for (let i = 0; i < digest.length; i++) {
    const other = digest.slice();
    other[i]! ^= 1 << 31;
    assertEquals([i, table.find(other)], [i, -1]);
  }
  assertEquals(table.find(digest), 0);
});
