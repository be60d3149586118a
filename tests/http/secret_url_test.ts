import { assertEquals } from "@std/assert";
import { parseAddress, parseNetwork } from "../../lib/address.ts";
import type { ClientLimits } from "../../lib/client_limits.ts";
import { Clients, digest, keyId } from "../../lib/clients.ts";
import { parseHostname } from "../../lib/hostname.ts";
import { createSecretUrl, keyOf } from "../../lib/http/secret_url.ts";
import { belowFrom } from "../support.ts";

Deno.test("keyOf() is the target as it was sent, without the slashes at its beginning", () => {
  const table: [string, string | null, string][] = [
    // [url, host, key]
    ["http://h/k", "h", "k"],
    ["https://h:4443/k", "h:4443", "k"],
    ["http://[2001:db8::1]:8080/k", "[2001:db8::1]:8080", "k"],
    ["http://h/a%2Cb", "h", "a%2Cb"],
    ["http://h/?hostname=h&password=p", "h", "?hostname=h&password=p"],
    ["http://h//k", "h", "k"],
    ["http://h////k//l/", "h", "k//l/"],
    ["http://h/../a/./b//", "h", "../a/./b//"],
    ["http://h/a?b?c/d", "h", "a?b?c/d"],
    ["http://h/a#b", "h", "a#b"],
    ["http://h/#", "h", "#"],
    ['http://h/é"<>`{}|^', "h", 'é"<>`{}|^'],
    ["http://h/http://x/k", "h", "http://x/k"],
    // None.
    ["http://h/", "h", ""],
    ["http://h//", "h", ""],
    ["http://h/?", "h", ""],
    ["http://h//?", "h", ""],
    ["http://h", "h", ""],
    ["http://h/??", "h", "??"],
    // Without a Host, or an empty one: the URL has the listener's address.
    ["http://localhost:8080/k", null, "k"],
    ["http://[::]:8080/k", null, "k"],
    ["http://localhost:8080/?", null, ""],
    ["http://localhost:8080/k", "", "k"],
    ["http:///k", "", "k"],
    // An absolute target has its own authority.
    ["http://x/k", "h", "k"],
    ["http://x/k", "x/y", "k"],
    ["http://xy/k", "x", "k"],
    ["http://x?k", "h", "?k"],
    ["http://x#k", "x", "#k"],
    ["http://u:p@x/k", "x", "k"],
    ["http://X.example/k", "x.example", "k"],
    ["http://x", "h", ""],
    ["http://x", null, ""],
    // A hostile Host.
    ["http://a/b/k", "a/b", "k"],
    ["http://a?b#c/k", "a?b#c", "k"],
    ["http://?/k", "?", "k"],
    ["http://a//k", "a/", "k"],
    ["http:////k", "/", "k"],
    ["http://http:///k", "http://", "k"],
    ["http://a b/k", "a b", "k"],
  ];
  for (const [url, host, key] of table) {
    assertEquals([url, host, keyOf(url, () => host)], [url, host, key]);
  }
});

Deno.test("keyOf() gives back any target, whatever the Host", () => {
  const seed = Date.now() >>> 0;
  const below = belowFrom(seed);
  const text = (most: number) => {
    let made = "";
    for (let length = below(most); length > 0; length--) made += "/?#:@[]%.ab\té&="[below(15)];
    return made;
  };
  for (let i = 0; i < 10_000; i++) {
    const target = text(12);
    const host = text(8);
    const stripped = target.replace(/^\/+/, "");
    const key = keyOf(`http://${host}/${target}`, () => host);
    assertEquals(key, stripped === "?" ? "" : stripped, `seed ${seed}: ${host} and ${target}`);
  }
});

