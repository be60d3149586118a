import { assert, assertEquals } from "@std/assert";
import {
  endOfEmptyLines,
  endOfHead,
  MAX_HEAD,
  parseHead,
  type RequestHead,
} from "../../lib/http/request_head.ts";
import { belowFrom } from "../support.ts";

/** A character an octet. */
function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

const START = "GET /k HTTP/1.1";

/** A head with these fields, as it is understood, or the status that it is refused with. */
function understood(fields: string[], start = START): string | number {
  const head = parseHead(bytes([start, ...fields, "", ""].join("\r\n")));
  return typeof head === "number" ? head : textOf(head);
}

/** A line for the request and for each field. */
function textOf({ method, target, headers }: RequestHead): string {
  return [`${method} ${target}`, ...[...headers].map((field) => field.join(": "))].join("\n");
}

Deno.test("endOfHead() finds the first empty line, from wherever it looks", () => {
  const table: [string, number | undefined][] = [
    ["", undefined],
    ["\n", undefined],
    ["a\r\n", undefined],
    ["a\r\n\r", undefined],
    ["a\n\n", 3],
    ["a\r\n\n", 4],
    ["a\n\r\n", 4],
    ["a\r\n\r\n", 5],
    ["a\r\n\r\nb\r\n\r\n", 5],
    ["a\n\r\rb", undefined],
    ["a\nb: c\nd\n\ne", 10],
    ["\n\n", 2],
  ];
  for (const [input, end] of table) {
    assertEquals(endOfHead(bytes(input)), end, JSON.stringify(input));
    // What came before, and was no end, is looked at again as far as one may have begun in it.
    for (let from = 0; from < (end ?? input.length); from++) {
      if (endOfHead(bytes(input.slice(0, from))) !== undefined) continue;
      assertEquals(endOfHead(bytes(input), from), end, `${JSON.stringify(input)} from ${from}`);
    }
  }
});

Deno.test("endOfEmptyLines() is where something begins", () => {
  assertEquals(endOfEmptyLines(bytes("GET"), 0), 0);
  assertEquals(endOfEmptyLines(bytes("\r\n\n\r\nGET"), 0), 5);
  assertEquals(endOfEmptyLines(bytes("\r\n\n"), 1), 3);
  assertEquals(endOfEmptyLines(bytes(""), 0), 0);
});

Deno.test("parseHead() takes the request line as it is, its target as UTF-8", () => {
  const table: [string, string][] = [
    [START, "GET /k"],
    ["GET / HTTP/1.0", "GET /"],
    ["GET / HTTP/1.9", "GET /"],
    ["HEAD /k?a=b HTTP/1.1", "HEAD /k?a=b"],
    ["get /k HTTP/1.1", "get /k"],
    ['M-SEARCH /../a//b;c%00|{}"<>\\^`#d HTTP/1.1', 'M-SEARCH /../a//b;c%00|{}"<>\\^`#d'],
    ["GET /gr\xc3\xbcn\xef\xbb\xbf HTTP/1.1", "GET /grün\ufeff"],
    ["GET http://dyn.example/k HTTP/1.1", "GET http://dyn.example/k"],
    ["GET HTTPS://dyn.example HTTP/1.1", "GET HTTPS://dyn.example"],
  ];
  for (const [start, expected] of table) {
    assertEquals(understood(["Host: h"], start), `${expected}\nhost: h`);
  }
});

