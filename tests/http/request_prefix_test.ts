import { assert, assertEquals } from "@std/assert";
import { contains, parseAddress, parseNetwork } from "../../lib/address.ts";
import type { ClientLimits } from "../../lib/client_limits.ts";
import { Clients, digest, type NewPrefix } from "../../lib/clients.ts";
import type { Result } from "../../lib/dns/updater.ts";
import { parseHostname } from "../../lib/hostname.ts";
import { BadAddress, wantedAddresses } from "../../lib/http/request_addresses.ts";
import { prefixedRecords } from "../../lib/http/request_prefix.ts";
import { parseInterfaceId } from "../../lib/prefix.ts";
import { belowFrom } from "../support.ts";
import { asker, basic } from "./ask.ts";

function prefixOf(length: number, hosts: Record<string, string>): NewPrefix {
  return {
    length,
    hosts: Object.entries(hosts).map(([label, id]) => ({
      name: parseHostname(`${label}.dyn.example`),
      id: parseInterfaceId(id),
    })),
  };
}

const HOME = prefixOf(64, { nas: "::1a2b:3c4d:5e6f:7890", cam: "::42" });
const NAMES = ["ip6lanprefix", "ipv6prefix", "ip6prefix", "prefix"];

interface Options {
  own?: string;
  prefix?: NewPrefix;
  address?: "request" | undefined;
  limits?: ClientLimits;
}

/** What the hosts get, in words. */
function got(
  query: string,
  { own = "203.0.113.7", prefix = HOME, address, limits }: Options = { address: "request" },
): string {
  const clients = new Clients(() => 30);
  const hosts = [{ name: parseHostname("home.dyn.example") }];
  clients.add(digest("k"), { hosts, prefix, address, limits });
  const from = parseAddress(own)!;
  const wanted = wantedAddresses(address === undefined ? "" : query, from, limits);
  assert(!(wanted instanceof BadAddress), "its own address is bad");
  const records = prefixedRecords(clients.find("k")!, query, from, wanted);
  if (records === undefined) return "nothing";
  if (records instanceof BadAddress) {
    assert(!records.problem.includes("SECRET"), records.problem);
    return `${records.isNamed ? "bad" : "own is bad"}: ${records.problem}`;
  }
  assertEquals(new Set(records.map(({ type, ttl }) => `${type} ${ttl}`)), new Set(["AAAA 30"]));
  return records.map(({ address }) => address?.text ?? "none").join(" ");
}

const NONE = "bad: what the request names is no prefix";
const TWO = "bad: the request names two different prefixes";

Deno.test("prefixedRecords() takes the prefix by each of its names", () => {
  const both = "2001:db8:1:ef00:1a2b:3c4d:5e6f:7890 2001:db8:1:ef00::42";
  for (const name of NAMES) {
    const query = `${name}=2001:db8:1:ef00::/64`;
    assertEquals([query, got(query)], [query, both]);
    const bad = `${name}=SECRET`;
    assertEquals([bad, got(bad)], [bad, NONE]);
  }
  for (const name of ["IP6LANPREFIX", "ipv6_prefix", "ip6", "myip6", "prefixes", ""]) {
    const query = `${name}=2001:db8:1:ef00::1`;
    assertEquals([query, got(query)], [query, "nothing"]);
  }
});