Deno.test("keyOf() finds the key in what Deno.serve makes of a request", async () => {
  const table: [string, string | undefined, string][] = [
    // [target, Host, key]
    ["/k", "h", "k"],
    ["/k", undefined, "k"],
    ["/k", "", "k"],
    ["//../a//b?c=%2f?", "h:8080", "../a//b?c=%2f?"],
    ["/a%2Cb", "h", "a%2Cb"],
    ["/?hostname=h&password=p", "h", "?hostname=h&password=p"],
    ["/a#b", "h", "a#b"],
    ["//k", "h", "k"],
    ["/", "h", ""],
    ["/?", "h", ""],
    ["http://x/k", "h", "k"],
    ["http://x/k", "y/z", "k"],
    ["http://X.y?k", "h", "?k"],
    ["/k", "a/b", "k"],
    ["/k", "x?y#z", "k"],
    ["///k", "//", "k"],
    ["/k", "a b", "k"],
  ];
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    ({ url, headers }) => new Response(`key ${keyOf(url, () => headers.get("host"))}`),
  );
  for (const [target, host, key] of table) {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port: server.addr.port });
    const hostLine = host === undefined ? "" : `Host: ${host}\r\n`;
    const head = `GET ${target} HTTP/1.1\r\n${hostLine}Connection: close\r\n\r\n`;
    await conn.write(new TextEncoder().encode(head));
    const body = (await new Response(conn.readable).text()).split("\r\n\r\n")[1];
    assertEquals([target, host, body], [target, host, `key ${key}`]);
  }
});

Deno.test("parse() takes a limited client's key from its networks, and its addresses alone", async () => {
  const networks = ["203.0.113.0/24", "10.0.0.0/8"].map((text) => parseNetwork(text)!);
  const limits: Record<string, ClientLimits> = {
    networks: { networks },
    // Nobody's but for the question mark, from there.
    "networks?": { networks: [parseNetwork("192.0.2.0/24")!] },
    ipv4: { family: 4 },
    ipv6: { family: 6 },
    public: { isPublicOnly: true },
    all: { networks, family: 4, isPublicOnly: true },
  };
  const clients = new Clients();
  for (const [key, own] of Object.entries(limits)) {
    clients.add(digest(key), { hosts: [{ name: parseHostname("a.dyn.example") }], limits: own });
  }
  const bad = (from: string): [string, string] => ["403 BADKEY", `unknown key from ${from}`];
  const fail = (key: string, from: string, why: string): [string, string] => [
    "500 FAIL",
    `key ${keyId(digest(key))}: address ${from} refused (${why})`,
  ];
  const noIpv6 = "the client's families have no ipv6";
  const noPrivate = "private, and the client has private = false";
  const table: [key: string, from: string, answer: string, ...lines: string[]][] = [
    ["networks", "203.0.113.7", "a call"],
    ["networks", "10.1.2.3", "a call"],
    ["networks", "198.51.100.1", ...bad("198.51.100.1")],
    ["networks", "2001:db8::1", ...bad("2001:db8::1")],
    ["networks", "", ...bad("a client behind 127.0.0.1")],
    ["networks?", "203.0.113.7", "a call"],
    ["networks?", "192.0.2.7", "a call"],
    ["networks?", "198.51.100.1", ...bad("198.51.100.1")],
    ["ipv4", "203.0.113.7", "a call"],
    ["ipv4", "2001:db8::1", ...fail("ipv4", "2001:db8::1", noIpv6)],
    ["ipv4", "", "500 FAIL", "no header"],
    ["ipv6", "2001:db8::1", "a call"],
    ["ipv6", "192.0.2.1", ...fail("ipv6", "192.0.2.1", "the client's families have no ipv4")],
    ["public", "192.0.2.1", "a call"],
    ["public", "192.168.1.1", ...fail("public", "192.168.1.1", noPrivate)],
    ["public", "fe80::1", ...fail("public", "fe80::1", "link-local")],
    ["all", "203.0.113.7", "a call"],
    ["all", "2001:db8::1", ...bad("2001:db8::1")],
    ["all", "10.0.0.1", ...fail("all", "10.0.0.1", noPrivate)],
  ];
  for (const [key, from, answer, ...lines] of table) {
    const warned: string[] = [];
    const { parse } = createSecretUrl({ clients, warn: (line) => warned.push(line) });
    const address = parseAddress(from);
    const caller = address === undefined
      ? { address, text: "a client behind 127.0.0.1", problem: "no header" }
      : { address, text: from };
    const found = parse(new Request(`http://h/${key}`), caller);
    const text = found instanceof Response ? `${found.status} ${await found.text()}` : "a call";
    assertEquals([key, from, text, warned], [key, from, answer, lines]);
  }
});
