import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { parseAddress } from "../../lib/address.ts";
import { forwardedFor } from "../../lib/http/forwarded.ts";

/** Whom the proxies ask for, the nearest proxy's first: an address, or the problem's name. */
function read(header: string): string[] {
  return [...forwardedFor(header)].map((found) =>
    typeof found === "string" ? problemOf(found) : found.text
  );
}

const SILENT = "silent", HIDDEN = "hidden", UNKNOWN = "unknown", WRONG = "wrong";

function problemOf(text: string): string {
  if (text.includes("did not say")) return SILENT;
  if (text.includes("hides")) return HIDDEN;
  return text.includes("does not know") ? UNKNOWN : WRONG;
}

Deno.test("forwardedFor() reads what RFC 7239 has for examples", () => {
  const table: [string, ...string[]][] = [
    // Section 4.
    ['for="_gazonk"', HIDDEN],
    ['For="[2001:db8:cafe::17]:4711"', "2001:db8:cafe::17"],
    ["for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60"],
    ["for=192.0.2.43, for=198.51.100.17", "198.51.100.17", "192.0.2.43"],
    // Section 6.
    ['for="192.0.2.43:47011"', "192.0.2.43"],
    ['for="[2001:db8:cafe::17]:47011"', "2001:db8:cafe::17"],
    // Section 6.3.
    ["for=_hidden, for=_SEVKISEK", HIDDEN, HIDDEN],
    // Section 7.1.
    [
      'for=192.0.2.43,for="[2001:db8:cafe::17]",for=unknown',
      UNKNOWN,
      "2001:db8:cafe::17",
      "192.0.2.43",
    ],
    [
      'for=192.0.2.43, for="[2001:db8:cafe::17]", for=unknown',
      UNKNOWN,
      "2001:db8:cafe::17",
      "192.0.2.43",
    ],
    // Section 7.4.
    ['for=192.0.2.43, for="[2001:db8:cafe::17]"', "2001:db8:cafe::17", "192.0.2.43"],
  ];
  for (const [header, ...expected] of table) {
    assertEquals([header, ...read(header)], [header, ...expected]);
  }
});