Deno.test("prefixedRecords() takes every form of a prefix, and nothing else", () => {
  const table: [value: string, got: string][] = [
    ["2001:DB8:0:1::/64", "2001:db8:0:1:1a2b:3c4d:5e6f:7890 2001:db8:0:1::42"],
    ["2001%3Adb8%3A%3A%2F64", "2001:db8::1a2b:3c4d:5e6f:7890 2001:db8::42"],
    ["+2001:db8::/64%20", "2001:db8::1a2b:3c4d:5e6f:7890 2001:db8::42"],
    // What the router has behind its prefix does not matter.
    ["2001:db8::abcd/64", "2001:db8::1a2b:3c4d:5e6f:7890 2001:db8::42"],
    // Shorter: no subnet in these interface ids.
    ["2001:db8:0:ff00::/56", "2001:db8:0:ff00:1a2b:3c4d:5e6f:7890 2001:db8:0:ff00::42"],
    ["2001:db8:0:ffff::/56", "2001:db8:0:ff00:1a2b:3c4d:5e6f:7890 2001:db8:0:ff00::42"],
    ["fd00::/8", "fd00::1a2b:3c4d:5e6f:7890 fd00::42"],
    ["ffff::/1", "8000::1a2b:3c4d:5e6f:7890 8000::42"],
    ["", "nothing"],
    ["<ip6lanprefix>", "nothing"],
    ["%3Cip6lanprefix%3E", "nothing"],
    ["+", "nothing"],
    ["2001:db8::/65", "bad: prefix 2001:db8::/65 refused (longer than the client's 64 bits)"],
    ["2001:db8::1/128", "bad: prefix 2001:db8::1/128 refused (longer than the client's 64 bits)"],
    ["fe80::/64", "bad: address fe80::1a2b:3c4d:5e6f:7890 refused (link-local)"],
    ["ff02::/64", "bad: address ff02::1a2b:3c4d:5e6f:7890 refused (multicast)"],
    ["::/64", "bad: prefix ::/64 refused (unspecified)"],
    ["::1/56", "bad: prefix ::/56 refused (unspecified)"],
    ...[
      "2001:db8::/0",
      "2001:db8::/129",
      "2001:db8::/064",
      "2001:db8::",
      "2001:db8::/",
      "/64",
      "64",
      "preserve",
      "192.0.2.0/24",
      "::ffff:192.0.2.0/120",
      "[2001:db8::]/64",
      "2001:db8::%25eth0/64",
      "2001:db8::/64%00",
      "2001:db8::/64,2001:db8::/64",
      "2001:db8::/64 SECRET",
      "%ff",
      "%",
      "<ip6lanprefix",
      "1".repeat(15_000),
    ].map((value): [string, string] => [value, NONE]),
  ];
  for (const [value, expected] of table) {
    assertEquals([value, got(`ip6lanprefix=${value}`)], [value, expected]);
  }
});

Deno.test("prefixedRecords() takes a prefix named twice, but not two", () => {
  const one = "2001:db8::1a2b:3c4d:5e6f:7890 2001:db8::42";
  const table: [query: string, got: string][] = [
    ["prefix=2001:db8::/64&prefix=2001:db8::/64", one],
    ["prefix=2001:db8::/64&ip6lanprefix=2001:DB8:0:0::1/64", one],
    ["prefix=2001:db8::/64&ip6lanprefix=<ip6lanprefix>&ipv6prefix=", one],
    ["prefix=2001:db8::/64&prefix=2001:db8:0:1::/64", TWO],
    ["prefix=2001:db8::/64&ip6lanprefix=2001:db8::/63", TWO],
    ["prefix=2001:db8::/64&prefix=junk", NONE],
    ["prefix=junk&prefix=2001:db8::/64", NONE],
  ];
  for (const [query, expected] of table) assertEquals([query, got(query)], [query, expected]);
});

Deno.test("prefixedRecords() leaves room for subnets in the interface ids", () => {
  const prefix = prefixOf(56, { nas: "::5:1a2b:3c4d:5e6f:7890", cam: "::ff:0:0:0:42" });
  const table: [query: string, got: string][] = [
    ["prefix=2001:db8:0:ff00::/56", "2001:db8:0:ff05:1a2b:3c4d:5e6f:7890 2001:db8:0:ffff::42"],
    ["prefix=2001:db8::/48", "2001:db8:0:5:1a2b:3c4d:5e6f:7890 2001:db8:0:ff::42"],
    [
      "prefix=2001:db8::/64",
      "bad: prefix 2001:db8::/64 refused (longer than the client's 56 bits)",
    ],
  ];
  for (const [query, expected] of table) {
    assertEquals([query, got(query, { address: "request", prefix })], [query, expected]);
  }
  const whole = prefixOf(128, { nas: "::" });
  assertEquals(
    got("prefix=2001:db8::1/128", { address: "request", prefix: whole }),
    "2001:db8::1",
  );
});

