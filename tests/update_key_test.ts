import { assert, assertEquals, assertMatch } from "@std/assert";
import { keyText, newKey } from "../lib/update_key.ts";

Deno.test("newKey() makes 160 random bits into 40 hex digits", () => {
  const count = <T extends ArrayBufferView | null>(array: T): T => {
    if (array instanceof Uint8Array) { for (let i = 0; i < array.length; i++) array[i] = i + 5; }
    return array;
  };
  assertEquals(newKey(count), "05060708090a0b0c0d0e0f101112131415161718");
});

Deno.test("newKey() makes another key every time", () => {
  const keys = new Set(Array.from({ length: 100 }, () => newKey()));
  assertEquals(keys.size, 100);
  for (const key of keys) assertMatch(key, /^[0-9a-f]{40}$/);
});

Deno.test("keyText() gives the lines to paste: the client, its digest and the request", () => {
  const sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  for (const [host, name] of [[undefined, "host.dyn.example"], ["a.b.example", "a.b.example"]]) {
    const lines = keyText("abc", host).split("\n").filter((line) => !/^(#|$)/.test(line));
    assertEquals(lines.slice(0, 2), [`"abc" = "${name}"`, `"sha256:${sha256}" = "${name}"`]);
    assertMatch(lines[2]!, /^curl .*https:\/\/[^/]+\/abc$/);
    assertEquals(lines.length, 3);
  }
  assert(keyText("abc").endsWith("\n"));
});
