import { assertEquals } from "@std/assert";
import { parseAddress, parseNetwork } from "../../lib/address.ts";
import type { ClientLimits } from "../../lib/client_limits.ts";
import { Clients, digest, keyId } from "../../lib/clients.ts";
import { parseHostname } from "../../lib/hostname.ts";
import { createSecretUrl } from "../../lib/http/secret_url.ts";

Deno.test("parse() takes a limited client's key from its networks, and its addresses alone", () => {
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
    const { parse } = createSecretUrl({
      clients,
      warn: (line) => warned.push(line),
      refused: (_client, key, { problem }) => warned.push(`key ${clients.idOf(key)}: ${problem}`),
      failed: () => {},
    });
    const address = parseAddress(from);
    const caller = address === undefined
      ? { address, text: "a client behind 127.0.0.1", problem: "no header" }
      : { address, text: from };
    const found = parse({ method: "GET", target: `/${key}`, headers: new Headers() }, caller);
    const text = "status" in found ? `${found.status} ${found.body}` : "a call";
    assertEquals([key, from, text, warned], [key, from, answer, lines]);
  }
});

Deno.test("parse() names the key that was found, also where it came escaped", () => {
  const clients = new Clients();
  const hosts = [{ name: parseHostname("a.dyn.example") }];
  for (const key of ["a,b", "c%2Cd"]) clients.add(digest(key), { hosts });
  const caller = { address: parseAddress("fe80::1")!, text: "fe80::1" };
  for (const [target, key] of [["/a%2Cb", "a,b"], ["/a,b?", "a,b"], ["/c%2Cd", "c%2Cd"]] as const) {
    const warned: string[] = [];
    const { parse } = createSecretUrl({
      clients,
      warn: (line) => warned.push(line),
      refused: (_client, key, { problem }) => warned.push(`key ${clients.idOf(key)}: ${problem}`),
      failed: () => {},
    });
    parse({ method: "GET", target, headers: new Headers() }, caller);
    assertEquals(warned, [`key ${keyId(digest(key))}: address fe80::1 refused (link-local)`]);
  }
});
