import { assertEquals } from "@std/assert";
import { parseAddress } from "../../lib/address.ts";
import type { ClientLimits } from "../../lib/client_limits.ts";
import { BadAddress, twoInOne, wantedAddresses } from "../../lib/http/request_addresses.ts";

/** What is wanted, in words. */
function wanted(query: string, own = "203.0.113.7", limits?: ClientLimits): string {
  const found = wantedAddresses(query, parseAddress(own)!, limits);
  if (found instanceof BadAddress) return found.isNamed ? "bad" : "own is bad";
  return typeof found === "string" ? found : found.map(({ text }) => text).join(" ") || "nothing";
}

Deno.test("wantedAddresses() takes an address by each of its names", () => {
  for (const name of ["myip", "ip", "myipv4", "ipv4"]) {
    assertEquals([name, wanted(`${name}=192.0.2.1`)], [name, "192.0.2.1"]);
    assertEquals([name, wanted(`${name}=2001:db8::1`)], [name, "2001:db8::1"]);
    const list = `${name}=2001:db8::1,192.0.2.1`;
    assertEquals([list, wanted(list)], [list, "192.0.2.1 2001:db8::1"]);
  }
  for (const name of ["myipv6", "myip6", "ipv6", "ip6", "ip6addr"]) {
    assertEquals([name, wanted(`${name}=2001:db8::1`)], [name, "2001:db8::1"]);
    assertEquals([name, wanted(`${name}=192.0.2.1`)], [name, "bad"]);
    assertEquals([name, wanted(`${name}=::ffff:192.0.2.1`)], [name, "bad"]);
  }
  for (const name of ["MYIP", "my%69p2", "address", "prefix", "ip6lanprefix", ""]) {
    assertEquals([name, wanted(`${name}=192.0.2.1`)], [name, "203.0.113.7"]);
  }
});

Deno.test("wantedAddresses() takes what is not filled in for absent, and the connection's for none", () => {
  const table: [query: string, wanted: string][] = [
    ["", "203.0.113.7"],
    ["myip", "203.0.113.7"],
    ["myip=", "203.0.113.7"],
    ["myip=&myipv6=", "203.0.113.7"],
    ["myip=,", "203.0.113.7"],
    ["myip=<ipaddr>&myipv6=<ip6addr>", "203.0.113.7"],
    ["myip=%3Cipaddr%3E", "203.0.113.7"],
    ["myip=192.0.2.1&myipv6=<ip6addr>", "192.0.2.1"],
    ["myip=&myipv6=2001:db8::1", "2001:db8::1"],
    ["myip=,2001:db8::1", "2001:db8::1"],
    ["myip=192.0.2.1,<ip6addr>", "192.0.2.1"],
    ["hostname=a&system=dyndns", "203.0.113.7"],
    ["&&=&", "203.0.113.7"],
  ];
  for (const [query, expected] of table) assertEquals([query, wanted(query)], [query, expected]);
});

Deno.test("wantedAddresses() leaves alone what is to be preserved", () => {
  const table: [query: string, own: string, wanted: string][] = [
    ["myipv6=preserve", "203.0.113.7", "203.0.113.7"],
    ["myipv6=preserve", "2001:db8::7", "nothing"],
    ["myip=preserve", "203.0.113.7", "nothing"],
    ["myip=preserve", "2001:db8::7", "2001:db8::7"],
    ["myip=192.0.2.1&myipv6=preserve", "2001:db8::7", "192.0.2.1"],
    ["myip=preserve&myipv6=preserve", "203.0.113.7", "nothing"],
    ["myipv4=preserve,preserve", "203.0.113.7", "nothing"],
    ["myip=192.0.2.1,preserve", "203.0.113.7", "bad"],
    ["myip=2001:db8::1&myipv6=preserve", "203.0.113.7", "bad"],
  ];
  for (const [query, own, expected] of table) {
    assertEquals([query, own, wanted(query, own)], [query, own, expected]);
  }
});

Deno.test("wantedAddresses() is offline if the request says so, whatever else it says", () => {
  const table: [query: string, wanted: string][] = [
    ["offline=YES", "offline"],
    ["offline=yes", "offline"],
    ["myip=192.0.2.1&offline=YES", "offline"],
    ["offline=NO", "203.0.113.7"],
    ["offline=NOCHG", "203.0.113.7"],
    ["offline=", "203.0.113.7"],
    ["offline", "203.0.113.7"],
    ["OFFLINE=YES", "203.0.113.7"],
  ];
  for (const [query, expected] of table) assertEquals([query, wanted(query)], [query, expected]);
});

