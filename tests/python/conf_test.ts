import { assertEquals, assertThrows } from "@std/assert";
import { readPythonConf } from "../../lib/python/conf.ts";
import { PythonError } from "../../lib/python/scanner.ts";

/** The clients of a text, as a plain object. */
function clientsOf(text: string): Record<string, readonly string[]> {
  return Object.fromEntries(
    [...readPythonConf(text).clients].map(([key, { hosts }]) => [key, hosts]),
  );
}

/** The settings of a text, as a plain object. */
function settingsOf(text: string): Record<string, string> {
  return Object.fromEntries(
    [...readPythonConf(text).settings].map(([name, { value }]) => [name, value]),
  );
}

/** What is remarked on, as `LINE KIND`, with what it is about. */
function remarksOf(text: string): string[] {
  return readPythonConf(text).remarks.map(({ line, remark }) => {
    const about = "name" in remark ? ` ${remark.name}` : "what" in remark ? ` ${remark.what}` : "";
    return `${line} ${remark.kind}${about}`;
  });
}

Deno.test("readPythonConf() reads the sample's three clients, without its comments", () => {
  const text = `
# CLIENTS = { "not": "this.dyn.sft.mx" }
CLIENTS = {
    # a comment with a "quote
    "example": "host.dyn.sft.mx",  # and 'one' }
    "?hostname=myclient.dyn.sft.mx&password=123456": "myclient.dyn.sft.mx",
    # "old": "old.dyn.sft.mx",
    "host=gnampf.dyn.sft.mx,key=4bea92410b3146d0cfe": "gnampf.dyn.sft.mx",
}
`;
  assertEquals(clientsOf(text), {
    "example": ["host.dyn.sft.mx"],
    "?hostname=myclient.dyn.sft.mx&password=123456": ["myclient.dyn.sft.mx"],
    "host=gnampf.dyn.sft.mx,key=4bea92410b3146d0cfe": ["gnampf.dyn.sft.mx"],
  });
  assertEquals(remarksOf(text), []);
  assertEquals(readPythonConf(text).clients.get("example")!.line, 5);
});

Deno.test("readPythonConf() reads clients however they are written", () => {
  const table: [text: string, clients: Record<string, string[]>][] = [
    ["CLIENTS = {}", {}],
    ["clients = {'a': 'b'}", { a: ["b"] }],
    ["CLIENTS={'a':'b',}", { a: ["b"] }],
    ["CLIENTS: dict[str, str] = {'a': 'b'}", { a: ["b"] }],
    ["CLIENTS = HOSTS = {'a': 'b'}", { a: ["b"] }],
    ["CLIENTS = \\\n  {'a': 'b'}", { a: ["b"] }],
    ["http = 1; CLIENTS = {'a': 'b'}; key = 2", { a: ["b"] }],
    [`CLIENTS = {"it's": 'say "x"'}`, { "it's": ['say "x"'] }],
    [`CLIENTS = {'it\\'s': "a\\"b\\\\"}`, { "it's": ['a"b\\'] }],
    [String.raw`CLIENTS = {"\x41\u00e9\n\101": r"\x41\""}`, { "Aé\nA": ['\\x41\\"'] }],
    [`CLIENTS = {'''a\n"'b''': """c\n''d"""}`, { "a\n\"'b": ["c\n''d"] }],
    [String.raw`CLIENTS = {"""a\"""b"" """: U'c'}`, { 'a"""b"" ': ["c"] }],
    [`CLIENTS = {"a" 'b'\n  r"\\c"  # more\n  : "d" "e"}`, { "ab\\c": ["de"] }],
    ["CLIENTS = {'a': ['b', \"c\"], 'd': ('e', 'f'), 'g': ('h'), 'i': ['j',]}", {
      a: ["b", "c"],
      d: ["e", "f"],
      g: ["h"],
      i: ["j"],
    }],
    ["CLIENTS = {'a': []}", { a: [] }],
    ["CLIENTS = {\r\n'a': 'b',\r\n'''c\r\nd''': 'e'}\r\n", { a: ["b"], "c\nd": ["e"] }],
    ["CLIENTS = {'a': 'b'}\rhttp = 1", { a: ["b"] }],
    ["CLIENTS = {'a': '#b'} # c", { a: ["#b"] }],
    ["CLIENTS = {'__proto__': 'b'}", JSON.parse('{"__proto__":["b"]}')],
    // The last one counts.
    ["CLIENTS = {'a': 'b'}\nCLIENTS = {'c': 'd'}", { c: ["d"] }],
    ["CLIENTS = {'a': 'b', 'a': 'c'}", { a: ["c"] }],
  ];
  for (const [text, clients] of table) assertEquals([text, clientsOf(text)], [text, clients]);
});