Deno.test("prefixedRecords() takes the connection's prefix where a request may name none", () => {
  const query = "prefix=2001:db8:7::/64&offline=YES";
  const table: [own: string, options: Options, got: string][] = [
    ["2001:db8::1", {}, "2001:db8::1a2b:3c4d:5e6f:7890 2001:db8::42"],
    ["203.0.113.7", {}, "nothing"],
    ["::ffff:203.0.113.7", {}, "nothing"],
    ["2001:db8:0:ff17::1", { prefix: prefixOf(56, { nas: "::5:0:0:0:1" }) }, "2001:db8:0:ff05::1"],
    ["::1", { prefix: prefixOf(16, { nas: "::42" }) }, "::42"],
    [
      "::1",
      { prefix: prefixOf(64, { nas: "::" }) },
      "own is bad: address :: refused (unspecified)",
    ],
    [
      "::1",
      { prefix: prefixOf(64, { nas: "::ffff:192.0.2.1" }) },
      "own is bad: prefix ::/64 refused (of IPv4 addresses)",
    ],
    ["2001:db8::1", { address: "request" }, "none none"],
    ["fd00::1", {}, "fd00::1a2b:3c4d:5e6f:7890 fd00::42"],
  ];
  for (const [own, options, expected] of table) {
    assertEquals([own, got(query, { ...options, own })], [own, expected]);
  }
  // Where it may name one, the connection's is not taken.
  assertEquals(got("", { own: "2001:db8::1", address: "request" }), "nothing");
  assertEquals(got("myipv6=2001:db8::1", { own: "2001:db8::1", address: "request" }), "nothing");
});

Deno.test("prefixedRecords() keeps to the client's limits", () => {
  const limits: ClientLimits = { isPublicOnly: true, family: 6 };
  const options: Options = { address: "request", limits, own: "2001:db8::7" };
  assertEquals(got("prefix=2001:db8::/64", options), got("prefix=2001:db8::/64"));
  assertEquals(
    got("prefix=fd00::/64", options),
    "bad: address fd00::1a2b:3c4d:5e6f:7890 refused (private, and the client has private = false)",
  );
});

Deno.test("prefixedRecords() makes no address outside of the one prefix that a query has", () => {
  const seed = Date.now() >>> 0;
  const below = belowFrom(seed);
  const parts = [
    "2001:db8:",
    "1:",
    ":",
    "/64",
    "/5",
    "6",
    "%3A",
    "f",
    "<",
    ">",
    "+",
    "SECRET",
    "%",
  ];
  for (let round = 0; round < 3000; round++) {
    const value = () => Array.from({ length: below(5) }, () => parts[below(parts.length)]).join("");
    const parameters = Array.from({ length: 1 + below(2) }, () => `${NAMES[below(4)]}=${value()}`);
    const query = parameters.join("&");
    const found = got(query);
    if (/^(nothing|bad: .*)$/.test(found)) continue;
    const [, sent] = /=([^&]*\/[^&]*)/.exec(query)!;
    const prefix = decodeURIComponent(sent!.replaceAll("+", " ")).trim();
    for (const text of found.split(" ")) {
      const isInside = contains(parseNetwork(prefix)!, parseAddress(text)!);
      assert(isInside, `seed ${seed}: ${query} gives ${text}`);
    }
  }
});

const KEY = "SECRET-of-the-router";

function ask(results: Record<string, Result> = {}) {
  const networks = [parseNetwork("2001:db8::/32")!];
  return asker({
    clients: {
      [KEY]: { hosts: ["home", "www"], address: "request", prefix: HOME },
      "SECRET-lan": { hosts: ["home"], prefix: HOME, limits: { networks } },
    },
    paths: ["/nic/update"],
    results,
  });
}

const HOSTS = ["home A 192.0.2.1", "www A 192.0.2.1"];
const BEHIND = ["nas AAAA 2001:db8::1a2b:3c4d:5e6f:7890", "cam AAAA 2001:db8::42"];