Deno.test("wantedAddresses() takes every form of an address, and nothing else", () => {
  const table: [value: string, wanted: string][] = [
    ["2001:DB8:0:0::1", "2001:db8::1"],
    ["2001%3Adb8%3A%3A1", "2001:db8::1"],
    ["192.0.2.1%2C2001:db8::1", "192.0.2.1 2001:db8::1"],
    ["192.0.2.1,+2001:db8::1", "192.0.2.1 2001:db8::1"],
    ["+192.0.2.1%20", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::ffff:c000:201", "192.0.2.1"],
    ["192.168.1.2", "192.168.1.2"],
    // The same twice is no contradiction.
    ["192.0.2.1,192.0.2.1", "192.0.2.1"],
    ["192.0.2.1,::ffff:192.0.2.1", "192.0.2.1"],
    ["192.0.2.1&myip=192.0.2.1", "192.0.2.1"],
    ["2001:db8::1&myipv6=2001:DB8::1", "2001:db8::1"],
    ["192.0.2.1&myip=192.0.2.2", "bad"],
    ["192.0.2.1,192.0.2.2", "bad"],
    ["2001:db8::1&ip6=2001:db8::2", "bad"],
    ["192.0.2.1/24", "bad"],
    ["192.0.2.1/32", "bad"],
    ["2001:db8::/64", "bad"],
    ["192.000.002.001", "bad"],
    ["0300.0.2.1", "bad"],
    ["0xc0.0.2.1", "bad"],
    ["3221225985", "bad"],
    ["192.0.2", "bad"],
    ["192.0.2.1.", "bad"],
    ["192.0.2.256", "bad"],
    ["192.0.2.1:80", "bad"],
    ["[2001:db8::1]", "bad"],
    ["2001:db8::1%25eth0", "bad"],
    ["2001:db8::1%eth0", "bad"],
    ["2001:db8::1,2001:db8::1%25eth0", "bad"],
    ["2001:db8::g", "bad"],
    ["localhost", "bad"],
    ["YES", "bad"],
    ["%", "bad"],
    ["%ff", "bad"],
    ["192.0.2.1%00", "bad"],
    ["192.0.2.1%0a", "192.0.2.1"],
    ["<ip", "bad"],
    ["<a><b>", "bad"],
    // Where nobody can be reached.
    ["0.0.0.0", "bad"],
    ["::", "bad"],
    ["169.254.1.1", "bad"],
    ["fe80::1", "bad"],
    ["224.0.0.1", "bad"],
    ["255.255.255.255", "bad"],
    ["192.0.2.1,fe80::1", "bad"],
    [",".repeat(5000), "203.0.113.7"],
    ["1".repeat(15_000), "bad"],
  ];
  for (const [value, expected] of table) {
    assertEquals([value, wanted(`myip=${value}`)], [value, expected]);
  }
});

Deno.test("wantedAddresses() keeps to a client's limits, and says what the request names", () => {
  const table: [query: string, own: string, limits: ClientLimits, wanted: string][] = [
    ["myip=192.0.2.1", "2001:db8::7", { family: 4 }, "192.0.2.1"],
    ["myip=192.0.2.1,2001:db8::1", "203.0.113.7", { family: 4 }, "bad"],
    ["", "2001:db8::7", { family: 4 }, "own is bad"],
    ["myip=10.0.0.1", "203.0.113.7", { isPublicOnly: true }, "bad"],
    ["", "10.0.0.1", { isPublicOnly: true }, "own is bad"],
    ["", "fe80::1", {}, "own is bad"],
  ];
  for (const [query, own, limits, expected] of table) {
    assertEquals([query, wanted(query, own, limits)], [query, expected]);
  }
});

Deno.test("wantedAddresses() repeats nothing of the request but an address", () => {
  for (const query of ["myip=SECRET", "myip=SECRET&myip=x", "myip6=192.0.2.1", "ip=%SECRET"]) {
    const found = wantedAddresses(query, parseAddress("203.0.113.7")!, undefined) as BadAddress;
    assertEquals([query, found.problem.includes("SECRET")], [query, false]);
  }
  const found = wantedAddresses("ip=10.0.0.1", parseAddress("203.0.113.7")!, {
    isPublicOnly: true,
  }) as BadAddress;
  const why = "private, and the client has private = false";
  assertEquals(found.problem, `address 10.0.0.1 refused (${why})`);
});

Deno.test("twoInOne() takes apart what an old FRITZ!Box makes of two URLs", () => {
  const table: [text: string, ...parts: string[]][] = [
    ["nic/update%20http:/ipv6.dyn.example/nic/update", "nic/update", "nic/update"],
    ["a?b=c%20https://dyn.example:4443/a?d=e", "a?b=c", "a?d=e"],
    ["a%20HTTPS:/h/b", "a", "b"],
    ["a%20http:/h?c", "a", "?c"],
    ["a%20http:/h", "a", ""],
    ["a%20b"],
    ["a http:/h/b"],
    [""],
  ];
  for (const [text, ...parts] of table) {
    assertEquals([text, twoInOne(text)], [text, parts.length === 0 ? undefined : parts]);
  }
});
