import { assert, assertEquals } from "@std/assert";
import { parse } from "@std/toml";
import { parseToml, type TomlTable } from "../../lib/config/toml.ts";
import { belowFrom } from "../support.ts";

/** Every value under its dotted name, with its line: `{ "a.b": [LINE, VALUE] }`. */
function flat(table: TomlTable, prefix = ""): Record<string, [number, unknown]> {
  return Object.fromEntries(
    [...table].flatMap(([name, { line, value }]) =>
      value instanceof Map
        ? Object.entries(flat(value, `${prefix}${name}.`))
        : [[`${prefix}${name}`, [line, value]]]
    ),
  );
}

function read(text: string) {
  const { table, faults } = parseToml(text);
  assertEquals([text, faults], [text, []]);
  return flat(table);
}

Deno.test("parseToml() reads every kind of value with its line", () => {
  const text = `# a comment

http = "8080" # another
  "https"='4443'
number = 30
half = 1.5
yes = true
list = [ "a", # "b"
  'c]', # ]
  ["d"],
]
table = { host = "h", "ttl" = 300 }
dotted.a."b.c" = 1

[clients]
"a=b,c#d[e" = "=#]"
'?hostname=h&password=p' = ["h", "i"]
text = """
  # no comment
  [none]
"""
same = '''x'''

[ zones . "dyn.example" ] # comment
ttl = -1
[zones]
x = ""
`;
  assertEquals(read(text), {
    http: [3, "8080"],
    https: [4, "4443"],
    number: [5, 30],
    half: [6, 1.5],
    yes: [7, true],
    list: [8, ["a", "c]", ["d"]]],
    "table.host": [12, "h"],
    "table.ttl": [12, 300],
    "dotted.a.b.c": [13, 1],
    "clients.a=b,c#d[e": [16, "=#]"],
    "clients.?hostname=h&password=p": [17, ["h", "i"]],
    "clients.text": [18, "  # no comment\n  [none]\n"],
    "clients.same": [22, "x"],
    "zones.dyn.example.ttl": [25, -1],
    "zones.x": [27, ""],
  });
});

Deno.test("parseToml() knows quotes, escapes and line ends", () => {
  const table: [string, Record<string, [number, unknown]>][] = [
    ["", {}],
    ["\n \t\n# only a comment", {}],
    ["a=1", { a: [1, 1] }],
    ["a = 1\r\nb = 2\r\n", { a: [1, 1], b: [2, 2] }],
    ['"" = 1', { "": [1, 1] }],
    ['a = ""', { a: [1, ""] }],
    ['a = "x\\"y" # z"', { a: [1, 'x"y'] }],
    ["a = 'x\\'\nb = 1", { a: [1, "x\\"], b: [2, 1] }],
    ['a = "\\\\"\nb = 1', { a: [1, "\\"], b: [2, 1] }],
    ['a = """x"y""z"""\nb = 1', { a: [1, 'x"y""z'], b: [2, 1] }],
    ['a = """\\"""x"""\nb = 1', { a: [1, '"""x'], b: [2, 1] }],
    ["a = '''x\\'''\nb = 1", { a: [1, "x\\"], b: [2, 1] }],
    ['a = """x\n\n"""\nb = 1', { a: [1, "x\n\n"], b: [4, 1] }],
    ["a = [\n1,\n]\n\nb = 1", { a: [1, [1]], b: [5, 1] }],
    ["é = 1".replace("é", '"é😀"'), { "é😀": [1, 1] }],
    ["[a.b]\nx = 1\n[a]\ny = 2\n[c]\n", { "a.b.x": [2, 1], "a.y": [4, 2] }],
  ];
  for (const [text, expected] of table) assertEquals([text, read(text)], [text, expected]);
  const { table: dates } = parseToml("d = 2026-11-05T06:07:08Z");
  assert(dates.get("d")?.value instanceof Date);
});

Deno.test("parseToml() keeps names that objects have already", () => {
  const { table, faults } = parseToml('constructor = 1\n"__proto__" = 2\n[toString]\nx = 3');
  assertEquals(faults, []);
  assertEquals([...table.keys()], ["constructor", "__proto__", "toString"]);
  assertEquals(table.get("__proto__"), { line: 2, value: 2 });
});

