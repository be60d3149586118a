import { assertEquals } from "@std/assert";
import { stringValue } from "../../lib/python/string_literal.ts";

/** What Python's own ast.literal_eval says of each. */
Deno.test("stringValue() reads literals as Python does", () => {
  const table: [prefix: string, text: string, value: string | undefined][] = [
    ["", "", ""],
    ["", "host=a,key=b", "host=a,key=b"],
    ["", "é€😀", "é€😀"],
    ["", String.raw`\\\'\"`, `\\'"`],
    ["", String.raw`\a\b\f\n\r\t\v`, "\x07\b\f\n\r\t\x0b"],
    ["", "a\\\nb", "ab"],
    ["", String.raw`\0\7\12\101\1018\400`, "\0\x07\nAA8\u0100"],
    ["", String.raw`\x41\xe9\x7F\x4111`, "A\xe9\x7fA11"],
    ["", String.raw`\u20ac\U0001F600\u00e9x`, "€😀éx"],
    ["", String.raw`\X41\q\8\.\ \é`, String.raw`\X41\q\8\.\ \é`],
    ["", String.raw`\\x41\\\x41`, String.raw`\x41\A`],
    ["", String.raw`\x4`, undefined],
    ["", String.raw`\u20a`, undefined],
    ["", String.raw`\U0001F60`, undefined],
    ["", String.raw`\U00110000`, undefined],
    ["", String.raw`\N{BULLET}`, undefined],
    ["u", String.raw`\x41`, "A"],
    ["r", String.raw`\x41\n\"`, String.raw`\x41\n\"`],
    ["b", "a", undefined],
    ["rb", "a", undefined],
    ["t", "a", undefined],
    ["f", String.raw`a\x41`, "aA"],
    ["fr", String.raw`a\x41`, String.raw`a\x41`],
    ["f", "{a}", undefined],
    ["f", "{{", undefined],
  ];
  for (const [prefix, text, value] of table) {
    assertEquals([prefix, text, stringValue(prefix, text)], [prefix, text, value]);
  }
});