Deno.test("forwardedFor() reads what RFC 7239 allows, and nothing else", () => {
  const table: [string, ...string[]][] = [
    // Names in any case, other parameters, pairs that are missing (section 4).
    ["FOR=192.0.2.1", "192.0.2.1"],
    ["fOr=192.0.2.1;Proto=https", "192.0.2.1"],
    ["by=203.0.113.43;host=example.com;proto=http;for=192.0.2.1", "192.0.2.1"],
    ["x-for=192.0.2.66;for=192.0.2.1;forx=192.0.2.67", "192.0.2.1"],
    [";;for=192.0.2.1;;", "192.0.2.1"],
    // What is around commas, and by custom around semicolons.
    ["for=192.0.2.2 \t,\t for=192.0.2.1", "192.0.2.1", "192.0.2.2"],
    [" \tproto=http ; for=192.0.2.1 ", "192.0.2.1"],
    // Strings in quotes: what separates elsewhere does not in there, and a backslash is taken away.
    ['for="192.0.2.1"', "192.0.2.1"],
    ['for="\\1\\92.0.2.1"', "192.0.2.1"],
    ['for="\\[2001:db8::1\\]"', "2001:db8::1"],
    ['by="a, b; for=192.0.2.66";for=192.0.2.1', "192.0.2.1"],
    ['for=192.0.2.1;by="a, for=192.0.2.66"', "192.0.2.1"],
    ['for=192.0.2.1;by="\\", for=192.0.2.66, x=\\""', "192.0.2.1"],
    ['for=192.0.2.1;by="\\\\"', "192.0.2.1"],
    ['for=192.0.2.1;by="\\\\\\", for=192.0.2.66"', "192.0.2.1"],
    ['for=192.0.2.1;by=""', "192.0.2.1"],
    ['for=192.0.2.1;by="é\t="', "192.0.2.1"],
    ['for=192.0.2.2;by=",", for=192.0.2.1;by=","', "192.0.2.1", "192.0.2.2"],
    // Nodes (section 6).
    ['for="192.0.2.1:0"', "192.0.2.1"],
    ['for="192.0.2.1:65535"', "192.0.2.1"],
    ['for="192.0.2.1:_port"', "192.0.2.1"],
    ['for="[2001:DB8:0::1]"', "2001:db8::1"],
    ['for="[2001:db8::1]:_.-x9"', "2001:db8::1"],
    ['for="[::ffff:192.0.2.1]"', "192.0.2.1"],
    ['for="[64:ff9b::192.0.2.33]"', "64:ff9b::c000:221"],
    ["for=UnKnown", UNKNOWN],
    ['for="unknown:4711"', UNKNOWN],
    ['for="unknown"', UNKNOWN],
    ["for=_a.b-C_1", HIDDEN],
    ['for="_x:_y"', HIDDEN],
    ['for="_x:4711"', HIDDEN],
    // Whoever wrote nothing about its client said nothing.
    ["proto=https", SILENT],
    ["", SILENT],
    [";", SILENT],
    [",", SILENT, SILENT],
    ["for=192.0.2.1,", SILENT, "192.0.2.1"],
    ["for=192.0.2.2,,for=192.0.2.1", "192.0.2.1", SILENT, "192.0.2.2"],
    // No nodes.
    ["for=", WRONG],
    ['for=""', WRONG],
    ["for=example.com", WRONG],
    ["for=_", WRONG],
    ['for="_a b"', WRONG],
    ["for=unknown_", WRONG],
    ["for=192.0.2.256", WRONG],
    ["for=192.0.2", WRONG],
    ['for="192.0.2.1:"', WRONG],
    ['for="192.0.2.1:123456"', WRONG],
    ['for="192.0.2.1:http"', WRONG],
    ['for="192.0.2.1:-1"', WRONG],
    ['for=" 192.0.2.1"', WRONG],
    ['for="192.0.2.1 "', WRONG],
    ['for="[192.0.2.1]"', WRONG],
    ['for="2001:db8::1"', WRONG],
    ['for="2001:db8::1:4711"', WRONG],
    ['for="[2001:db8::1"', WRONG],
    ['for="2001:db8::1]"', WRONG],
    ['for="[2001:db8::1]4711"', WRONG],
    ['for="[2001:db8::1]:"', WRONG],
    ['for="[2001:db8:::1]"', WRONG],
    ['for="[fe80::1%eth0]"', WRONG],
    ['for="[]"', WRONG],
    ['for="[_x]"', WRONG],
    // No elements.
    ["192.0.2.1", WRONG],
    ["for", WRONG],
    ["=192.0.2.1", WRONG],
    ["for=192.0.2.1;for=192.0.2.66", WRONG],
    ["for=192.0.2.1;FOR=192.0.2.1", WRONG],
    ["for =192.0.2.1", WRONG],
    ["for= 192.0.2.1", WRONG],
    ["for=192.0.2.1 proto=http", WRONG],
    ["for=192.0.2.1:4711", WRONG],
    ["for=2001:db8::1", WRONG],
    ["for=[2001:db8::1]", WRONG],
    ["for='192.0.2.1'", WRONG],
    ['for="192.0.2.1', WRONG],
    ['for=192.0.2.1"', WRONG],
    ['for="192.0.2.1\\"', WRONG],
    ['for="192.0.2.1""', WRONG],
    ['for="192.0.2.1"x', WRONG],
    ['for=x"192.0.2.1"', WRONG],
    ['"for"=192.0.2.1', WRONG],
    ["for=192.0.2.1;proto=http/1", WRONG],
    ["for=192.0.2.1/32", WRONG],
    ["for=\x00", WRONG],
  ];
  for (const [header, ...expected] of table) {
    assertEquals([header, ...read(header)], [header, ...expected]);
  }
});

Deno.test("forwardedFor() reads what the proxy wrote, whatever a client wrote in front", () => {
  const fronts = [
    "junk",
    "for=192.0.2.66",
    'for="192.0.2.66',
    'for=192.0.2.66;x="',
    'for=192.0.2.66;x="\\',
    '"',
    '\\"',
    '"\\',
    '""',
    'for=192.0.2.66, x=", for="',
    "for=192.0.2.66;",
    "for=192.0.2.66, for=",
  ];
  for (const front of fronts) {
    for (const own of ["for=192.0.2.1", 'for="[2001:db8::1]:80";by="x, \\"y\\""']) {
      const [first] = read(`${front}, ${own}`);
      const [expected] = read(own);
      assertEquals([front, own, first], [front, own, expected]);
    }
  }
});