Deno.test("parseToml() says what is wrong with a statement, and in which line", () => {
  const table: [string, number, RegExp][] = [
    ["http", 1, /expected NAME = VALUE or \[TABLE\]/],
    ["# x\n\nhttp: 8080", 3, /expected NAME = VALUE/],
    ["]", 1, /expected NAME = VALUE/],
    ["= 1", 1, /not a valid name/],
    ["a b = 1", 1, /not a valid name.*quotes/],
    ['?hostname=h = "h"', 1, /not a valid name.*quotes/],
    ["a.b. = 1", 1, /not a valid name/],
    ["a =", 1, /is missing/],
    ["a =  \nb = 1", 1, /is missing/],
    ["a = # none", 1, /is missing/],
    ["a = True", 1, /true or false/],
    ["a = None", 1, /true or false/],
    ["a = host.dyn.example", 1, /string needs quotes/],
    ["a = 127.0.0.1:8080", 1, /string needs quotes/],
    ["a = /etc/x", 1, /string needs quotes/],
    ['a = "C:\\x"', 1, /backslash/],
    ['a = ["b" "c"]', 1, /not a valid list/],
    ["a = [b]", 1, /not a valid list/],
    ["a = [\n1,\nb]\nc = 2", 1, /not a valid list/],
    ["a = { b = c }", 1, /not a valid table/],
    ["a = { b }", 1, /not a valid table/],
    ['a = "b" c', 1, /follows its end/],
    ['a = "b" c = "d"', 1, /follows its end/],
    ["a = 'b'c'\nd = 1", 1, /quote \('\) is not closed/],
    ['a = "b', 1, /quote \("\) is not closed/],
    ['x = 1\na = "b\nc = 1', 2, /quote \("\) is not closed/],
    ['a" = 1\nb = 1', 1, /quote \("\) is not closed/],
    ["a = '''b\nc = 1", 1, /quote \('\) is not closed/],
    ['a = """b\\', 1, /quote \("\) is not closed/],
    ["a = [1,\nb = 1\n[c]\nd = 1", 1, /bracket is not closed/],
    ["a = { b = 1\nc = 1", 1, /bracket is not closed/],
    ["[]", 1, /not a table's name/],
    ["[a", 1, /not a table's name|bracket/],
    ["[a]b", 1, /not a table's name/],
    ["[a b]", 1, /not a table's name.*quotes/],
    ["[a.]", 1, /not a table's name/],
    ['["a]', 1, /not a table's name|quote/],
    ["[[a]]", 1, /lists of tables are not used/],
  ];
  const wrong = table.flatMap(([text, line, problem]) => {
    const { faults } = parseToml(text);
    const isRight = faults.length === 1 && faults[0]!.line === line &&
      problem.test(faults[0]!.problem);
    return isRight ? [] : [{ text, faults }];
  });
  assertEquals(wrong, []);
});

Deno.test("parseToml() finds names that stand twice, and says where they stood first", () => {
  const table: [string, number, RegExp][] = [
    ["a = 1\n\na = 1", 3, /line 1\b/],
    ['a = 1\n"a" = 2', 2, /line 1\b/],
    ["a = 1\na.b = 2", 2, /line 1\b/],
    ["a.b = 1\na = 2", 2, /line 1\b/],
    ["a.b = 1\na.b = 2", 2, /line 1\b/],
    ["a = 1\n[a]", 2, /line 1\b/],
    ["a = 1\n[a.b]", 2, /line 1\b/],
    ["\n[a]\nx = 1\n[a]", 4, /line 2\b/],
    ["[a.b]\n[a]\n['a'.\"b\"]", 3, /line 1\b/],
    ["[a]\nx = 1\n[b]\nx = 1\nx = 2", 5, /line 4\b/],
    ["a = { b = 1 }\na = { b = 1 }", 2, /line 1\b/],
    // An inline table is whole: TOML 1.0, "Inline Table".
    ["a = { b = 1 }\na = { c = 1 }", 2, /line 1\b/],
    ["a = { b = 1 }\na.c = 1", 2, /line 1\b/],
    ["a = { b = 1 }\n[a]", 2, /line 1\b/],
    ["a = { b = 1 }\n[a.c]", 2, /line 1\b/],
    ["a.b = 1\na = { c = 1 }", 2, /line 1\b/],
    ["a = {}\na = {}", 2, /line 1\b/],
    ["[a.b]\n[a]\nb = { c = 1 }", 3, /line 1\b/],
  ];
  const found = table.map(([text]) => {
    const [fault, ...more] = parseToml(text).faults;
    return [text, fault?.line, fault?.problem.match(/line \d+/)?.[0], more.length];
  });
  const expected = table.map(([text, line, problem]) => [
    text,
    line,
    problem.source.replace("\\b", ""),
    0,
  ]);
  assertEquals(found, expected);
});

Deno.test("parseToml() finds all faults, and reads what is between them", () => {
  const { table, faults } = parseToml(`a = 1
b = x
[t
c = y
d = 1
[u]
e = [1,
f = 2
g = "h
i = 3
`);
  assertEquals(faults.map((fault) => fault.line), [2, 3, 4, 7, 9]);
  // What follows a broken header belongs to no known table.
  assertEquals(flat(table), { a: [1, 1], "u.f": [8, 2], "u.i": [10, 3] });
});

Deno.test("parseToml() never throws, counts its lines right and repeats no text", () => {
  const seed = Date.now() >>> 0;
  const below = belowFrom(seed);
  const good =
    'zzzz = "qqqq"\n[zzzz2]\n"qq qq" = [ "zzzz",\n\'qqqq\' ]\nqqqq = { zzzz = 1, qqqq = """qqqq""" }\n';
  const odd = ['"', '"', "'", "[", "]", "{", "}", "=", "#", "\n", "\\", ".", ",", "\r", "é", "0"];
  for (let i = 0; i < 2000; i++) {
    let text = good;
    for (let edits = below(6); edits >= 0; edits--) {
      const at = below(text.length + 1);
      text = text.slice(0, at) + (below(3) ? odd[below(odd.length)] : "") +
        text.slice(at + below(3));
    }
    const label = `seed ${seed}: ${JSON.stringify(text)}`;
    const { faults } = parseToml(text);
    const lines = text.split("\n").length;
    for (const { line, problem } of faults) {
      assert(line >= 1 && line <= lines && Number.isInteger(line), `${label}: line ${line}`);
      assert(!/zz|qq/.test(problem), `${label}: ${problem}`);
    }
    // Where statements end does not depend on what stands before them.
    const { table } = parseToml(`${text}\n\n[last]\nname = 1\n`);
    const last = table.get("last");
    if (faults.length === 0 && last !== undefined) {
      assertEquals([label, last.line], [label, lines + 2]);
    }
  }
});

Deno.test("parseToml() reads plain values as the library does", () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  console.log(`seed ${seed}`);
  const below = belowFrom(seed);
  const parts = [
    '"',
    '"',
    "a",
    "é",
    "🙂",
    "\\",
    "\\n",
    "'",
    " ",
    "\t",
    "#",
    "0",
    "1",
    "23",
    "-",
    ".",
    "_",
    "e",
    "T",
  ];
  let understood = 0;
  for (let i = 0; i < 20_000; i++) {
    let value = Array.from({ length: 1 + below(6) }, () => parts[below(parts.length)]!).join("");
    if (i % 3 === 0) value = `"${value}"${below(2) === 0 ? "" : ' # "'}`;
    let expected: unknown;
    try {
      const { x, ...rest } = parse(`x = ${value}`);
      // Some libraries take a second statement in the same line.
      if (Object.keys(rest).length === 0) expected = x;
    } catch {
      // Nothing to compare: it is a fault for both.
    }
    const { table, faults } = parseToml(`x = ${value}`);
    if (expected instanceof Date || typeof expected === "object") continue;
    assertEquals([value, table.get("x")?.value], [value, expected]);
    assertEquals(faults.length === 0, expected !== undefined, value);
    if (expected !== undefined) understood++;
  }
  assert(understood > 2000, `${understood}`);
});

Deno.test("parseToml() takes no longer for a fault because there are many others", () => {
  // In quadratic time each of these would take minutes.
  const count = 20_000;
  const lines = [
    "a = [",
    "a = {",
    'a = "x',
    "a = 'x",
    "a = [ '''x",
    "a = [ \"\"\" ''' x",
    "a = [ ] ] [ [",
    "[a",
    "x",
  ];
  for (const line of lines) {
    // The last line is odd in all of them: quotes that were open are so still.
    const { faults } = parseToml(`${line}\n`.repeat(count + 1));
    assertEquals([line, faults.length], [line, count + 1]);
    assertEquals([line, faults.at(-1)!.line], [line, count + 1]);
  }
});

Deno.test("parseToml() knows after a fault which statements of many lines end, and which do not", () => {
  const { table, faults } = parseToml(`a = [
b = [
  1, # ]
  2,
]
c = """
[
"""
d = [ "]", """
]""" ]
e = [ [
f = 1
`);
  assertEquals(faults.map(({ line }) => line), [1, 11]);
  assertEquals(flat(table), { b: [2, [1, 2]], c: [6, "[\n"], d: [9, ["]", "]"]], f: [12, 1] });
});

Deno.test("parseToml() reads a list of very many lines", () => {
  const lines = Array.from({ length: 5000 }, (_, i) => `  ${i},\n`).join("");
  assertEquals(read(`a = [\n${lines}]\nb = 1`).b, [5003, 1]);
});
