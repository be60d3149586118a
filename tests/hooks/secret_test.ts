import { assertEquals } from "@std/assert";
import { tells } from "../../lib/hooks/secret.ts";

Deno.test("tells() finds a key, or a part of it, in any text", () => {
  const table: [text: string, key: string, isTelling: boolean][] = [
    ["no host has abcdefghijkl", "abcdefghijkl", true],
    ["no host has ABCDEFGHIJKL", "abcdefghijkl", true],
    ["only efghij of it", "abcdefghijkl", true],
    ["only fghij of it", "abcdefghijkl", false],
    ["a short abc", "abc", true],
    ["a short ab", "abc", false],
    ["for user=häns", "user%3dh%c3%a4ns", true],
    ["for user%3dh", "user%3dh%c3%a4ns", true],
    ["for user=x", "user%3dh%ff", false],
    ["nothing", "", false],
    ["", "abc", false],
    ["x".repeat(1000), "y".repeat(16_000), false],
  ];
  for (const [text, key, isTelling] of table) assertEquals(tells(text, key), isTelling, text);
});