const SEPARATOR = fc.constantFrom(",", ", ", " ,", "\t,\t ");
const TOKEN = fc.string({
  unit: fc.constantFrom(..."abcXYZ019!#$%&'*+-.^_`|~"),
  minLength: 1,
  maxLength: 5,
});
const QUOTED = fc.array(
  fc.oneof(
    fc.constantFrom(..."ab,;= \t[]:()/é", "for=192.0.2.66"),
    fc.constantFrom('\\"', "\\\\", "\\a", "\\,"),
  ),
  { maxLength: 8 },
).map((parts) => `"${parts.join("")}"`);
const OTHER = fc.tuple(
  TOKEN.filter((name) => name.toLowerCase() !== "for"),
  fc.oneof(TOKEN, QUOTED),
)
  .map(([name, value]) => `${name}=${value}`);
const PORT = fc.constantFrom("", ":0", ":4711", ":65535", ":_x.y");
const NODE: fc.Arbitrary<[node: string, expected: string]> = fc.oneof(
  fc.tuple(fc.ipV4(), PORT).map(([address, port]): [string, string] => [address + port, address]),
  fc.tuple(fc.ipV6(), PORT).map(([address, port]): [string, string] => [
    `[${address}]${port}`,
    parseAddress(address)!.text,
  ]),
  fc.constantFrom<[string, string]>(["unknown", UNKNOWN], ["_x:1", HIDDEN], ["x", WRONG]),
);
/** An element as RFC 7239 has it, and what is to be read of it. */
const ELEMENT = fc.record({
  node: fc.option(NODE, { nil: undefined }),
  name: fc.constantFrom("for", "For", "FOR"),
  /** Which characters have a backslash in front. */
  escapes: fc.integer(),
  isQuoted: fc.boolean(),
  before: fc.array(OTHER, { maxLength: 2 }),
  behind: fc.array(OTHER, { maxLength: 2 }),
}).map(({ node, name, escapes, isQuoted, before, behind }) => {
  if (node === undefined) return { text: [...before, ...behind].join(";"), expected: SILENT };
  const [text, expected] = node;
  const escaped = [...text].map((c, i) => (escapes >> i % 32 & 1) ? `\\${c}` : c).join("");
  const value = isQuoted || /[[\]:]/.test(text) ? `"${escaped}"` : text;
  return { text: [...before, `${name}=${value}`, ...behind].join(";"), expected };
});
/** A header as RFC 7239 has it. */
const HEADER = fc.array(fc.tuple(ELEMENT, SEPARATOR), { minLength: 1, maxLength: 4 }).map(
  (elements) => ({
    text: elements.map(([{ text }, separator], i) => i === 0 ? text : separator + text).join(""),
    expected: elements.map(([{ expected }]) => expected).reverse(),
  }),
);
/** What is not, but for an accident. */
const JUNK = fc.array(fc.constantFrom("for=", "192.0.2.66", '="', ...'x=";,\\ []:_\t'))
  .map((parts) => parts.join(""));

Deno.test("forwardedFor() reads back every header that is written as RFC 7239 has it", () => {
  fc.assert(
    fc.property(HEADER, ({ text, expected }) => assertEquals(read(text), expected)),
    { numRuns: 2000 },
  );
});

Deno.test("forwardedFor() reads the same of proxies, whatever is in front of what they wrote", () => {
  fc.assert(
    fc.property(JUNK, SEPARATOR, HEADER, (junk, separator, { text, expected }) => {
      assertEquals(read(junk + separator + text).slice(0, expected.length), expected);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("forwardedFor() takes time in proportion to the header's length", () => {
  const length = 64 * 1024;
  const units = [
    "a",
    '"',
    "\\",
    '\\"',
    '"\\',
    " ",
    "\t",
    ";",
    ",",
    "=",
    "a=",
    'a="',
    'a=";',
    "for=192.0.2.1,",
    "for=192.0.2.1;",
    "for=1.",
    'for="[',
    "a=b ",
    "_",
    "unknown",
  ];
  for (const unit of units) {
    const repeated = unit.repeat(length / unit.length);
    for (const header of [repeated, `for="${repeated}"`, `for=${repeated}`, `${repeated}x=\0`]) {
      const start = performance.now();
      for (const _ of forwardedFor(header));
      const time = performance.now() - start;
      // A few milliseconds; by the square of its length it would be ten seconds.
      assert(time < 2000, `${time} ms for ${JSON.stringify(unit)}`);
    }
  }
});
