import { assertEquals } from "@std/assert";
import { nearest } from "../lib/closest_word.ts";

const WORDS = ["http", "https", "cert", "key", "nskeyfile", "ttl", "trusted_proxies"];

Deno.test("nearest() finds the word that was meant", () => {
  const table: [string, string | undefined][] = [
    ["http", "http"],
    ["htttp", "http"], // one too many
    ["htp", "http"], // one too few
    ["hxtp", "http"], // a wrong one
    ["htpt", "http"], // two swapped
    ["htpps", "https"],
    ["nskeyfle", "nskeyfile"],
    ["ns_key_file", "nskeyfile"],
    ["nskey", undefined],
    ["trusted_proxy", "trusted_proxies"],
    ["trused_proxyes", "trusted_proxies"],
    ["tt", "ttl"],
    ["ky", "key"],
    ["crt", "cert"],
    ["", undefined],
    ["x", undefined],
    ["listen", undefined],
    ["completely", undefined],
  ];
  for (const [typed, meant] of table) assertEquals([typed, nearest(typed, WORDS)], [typed, meant]);
});

Deno.test("nearest() prefers the nearer word, and the first of two equally near", () => {
  assertEquals(nearest("abcdefx", ["abcdxyz", "abcdefg"]), "abcdefg");
  assertEquals(nearest("abcx", ["abcd", "abce"]), "abcd");
  assertEquals(nearest("abc", []), undefined);
});

Deno.test("nearest() finds no word in a text that is far longer than all of them", () => {
  for (const length of [40, 64, 65, 200, 100_000]) {
    assertEquals([length, nearest("x".repeat(length), WORDS)], [length, undefined]);
  }
});