Deno.test("readPythonConf() takes of a dictionary what it can, and remarks on the rest", () => {
  const text = `CLIENTS = {
  "a": "a.example",
  "b": environ["X"],
  "c": "c.example" if X else "d.example",
  X: "e.example",
  **OTHERS,
  "f": ["f.example", X],
  "g": {"h": "i", "j": "k"},
  "l": f"{host}.example",
  b"m": "m.example",
  "n": lambda x, y: ("o", "p"),
  "q": None,
  "r": (("r.example")),
  "s": "s.example",
  {"t": "u"}: "v",
  "w"
  "x": 5, "y": 6,
  "z": "z" + "y",
  "a": "b.example",
}`;
  assertEquals(clientsOf(text), { s: ["s.example"], a: ["b.example"] });
  assertEquals(
    remarksOf(text),
    [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16, 17, 18].map((line) => `${line} client`)
      .concat("2 replaced"),
  );
});

Deno.test("readPythonConf() takes nothing of what only looks like a dictionary of clients", () => {
  const texts = [
    "CLIENTS = load()",
    "CLIENTS = dict()",
    "CLIENTS = dict(a='b')",
    "CLIENTS = {'a': 'b'} | more",
    "CLIENTS = {'a': 'b'}.copy()",
    "CLIENTS = {'a': 'b'} if X else {}",
    "CLIENTS = ({'a': 'b'})",
    "CLIENTS = {'a': 'b'], 1",
    "CLIENTS = [('a', 'b')]",
    "CLIENTS = 'a'",
    "CLIENTS =",
    "CLIENTS = OTHER",
    "CLIENTS += {'a': 'b'}",
    "CLIENTS, X = {'a': 'b'}, 1",
  ];
  for (const text of texts) {
    assertEquals([text, clientsOf(text)], [text, {}]);
    const [remark] = remarksOf(`\n${text}`);
    assertEquals([text, remark], [text, text.includes("+=") ? "2 change" : "2 clients"]);
  }
});

Deno.test("readPythonConf() reads settings that are strings, numbers or not set", () => {
  const table: [text: string, settings: Record<string, string>][] = [
    ["http = 8080", { http: "8080" }],
    ["http = 8_080", { http: "8080" }],
    ["http = '8080'\nhttps = \"[::1]:4443\"", { http: "8080", https: "[::1]:4443" }],
    ["http = ('127.0.0.1' ':8080')", { http: "127.0.0.1:8080" }],
    ["http: str = '8080'", { http: "8080" }],
    ["cert = key = 'both.pem'", { cert: "both.pem", key: "both.pem" }],
    ["nskeyfile = '''x'''; http = 1;", { nskeyfile: "x", http: "1" }],
    ["http = None\nhttps = False\ncert = ''\nkey = 0", {}],
    ["http = 1\nhttp = 2", { http: "2" }],
    ["http = 1\nhttp = None", {}],
    ["HTTP = 1\nx.http = 2", {}],
    ["if http == 1: pass", {}],
  ];
  for (const [text, settings] of table) assertEquals([text, settingsOf(text)], [text, settings]);
});

