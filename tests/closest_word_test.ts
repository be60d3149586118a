import { assertEquals } from "@std/assert";
import { closestWord } from "../lib/closest_word.ts";

const WORDS = ["http", "https", "cert", "key", "nskeyfile", "ttl", "trusted_proxies"];

Deno.test("closestWord() finds the word that was meant", () => {
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
  for (const [typed, meant] of table) {
    assertEquals([typed, closestWord(typed, WORDS)], [typed, meant]);
  }
});

Deno.test("closestWord() prefers the nearer word, and the first of two equally near", () => {
  assertEquals(closestWord("abcdefx", ["abcdxyz", "abcdefg"]), "abcdefg");
  assertEquals(closestWord("abcx", ["abcd", "abce"]), "abcd");
  assertEquals(closestWord("abc", []), undefined);
});

Deno.test("closestWord() finds no word in a text that is far longer than all of them", () => {
  for (const length of [40, 64, 65, 200, 100_000]) {
    assertEquals([length, closestWord("x".repeat(length), WORDS)], [length, undefined]);
  }
});
