import { assert, assertEquals, assertThrows } from "@std/assert";
import { parseHostname, parseZoneName } from "../lib/hostname.ts";
import { belowFrom } from "./support.ts";

const L63 = "l".repeat(63);
/** The name, or what is wrong with it. */
function outcome(text: string): string {
  try {
    return parseHostname(text);
  } catch (error) {
    assert(error instanceof RangeError, `${error}`);
    return error.message;
  }
}

/** 253 characters, the most a name can have: 64 * 3 + 61. */
const LONGEST = `${L63}.${L63}.${L63}.${"m".repeat(61)}`;

Deno.test("parseHostname() takes names of letters, digits and hyphens, wildcards and underscores in front, and puts them right", () => {
  const table: [string, string][] = [
    ["host.dyn.example", "host.dyn.example"],
    ["Host.DYN.Example", "host.dyn.example"],
    ["host.dyn.example.", "host.dyn.example"],
    ["a.b", "a.b"],
    ["*.home.dyn.example", "*.home.dyn.example"],
    ["*.Example.", "*.example"],
    ["_acme-challenge.dyn.example", "_acme-challenge.dyn.example"],
    ["_a._tcp.dyn.example", "_a._tcp.dyn.example"],
    ["1.example", "1.example"],
    ["1-2.3com.example", "1-2.3com.example"],
    ["a--b.example", "a--b.example"],
    ["xn--bcher-kva.example", "xn--bcher-kva.example"],
    ["host.xn--p1ai", "host.xn--p1ai"],
    [`${L63}.example`, `${L63}.example`],
    [LONGEST, LONGEST],
    [`${LONGEST}.`, LONGEST],
  ];
  for (const [text, name] of table) assertEquals<string>(parseHostname(text), name);
});

Deno.test("parseHostname() refuses what cannot be a host, and does not repeat it", () => {
  const table: [string, RegExp][] = [
    ["", /empty/],
    [".", /empty/],
    ["..", /dots/],
    [".host.dyn.example", /dots/],
    ["host..dyn.example", /dots/],
    ["host.dyn.example..", /dots/],
    ["host.dyn.example\nserver evil", /letters, digits/],
    ["host.dyn.example\n", /letters, digits/],
    ["host.dyn.example.\n", /letters, digits/],
    ["\nhost.dyn.example", /letters, digits/],
    ["host.dyn.example\0", /letters, digits/],
    ["host.dyn.example;", /letters, digits/],
    [";", /letters, digits/],
    ["$INCLUDE", /letters, digits/],
    ["$INCLUDE.dyn.example", /letters, digits/],
    ["host .dyn.example", /letters, digits/],
    [" host.dyn.example", /letters, digits/],
    ["host\t.dyn.example", /letters, digits/],
    ["host\\.dyn.example", /letters, digits/],
    ['"host.dyn.example"', /letters, digits/],
    ["(host.dyn.example)", /letters, digits/],
    ["host@dyn.example", /letters, digits/],
    ["*", /zone/],
    ["*.", /zone/],
    ["a.*.dyn.example", /only be the whole first label/],
    ["*a.dyn.example", /only be the whole first label/],
    ["**.dyn.example", /only be the whole first label/],
    ["*.*.dyn.example", /only be the whole first label/],
    ["my_host.dyn.example", /letters, digits/],
    ["_.dyn.example", /letters, digits/],
    ["__acme.dyn.example", /letters, digits/],
    ["_-acme.dyn.example", /letters, digits/],
    ["-host.dyn.example", /letters, digits/],
    ["host-.dyn.example", /letters, digits/],
    ["host.-dyn.example", /letters, digits/],
    ["-.dyn.example", /letters, digits/],
    ["host.dyn.example:53", /letters, digits/],
    ["http://host.dyn.example/", /letters, digits/],
    ["bücher.example", /xn--/],
    ["host.рф", /xn--/],
    ["ＨＯＳＴ.example", /xn--/],
    // Lower case makes an ASCII letter of the Kelvin sign.
    ["\u212a.example", /xn--/],
    ["host\u3002dyn.example", /xn--/],
    ["host\u200b.dyn.example", /xn--/],
    ["host", /zone/],
    ["localhost", /zone/],
    ["4bea92410b3146d0cfe", /zone/],
    ["1.2.3.4", /number/],
    ["host.123", /number/],
    ["::1", /letters, digits/],
    ["a".repeat(256), /256.*253/],
    [`n${LONGEST}`, /254.*253/],
    [`${L63}x.example`, /64.*63/],
  ];
  const taken = table.filter(([text, why]) => {
    const said = outcome(text);
    if (text.length > 4) assert(!said.includes(text), `${said} repeats its input`);
    return !(said.startsWith("not a host name: ") && why.test(said));
  });
  assertEquals(taken, []);
});

Deno.test("parseHostname() gives, of any text, a plain name of 253 characters or a RangeError", () => {
  const seed = Date.now() >>> 0;
  const below = belowFrom(seed);
  const odd = [
    "\n",
    "\r",
    "\0",
    ";",
    " ",
    "_",
    "*",
    "\u212a",
    "\u0130",
    "ſ",
    "ß",
    "\ud800",
    ".",
    ".",
    "-",
  ];
  for (let i = 0; i < 3000; i++) {
    const text = Array.from({ length: below(12) }, () => {
      return below(4) ? "aZ09-."[below(6)]! : odd[below(odd.length)]!;
    }).join("");
    try {
      const name = parseHostname(text);
      const isPlain = /^(\*|_?(?!-)[a-z0-9-]+(?<!-))(\._?(?!-)[a-z0-9-]+(?<!-))+$/.test(name);
      const isSame = text.replace(
        /[A-Z]/g,
        (upper) => String.fromCharCode(upper.charCodeAt(0) + 32),
      );
      assert(isPlain && (isSame === name || isSame === `${name}.`), JSON.stringify([text, name]));
    } catch (error) {
      assert(error instanceof RangeError, `seed ${seed}: ${JSON.stringify(text)}: ${error}`);
    }
  }
});

Deno.test("parseZoneName() takes one label, and no wildcard", () => {
  assertEquals<string>(parseZoneName("Example."), "example");
  assertEquals<string>(parseZoneName("dyn.sft.mx"), "dyn.sft.mx");
  for (const text of ["", ".", "*.example", "a..b", "my_zone", "1.2.3.4", "a b"]) {
    assertThrows(() => parseZoneName(text), RangeError, "not a zone name: ");
  }
});