Deno.test("readPythonConf() does not guess a setting that is computed", () => {
  const values = ["port()", "8080 + 1", "'80' + '80'", "f'{x}'", "8.5", "0x50", "-1", "True", "x"];
  for (const value of [...values, "[8080]", "'1' if x else '2'", "((1)", "(1,)", "b'1'", ""]) {
    const text = value === "((1)" ? "http = ((1)\n)" : `http = ${value}`;
    const isGood = text.includes("\n");
    assertEquals([value, settingsOf(`http = 1\n${text}`)], [value, isGood ? { http: "1" } : {}]);
    assertEquals([value, remarksOf(text)], [value, isGood ? [] : ["1 setting http"]]);
  }
  assertEquals(remarksOf("http, https = 1, 2"), ["1 setting http", "1 setting https"]);
  assertEquals(settingsOf("http = 1\nhttp += 1"), {});
});

Deno.test("readPythonConf() remarks on every statement that it does not take, with its line", () => {
  const text = `"""What this is."""
import os, ipaddress
from pathlib import (
    Path,
)
verbose = True
quiet = 2
debug = False
HERE = Path(".")
HOSTS = {"a": "b"}
http = 8080

@cached
def get_ip(source_ip, headers, key):
    """A text with a "quote" in it.
http = 1
    """
    http = 2
    def get_host(): pass
    CLIENTS = {}

    return source_ip
# a comment
async def get_host(querystring, ip): return CLIENTS.get(querystring)
get_host = lambda q, ip: CLIENTS[q]
get_ip = None
def helper(): pass
class Database(object):
    http = 3
if os.environ.get("X"):
    https = 4443
    CLIENTS = {}
    def nsupdatecommands(
        host, new_ip, headers): return []
elif x:
    f(key=1, cert="x")
else:
    https = 1
for x in y: cert = "x"
with open("clients") as f:
    for line in f:
        key, host = line.split(":")
        CLIENTS[key] = host
try:
    quiet = x == 1
finally:
    pass
CLIENTS["a"] = "b"
CLIENTS.update({"c": "d"})
print("hello")
5
(1, 2)
$ rubbish ! here ?
match x:
    case 1: pass
    `;
  assertEquals(remarksOf(text), [
    "2 import",
    "3 import",
    "6 flag verbose",
    "7 flag quiet",
    "8 flag debug",
    "9 variable HERE",
    "10 variable HOSTS",
    "14 function get_ip",
    "24 function get_host",
    "25 function get_host",
    "27 other the function helper",
    '28 other "class"',
    '30 other "if"',
    "31 conditional https",
    "32 conditional CLIENTS",
    "33 function nsupdatecommands",
    "38 conditional https",
    '39 other "for"',
    "39 conditional cert",
    '40 other "with"',
    '44 other "try"',
    "45 conditional quiet",
    "48 change",
    "49 change",
    "50 other a statement",
    "51 other a statement",
    "52 other a statement",
    "53 other a statement",
    '54 other "match"',
  ]);
  assertEquals(settingsOf(text), { http: "8080" });
});

Deno.test("readPythonConf() remarks on lines that are indented for no reason", () => {
  assertEquals(remarksOf("  http = 1\nhttps = 2\n\thttp = 3\n"), ["1 indented", "3 indented"]);
  assertEquals(settingsOf("  http = 1\nhttps = 2\n\thttp = 3\n"), { https: "2" });
});