Deno.test("a request with a prefix sets the hosts behind the router after the router's own", async () => {
  const table: [target: string, answer: string, changes: string[]][] = [
    [`/${KEY}?myip=192.0.2.1&ip6lanprefix=2001:db8::/64`, "200 OK", [...HOSTS, ...BEHIND]],
    [`/${KEY}?myip=192.0.2.1`, "200 OK", HOSTS],
    [`/${KEY}?myip=192.0.2.1&ip6lanprefix=`, "200 OK", HOSTS],
    [`/${KEY}?myip=preserve&prefix=2001:db8::/64`, "200 OK", BEHIND],
    [`/${KEY}?myip=192.0.2.1&prefix=2001:db8::/65`, "400 BADIP", []],
    [`/${KEY}?myip=192.0.2.1&prefix=${KEY}`, "400 BADIP", []],
    [`/${KEY}?myip=junk&prefix=2001:db8::/64`, "400 BADIP", []],
    [
      `/${KEY}?offline=YES&prefix=junk`,
      "200 OK",
      ["home A none", "home AAAA none", "www A none", "www AAAA none", "nas AAAA none"]
        .concat("cam AAAA none"),
    ],
    // What nobody has to fill in twice, old models send as one.
    [
      `/${KEY}?myip=192.0.2.1%20http:/dyn.example/${KEY}?ip6lanprefix=2001:db8::/64`,
      "200 OK",
      [...HOSTS, ...BEHIND],
    ],
    [`/SECRET-lan?prefix=2001:db8::/64`, "403 BADKEY", []],
  ];
  for (const [target, answer, changes] of table) {
    const asked = await ask()(target);
    assertEquals([target, asked.answer, asked.changes], [target, answer, changes]);
    for (const line of asked.lines) assert(!line.includes("SECRET"), line);
  }
  const own = await ask()("/SECRET-lan", {}, "2001:db8::9");
  assertEquals(own.answer, "200 OK");
  assertEquals(own.changes, ["home AAAA 2001:db8::9", ...BEHIND]);
});

Deno.test("over dyndns2, no line tells less of the hosts behind the router than is so", async () => {
  const both = (line: string) => `${line}\n${line}`;
  const table: [results: Record<string, Result>, answer: string][] = [
    [{}, `200 ${both("good 192.0.2.1")}`],
    [{ nas: "UPTODATE" }, `200 ${both("good 192.0.2.1")}`],
    [{ home: "UPTODATE", www: "UPTODATE" }, `200 ${both("good 192.0.2.1")}`],
    [
      { home: "UPTODATE", www: "UPTODATE", nas: "UPTODATE", cam: "UPTODATE" },
      `200 ${both("nochg 192.0.2.1")}`,
    ],
    [{ nas: "FAIL" }, `500 ${both("911")}`],
    [{ cam: "BUSY" }, `503 ${both("911")}`],
    [{ home: "FAIL" }, "200 dnserr\ngood 192.0.2.1"],
  ];
  const query = "hostname=home.dyn.example,www.dyn.example&myip=192.0.2.1&prefix=2001:db8::/64";
  for (const [results, answer] of table) {
    const asked = await ask(results)(`/nic/update?${query}`, basic("u", KEY));
    assertEquals([results, asked.answer], [results, answer]);
    assertEquals(asked.changes, [...HOSTS, ...BEHIND]);
  }
});

Deno.test("over dyndns2, any request that brings a prefix sets the hosts behind the router", async () => {
  const good = "192.0.2.1";
  const table: [query: string, answer: string, ...changes: string[]][] = [
    ["hostname=www.dyn.example&prefix=2001:db8::/64", `good ${good}`, HOSTS[1]!, ...BEHIND],
    ["hostname=www.dyn.example", `good ${good}`, HOSTS[1]!],
    ["hostname=nas.dyn.example&prefix=2001:db8::/64", "nohost"],
    [
      "hostname=nas.dyn.example,www.dyn.example&prefix=2001:db8::/64",
      `nohost\ngood ${good}`,
      HOSTS[1]!,
      ...BEHIND,
    ],
    ["hostname=www.dyn.example&prefix=2001:db8::/64&prefix=2001:db9::/64", "dnserr"],
    ["hostname=www.dyn.example&prefix=2001:db8::1", "dnserr"],
    ["hostname=nas.dyn.example,www.dyn.example&prefix=junk", "nohost\ndnserr"],
    ["hostname=www.dyn.example&myip=preserve&prefix=2001:db8::/64", "good", ...BEHIND],
    [
      "hostname=www.dyn.example&offline=YES",
      "good",
      "www A none",
      "www AAAA none",
      "nas AAAA none",
      "cam AAAA none",
    ],
  ];
  for (const [query, answer, ...changes] of table) {
    const asked = await ask()(`/nic/update?${query}`, basic("u", KEY), good);
    assertEquals([query, asked.answer, asked.changes], [query, `200 ${answer}`, changes]);
  }
  const own = await ask()(
    "/nic/update?hostname=home.dyn.example&myip=192.0.2.1&prefix=junk",
    basic("u", "SECRET-lan"),
    "2001:db8::9",
  );
  assertEquals(own.answer, "200 good 2001:db8::9");
  assertEquals(own.changes, ["home AAAA 2001:db8::9", ...BEHIND]);
});