Deno.test("parseHead() refuses a request line that is none", () => {
  const table: [string, number][] = [
    ["", 400],
    ["GET", 400],
    ["GET /", 400],
    ["GET  / HTTP/1.1", 400],
    [" GET / HTTP/1.1", 400],
    ["GET / HTTP/1.1 ", 400],
    ["GET / x HTTP/1.1", 400],
    ["GET\t/ HTTP/1.1", 400],
    ["GET /\t HTTP/1.1", 400],
    ["GET /\r HTTP/1.1", 400],
    ["GET / HTTP/1.1\r", 400],
    ["GET /\0 HTTP/1.1", 400],
    ["GET /\x7f HTTP/1.1", 400],
    ["G(T / HTTP/1.1", 400],
    ["G\xcbT / HTTP/1.1", 400],
    ["GET k HTTP/1.1", 400],
    ["GET /gr\xfcn HTTP/1.1", 400],
    ["GET /\xc0\xaf HTTP/1.1", 400],
    ["GET * HTTP/1.1", 400],
    ["OPTIONS * HTTP/1.1", 400],
    ["CONNECT dyn.example:443 HTTP/1.1", 400],
    ["GET ftp://dyn.example/k HTTP/1.1", 400],
    ["GET http:/k HTTP/1.1", 400],
    ["GET / http/1.1", 400],
    ["GET / HTTP/1", 400],
    ["GET / HTTP/11", 400],
    ["GET / HTTP/1.10", 400],
    ["GET / HTTP/1.1x", 400],
    ["GET / HTTP/0.9", 505],
    ["GET / HTTP/2.0", 505],
    ["PRI * HTTP/2.0", 505],
    ["\x16\x03\x01\x02", 400],
  ];
  for (const [start, status] of table) {
    assertEquals(understood(["Host: h"], start), status, JSON.stringify(start));
  }
});

Deno.test("parseHead() takes fields as they are, with names in lower case, without space around", () => {
  const table: [string, string][] = [
    ["Host: dyn.example:8080", "host: dyn.example:8080"],
    ["X-Forwarded-For:  192.0.2.1 ,\t192.0.2.2 \t", "x-forwarded-for: 192.0.2.1 ,\t192.0.2.2"],
    ["x!#$%&'*+-.^_`|~9:", "x!#$%&'*+-.^_`|~9: "],
    ["X:  \t ", "x: "],
    ["User-Agent: \xe4: caf\xe9\xa0", "user-agent: \xe4: caf\xe9\xa0"],
    ["Via:1.1 a", "via: 1.1 a"],
    ["TE: trailers", "te: trailers"],
  ];
  for (const [field, expected] of table) {
    assertEquals(understood([field]), `GET /k\n${expected}`, JSON.stringify(field));
  }
  assertEquals(understood(table.map(([field]) => field)).toString().split("\n").length, 8);
  assertEquals(understood([]), "GET /k");
});

Deno.test("a field that stands several times is one, as in web Headers", () => {
  const head = parseHead(bytes("GET / HTTP/1.1\nA: 1\nB: 2\na:\nA: 3,4\n\n"));
  assert(typeof head === "object");
  const web = new Headers([...head.headers]);
  for (const name of ["a", "A", "b", "C"]) assertEquals(head.headers.get(name), web.get(name));
  assertEquals(web.get("a"), "1, , 3,4");
});

Deno.test("parseHead() refuses a field that servers may read differently", () => {
  const table: [string, number][] = [
    ["Host", 400],
    [": h", 400],
    ["Host : h", 400],
    ["Host\t: h", 400],
    [" Host: h", 400],
    [" folded", 400],
    ["\tfolded: x", 400],
    ["Content-Length : 5", 400],
    ["Transfer-Encoding\x0b: chunked", 400],
    ["H\xf6st: h", 400],
    ["Host(: h", 400],
    ["X: a\rb", 400],
    ["X: a\r", 400],
    ["X: a\rTransfer-Encoding: chunked", 400],
    ["X: a\0", 400],
    ["X: a\x1f", 400],
    ["X: a\x7f", 400],
    ["Connection: a\0", 400],
  ];
  for (const [field, status] of table) {
    for (const fields of [[field], ["A: b", field], [field, "A: b"]]) {
      assertEquals(understood(fields), status, JSON.stringify(fields));
    }
  }
  assertEquals(understood(["Host: h", "hOST: h"]), 400);
});

Deno.test("parseHead() takes a hundred fields", () => {
  const fields = Array.from({ length: 100 }, (_, i) => `x-${i}: ${i}`);
  assertEquals(understood(fields), ["GET /k", ...fields].join("\n"));
  assertEquals(understood([...fields, "X: 0"]), 431);
  assertEquals(understood([...fields, "TE: "]), 431);
});

