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

function text(bytes: Uint8Array): string {
  return Array.from(bytes, (octet) => String.fromCharCode(octet)).join("");
}

const START = "GET /k HTTP/1.1";

/** A head with these fields, as it is handed on, or the status that it is refused with. */
function handedOn(fields: string[], start = START): string | number {
  const head = parseHead(bytes([start, ...fields, "", ""].join("\r\n")));
  return typeof head === "number" ? head : text(head.bytes);
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

Deno.test("parseHead() hands on the request line, as HTTP/1.1", () => {
  const table: [string, string][] = [
    [START, START],
    ["GET / HTTP/1.0", "GET / HTTP/1.1"],
    ["GET / HTTP/1.9", "GET / HTTP/1.1"],
    ["HEAD /k?a=b HTTP/1.1", "HEAD /k?a=b HTTP/1.1"],
    ["get /k HTTP/1.1", "get /k HTTP/1.1"],
    ['M-SEARCH /../a//b;c%00|{}"<>\\^`#d HTTP/1.1', 'M-SEARCH /../a//b;c%00|{}"<>\\^`#d HTTP/1.1'],
    ["GET /\x80\xff HTTP/1.1", "GET /\x80\xff HTTP/1.1"],
    ["GET http://dyn.example/k HTTP/1.1", "GET http://dyn.example/k HTTP/1.1"],
    ["GET HTTPS://dyn.example HTTP/1.1", "GET HTTPS://dyn.example HTTP/1.1"],
  ];
  for (const [start, expected] of table) {
    assertEquals(handedOn(["Host: h"], start), `${expected}\r\nHost: h\r\n\r\n`);
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
    assertEquals(handedOn(["Host: h"], start), status, JSON.stringify(start));
  }
});

Deno.test("parseHead() hands on fields as they are, but those of the connection and of a body", () => {
  const kept = [
    "Host: dyn.example:8080",
    "X-Forwarded-For:  192.0.2.1 ,\t192.0.2.2 ",
    "x!#$%&'*+-.^_`|~9:",
    "User-Agent: \xe4: caf\xe9",
    "X-Content-Length: 5",
    "Via:1.1 a",
  ];
  const dropped = [
    "Connection: keep-alive, Host",
    "connection: close",
    "CONTENT-LENGTH: 5",
    "content-length: 6, 7",
    "Transfer-Encoding: chunked",
    "transfer-encoding: xchunked",
    "Expect: 100-continue",
    "Upgrade: h2c",
    "HTTP2-Settings: AAMAAABkAAQAAP__",
    "TE: trailers",
    "Trailer: Host",
    "Keep-Alive: 300",
    "Proxy-Connection: keep-alive",
    "Accept-Encoding: gzip",
    "Range: bytes=0-0",
  ];
  assertEquals(
    handedOn([...dropped, ...kept, ...dropped]),
    `${START}\r\n${kept.map((field) => `${field}\r\n`).join("")}\r\n`,
  );
  assertEquals(handedOn([]), `${START}\r\n\r\n`);
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
      assertEquals(handedOn(fields), status, JSON.stringify(fields));
    }
  }
  assertEquals(handedOn(["Host: h", "hOST: h"]), 400);
});

Deno.test("parseHead() takes a hundred fields", () => {
  const fields = Array.from({ length: 100 }, (_, i) => `X-${i}: ${i}`);
  assertEquals(handedOn(fields), `${START}\r\n${fields.join("\r\n")}\r\n\r\n`);
  assertEquals(handedOn([...fields, "X: 0"]), 431);
  assertEquals(handedOn([...fields, "TE: "]), 431);
});

Deno.test("parseHead() takes lines that end with LF alone, and the longest head", () => {
  const head = parseHead(bytes("GET / HTTP/1.1\nHost: h\nConnection: x\r\nA: b\n\r\n"));
  assert(typeof head === "object");
  assertEquals(text(head.bytes), "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n");
  const start = "GET / HTTP/1.1\r\nX: ";
  const longest = `${start}${"x".repeat(MAX_HEAD - start.length - 4)}\r\n\r\n`;
  const same = parseHead(bytes(longest));
  assert(typeof same === "object");
  assertEquals(text(same.bytes), longest);
});

Deno.test("parseHead() tells the method, and whether a body follows", () => {
  const table: [string, Omit<RequestHead, "bytes">][] = [
    ["GET / HTTP/1.1\n\n", { method: "GET", hasBody: false }],
    ["HEAD / HTTP/1.1\nHost: h\n\n", { method: "HEAD", hasBody: false }],
    ["POST / HTTP/1.1\nContent-length: 0\n\n", { method: "POST", hasBody: true }],
    ["PUT / HTTP/1.1\nTransfer-encoding: x\n\n", { method: "PUT", hasBody: true }],
  ];
  for (const [input, { method, hasBody }] of table) {
    const head = parseHead(bytes(input));
    assert(typeof head === "object");
    assertEquals([head.method, head.hasBody], [method, hasBody]);
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

Deno.test("whatever parseHead() passes is one request without a body, and parses to itself", () => {
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
    const lines = text(head.bytes).split("\r\n");
    assertEquals(lines.splice(-2), ["", ""], what);
    const [requestLine, ...fields] = lines;
    assert(/^[^\s:]+ [^\s]+ HTTP\/1\.1$/.test(requestLine!.replace(/[\x80-\xff]/g, "")), what);
    for (const field of fields) {
      assert(/^[^\s:]+:[^\r\n\0]*$/.test(field), what);
      assert(!/^(content-length|transfer-encoding|connection|upgrade)\s*:/i.test(field), what);
    }
    assertEquals(endOfHead(head.bytes), head.bytes.length, what);
    assertEquals(parseHead(head.bytes), { ...head, hasBody: false }, what);
  }
  assert(passed > 100, `seed ${seed}: only ${passed} passed`);
});
