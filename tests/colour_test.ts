import { assertEquals } from "@std/assert";
import { coloured, colouredFinding, hasColour } from "../lib/colour.ts";

Deno.test("coloured() ends what it begins", () => {
  assertEquals(coloured("a", "red"), "\x1b[31ma\x1b[0m");
});

Deno.test("hasColour() is no for what is no terminal", () => {
  assertEquals(hasColour({ isTerminal: () => false }), false);
  assertEquals(hasColour({ isTerminal: () => true }), !Deno.noColor);
});

Deno.test("colouredFinding() marks a finding's word, and the line that counts", () => {
  const table: [string, string][] = [
    ["ok: nsupdate 9", "\x1b[32mok\x1b[0m: nsupdate 9"],
    ["warning: x", "\x1b[33mwarning\x1b[0m: x"],
    ["error: x: ok: y", "\x1b[31merror\x1b[0m: x: ok: y"],
    ["no errors", "\x1b[32mno errors\x1b[0m"],
    ["no errors, 1 warning", "\x1b[33mno errors, 1 warning\x1b[0m"],
    ["1 error, 2 warnings", "\x1b[31m1 error, 2 warnings\x1b[0m"],
    ["2 errors", "\x1b[31m2 errors\x1b[0m"],
    ["no link is broken", "\x1b[32mno link is broken\x1b[0m"],
    ["the first broken link: x", "\x1b[31mthe first broken link: x\x1b[0m"],
    ["other: x", "other: x"],
  ];
  for (const [line, expected] of table) assertEquals(colouredFinding(line), expected);
});
