import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type Endpoint,
  endpointText,
  overlap,
  parseListen,
  parseNameserver,
} from "../lib/endpoint.ts";
import { belowFrom } from "./support.ts";

function at(hostname: string | undefined, port: number): Endpoint {
  return { hostname, port };
}

Deno.test("parseListen() takes PORT, IP4:PORT and [IP6]:PORT", () => {
  const table: [string, Endpoint][] = [
    ["8080", at(undefined, 8080)],
    ["1", at(undefined, 1)],
    ["65535", at(undefined, 65535)],
    ["127.0.0.1:80", at("127.0.0.1", 80)],
    ["0.0.0.0:443", at("0.0.0.0", 443)],
    ["[::1]:8080", at("::1", 8080)],
    ["[::]:8080", at("::", 8080)],
    ["[2001:DB8:0::1]:8080", at("2001:db8::1", 8080)],
    ["[::ffff:127.0.0.1]:80", at("127.0.0.1", 80)],
  ];
  for (const [text, endpoint] of table) {
    assertEquals([text, parseListen(text)], [text, endpoint]);
  }
});

Deno.test("parseListen() refuses everything else, and says what it got and expects", () => {
  const texts = [
    "",
    ":",
    ":8080",
    "8080:",
    "8080\n",
    " 8080",
    "80 80",
    "+80",
    "-1",
    "0x50",
    "1e3",
    "80.0",
    "８０",
    "http",
    "*:8080",
    "localhost:8080",
    "dyn.example:8080",
    "127.0.0.1",
    "127.0.0.1:",
    "127.0.0.256:80",
    "127.0.0.1:80:80",
    "127.0.0.1:http",
    "::1",
    "::1:8080",
    "[::1]",
    "[::1]8080",
    "[::1]:",
    "[]:8080",
    "[[::1]]:8080",
    "[fe80::1%eth0]:8080",
    "[dyn.example]:8080",
    "8080,8081",
  ];
  for (const text of texts) {
    const { message } = assertThrows(() => parseListen(text), RangeError, '"[IP6]:PORT"');
    assert(message.endsWith(`got ${JSON.stringify(text)}`), message);
  }
  for (const text of ["0", "65536", "127.0.0.1:0", "[::1]:99999", "9".repeat(400)]) {
    assertThrows(() => parseListen(text), RangeError, "1 to 65535");
  }
});

Deno.test("parseNameserver() takes an address or a name, with a port or without", () => {
  const table: [string, Endpoint][] = [
    ["127.0.0.1", at("127.0.0.1", 53)],
    ["127.0.0.1:5353", at("127.0.0.1", 5353)],
    ["::1", at("::1", 53)],
    ["[::1]", at("::1", 53)],
    ["[::1]:5353", at("::1", 5353)],
    ["2001:DB8::53", at("2001:db8::53", 53)],
    ["::ffff:192.0.2.1", at("192.0.2.1", 53)],
    ["localhost", at("localhost", 53)],
    ["localhost:5353", at("localhost", 5353)],
    ["ns1.dyn.example", at("ns1.dyn.example", 53)],
    ["NS1.dyn.example.:5353", at("ns1.dyn.example", 5353)],
  ];
  for (const [text, endpoint] of table) {
    assertEquals([text, parseNameserver(text)], [text, endpoint]);
  }
});

Deno.test("parseNameserver() refuses everything else", () => {
  const texts = [
    "",
    ":53",
    "ns1",
    "ns_1.dyn.example",
    "ns1.dyn.example:",
    "ns1.dyn.example:dns",
    "ns1.dyn.example:0",
    "ns1.dyn.example:65536",
    "ns1.dyn.example 53",
    "ns1.dyn.example\nserver evil.example",
    "[ns1.dyn.example]:53",
    "[fe80::1%eth0]:53",
    "fe80::1%eth0",
    "1.2.3.256",
    "1:2:3:4:5:6:7:8:53",
    "[::1]53",
    "[]",
    "[::1",
  ];
  for (const text of texts) assertThrows(() => parseNameserver(text), RangeError);
});

Deno.test("endpointText() writes what parseListen() reads", () => {
  for (const text of ["8080", "127.0.0.1:80", "[::1]:8080"]) {
    assertEquals(endpointText(parseListen(text)), text);
  }
  assertEquals(endpointText(parseNameserver("ns1.dyn.example")), "ns1.dyn.example:53");
  assertEquals(endpointText(parseNameserver("::1")), "[::1]:53");
});

Deno.test("parseListen() and parseNameserver() throw nothing but a RangeError", () => {
  const seed = Date.now() >>> 0;
  const below = belowFrom(seed);
  for (let i = 0; i < 3000; i++) {
    const text = Array.from({ length: below(16) }, () => "[]::1024.f%a\n é"[below(15)]).join("");
    for (const parse of [parseListen, parseNameserver]) {
      try {
        const endpoint = parse(text);
        assertEquals(parse(endpointText(endpoint)), endpoint);
        assert(endpoint.port > 0 && endpoint.port < 65536);
      } catch (error) {
        assert(error instanceof RangeError, `seed ${seed}: ${JSON.stringify(text)}: ${error}`);
      }
    }
  }
});

Deno.test("overlap() tells whether two listeners need the same port of one address", () => {
  const table: [string, string, boolean][] = [
    ["1", "1", true],
    ["1", "2", false],
    ["1", "127.0.0.1:1", true],
    ["[::1]:1", "1", true],
    ["0.0.0.0:1", "127.0.0.1:1", true],
    ["[::1]:1", "0.0.0.0:1", false],
    ["127.0.0.1:1", "127.0.0.2:1", false],
    ["127.0.0.1:1", "127.0.0.1:1", true],
  ];
  for (const [one, other, isSo] of table) {
    const found = overlap(parseListen(one), parseListen(other));
    assertEquals([one, other, found], [one, other, isSo]);
  }
});