Deno.test("parseHead() takes lines that end with LF alone, and the longest head", () => {
  const head = parseHead(bytes("GET / HTTP/1.1\nHost: h\nConnection: x\r\nA: b\n\r\n"));
  assert(typeof head === "object");
  assertEquals(textOf(head), "GET /\nhost: h\nconnection: x\na: b");
  const start = "GET / HTTP/1.1\r\nX: ";
  const value = "x".repeat(MAX_HEAD - start.length - 4);
  const longest = parseHead(bytes(`${start}${value}\r\n\r\n`));
  assert(typeof longest === "object");
  assertEquals(longest.headers.get("x"), value);
});

Deno.test("parseHead() tells whether a body follows, and whether another request may", () => {
  const table: [string, boolean, boolean][] = [
    ["GET / HTTP/1.1\n\n", false, true],
    ["HEAD / HTTP/1.1\nHost: h\n\n", false, true],
    ["POST / HTTP/1.1\nContent-length: 0\n\n", true, true],
    ["PUT / HTTP/1.1\nTransfer-encoding: x\n\n", true, true],
    ["GET / HTTP/1.0\n\n", false, false],
    ["GET / HTTP/1.0\nConnection: keep-alive\n\n", false, false],
    ["GET / HTTP/1.1\nConnection: close\n\n", false, false],
    ["GET / HTTP/1.1\nCONNECTION: x ,\tClose\n\n", false, false],
    ["GET / HTTP/1.1\nConnection: x\nConnection: close,y\n\n", false, false],
    ["GET / HTTP/1.1\nConnection: closed, not-close\n\n", false, true],
  ];
  for (const [input, hasBody, isKept] of table) {
    const head = parseHead(bytes(input));
    assert(typeof head === "object");
    assertEquals([input, head.hasBody, head.isKept], [input, hasBody, isKept]);
  }
});

/** What heads are made of, and what does harm in them. */
const PIECES = [
  "GET ",
  "HEAD ",
  "POST ",
  "/",
  "/k",
  " HTTP/1.1",
  " HTTP/1.0",
  "\r\n",
  "\r\n",
  "\n",
  "\r",
  "Host: h",
  "X: y",
  "Content-Length: 5",
  "Transfer-Encoding: chunked",
  ":",
  " ",
  "\t",
  "\0",
  "\x0b",
  "\x85",
  "\xa0",
  "\xff",
];

Deno.test("whatever parseHead() passes is one request, and parses to itself", () => {
  const seed = Date.now() >>> 0;
  const below = belowFrom(seed);
  let passed = 0;
  for (let run = 0; run < 20_000; run++) {
    let input = below(4) > 0 ? "GET /k HTTP/1.1\r\n" : "";
    for (let left = below(12); left > 0; left--) {
      input += below(8) > 0 ? PIECES[below(PIECES.length)] : String.fromCharCode(below(256));
    }
    const all = bytes(`${input}\r\n\r\n`);
    const start = endOfEmptyLines(all, 0);
    const end = endOfHead(all.subarray(start));
    if (end === undefined) continue;
    const what = `seed ${seed}: ${JSON.stringify(input)}`;
    const head = parseHead(all.subarray(start, start + end));
    if (typeof head === "number") {
      assert([400, 431, 505].includes(head), what);
      continue;
    }
    passed++;
    assert(/^[!-~]+$/.test(head.method) && /^(\/|https?:)\S*$/i.test(head.target), what);
    const lines = [`${head.method} /k HTTP/1.1`];
    for (const [name, value] of head.headers) {
      assert(/^[!-9;-~]+$/.test(name) && name === name.toLowerCase(), what);
      // deno-lint-ignore no-control-regex
      assert(!/[\x00-\x08\x0a-\x1f\x7f]|^[ \t]|[ \t]$/.test(value), what);
      lines.push(`${name}: ${value}`);
    }
    const again = parseHead(bytes([...lines, "", ""].join("\r\n")));
    assert(typeof again === "object", what);
    assertEquals([...again.headers], [...head.headers], what);
    assertEquals(again.hasBody, head.hasBody, what);
  }
  assert(passed > 100, `seed ${seed}: only ${passed} passed`);
});