Deno.test("readPythonConf() says where a string or bracket begins that is not closed", () => {
  const table: [text: string, line: number, problem: RegExp][] = [
    ['http = "8080', 1, /^a string .* not closed: expected "$/],
    ["\nhttp = '8080\n'", 2, /^a string .* not closed: expected '$/],
    ['\n\nhttp = """8080\n\n"', 3, /^a string .* not closed: expected """$/],
    ["CLIENTS = {\n'a': 'b,\n'c': 'd'}", 2, /expected '$/],
    ["x = 'a\\", 1, /expected '$/],
    ["x = '\\'", 1, /expected '$/],
    ["x = r'\\'", 1, /expected '$/],
    ["def f():\n  '''\n", 2, /expected '''$/],
    ["CLIENTS = {\n'a': 'b'\n", 1, /^a bracket .* not closed$/],
    ["x = (\n[\n)\n", 1, /^a bracket .* not closed$/],
  ];
  for (const [text, line, problem] of table) {
    const error = assertThrows(() => readPythonConf(text), PythonError);
    assertEquals([text, error.line, problem.test(error.message)], [text, line, true]);
  }
  // A backslash at the end of a line goes on with the string.
  assertEquals(settingsOf("http = '80\\\n80'\nhttps = 1"), { http: "8080", https: "1" });
});

Deno.test("readPythonConf() takes whatever is no Python for what it is", () => {
  const texts = [
    ")]}",
    "= = =",
    ":",
    ",",
    ";;;",
    "{}{}",
    "@",
    "def",
    "async",
    "class",
    "if",
    "\\",
    "\\x",
  ];
  for (
    const text of [...texts, ".", "'a''b'.c", "CLIENTS", "CLIENTS[", "http:", "1.2.3.4", "=>", "\0"]
  ) {
    if (text.endsWith("[")) assertThrows(() => readPythonConf(text), PythonError);
    else assertEquals([text, settingsOf(`${text}\nhttp = 1`)], [text, { http: "1" }]);
  }
});

Deno.test("readPythonConf() is not brought down by what is nested deeply", () => {
  const many = 200_000;
  const open = "[".repeat(many);
  const close = "]".repeat(many);
  const nested = `${open}'a'${close}`;
  const parentheses = "(".repeat(many) + "8080" + ")".repeat(many);
  const text = `http = ${parentheses}\nx = ${nested}\nCLIENTS = {'a': ${nested}, 'b': 'c'}`;
  assertEquals(settingsOf(text), { http: "8080" });
  assertEquals(clientsOf(text), { b: ["c"] });
  assertEquals(remarksOf(text), ["2 variable x", "3 client"]);
  const blocks = Array.from({ length: 2000 }, (_, i) => `${" ".repeat(i)}if x:\n`).join("");
  assertEquals(remarksOf(blocks), ['1 other "if"']);
  assertEquals(assertThrows(() => readPythonConf(`x\n${open}`), PythonError).line, 2);
});

Deno.test("readPythonConf() makes no more remarks than somebody reads", () => {
  const { remarks, omitted } = readPythonConf("x\n".repeat(5000));
  assertEquals([remarks.length, omitted], [1000, 4000]);
});

Deno.test("readPythonConf() takes a time in proportion to the text", () => {
  const client = (i: number) => `  "key-${i}": ["a${i}.example", 'b' 'c.example'], # c\n`;
  const shapes: Record<string, (n: number) => string> = {
    clients: (n) => `CLIENTS = {\n${Array.from({ length: n }, (_, i) => client(i)).join("")}}`,
    statements: (n) => "x = f(1)\n".repeat(n),
    strings: (n) => `x = ${"'a' ".repeat(n)}`,
    "one string": (n) => `x = """${"\\a\n".repeat(n)}"""`,
    brackets: (n) => `x = ${"[".repeat(n)}${"]".repeat(n)}`,
    "what cannot be told": (n) => `CLIENTS = {${"a: b, ".repeat(n)}}`,
    "one entry": (n) => `CLIENTS = {'a': b${" + c".repeat(n)}}`,
    comments: (n) => "# comment\n\n".repeat(n),
    names: (n) => "x".repeat(n),
    targets: (n) => "http = ".repeat(n),
  };
  const time = (text: string) => {
    const start = performance.now();
    readPythonConf(text);
    return performance.now() - start;
  };
  for (const [name, make] of Object.entries(shapes)) {
    const [short, long] = [make(4000), make(16 * 4000)];
    // The best of several: what else the machine does is not measured.
    const least = (text: string) => Math.min(...Array.from({ length: 5 }, () => time(text)));
    const ratio = least(long) / Math.max(least(short), 0.2);
    assertEquals([name, ratio < 16 * 5], [name, true], `${name}: ${ratio}`);
  }
});
