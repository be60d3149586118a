import { assertEquals } from "@std/assert";
import { isJournal } from "../lib/journal.ts";

Deno.test("isJournal() is true only of the stream that stderr is", async () => {
  const table: [string | undefined, boolean][] = [
    ["8:4711", true],
    [undefined, false],
    ["", false],
    ["8:471", false],
    ["8:47110", false],
    ["9:4711", false],
    ["8:4711 ", false],
    ["4711:8", false],
  ];
  for (const [stream, expected] of table) {
    const found = await isJournal(stream, () => ({ dev: 8n, ino: 4711n }));
    assertEquals([stream, found], [stream, expected]);
  }
});

Deno.test("isJournal() knows an inode that no number can hold", async () => {
  const fstat = () => ({ dev: 8n, ino: 2n ** 64n - 1n });
  assertEquals(await isJournal("8:18446744073709551615", fstat), true);
  assertEquals(await isJournal("8:18446744073709551616", fstat), false);
});

Deno.test("isJournal() is false where stderr is closed", async () => {
  const fstat = () => {
    throw new Deno.errors.BadResource();
  };
  assertEquals(await isJournal("8:4711", fstat), false);
});

Deno.test("isJournal() asks the system about stderr", async () => {
  assertEquals(await isJournal("0:0"), false);
});
