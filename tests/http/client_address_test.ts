import { assertEquals } from "@std/assert";
import { type Address, type Network, parseAddress, parseNetwork } from "../../lib/address.ts";
import { Callers, clientOf } from "../../lib/http/client_address.ts";
import type { ProxyHeader } from "../../lib/proxy_header.ts";

/** The client's address, or why it is not known. */
function found(peer: string, headers: Headers, trusted: Network[], name: ProxyHeader): string {
  const address = parseAddress(peer) as Address;
  const client = clientOf({ address, text: address.text }, headers, trusted, name);
  return client.address?.text ?? (client as { problem: string }).problem;
}

const silent = (proxy: string, header: ProxyHeader = "X-Forwarded-For") =>
  `the proxy ${proxy} did not say, in ${header}, whom it asks for`;
const silentToo = (proxy: string, header?: ProxyHeader) =>
  `${silent(proxy, header)} (if it is no proxy, trusted_proxies has too much)`;
const wrong = (proxy: string, header: ProxyHeader = "X-Forwarded-For") =>
  `the proxy ${proxy} sent something else than an address in ${header}`;

Deno.test("clientOf() believes X-Forwarded-For as far as trusted proxies wrote it", () => {
  const NETS = "127.0.0.1 10.0.0.0/8 2001:db8:1::/48";
  const table: [string, string | undefined, string, string][] = [
    // [peer, header, trusted, address or problem]
    // Nobody is trusted, or somebody else.
    ["203.0.113.7", "198.51.100.1", "", "203.0.113.7"],
    ["203.0.113.7", "198.51.100.1", NETS, "203.0.113.7"],
    ["2001:db8:2::1", "198.51.100.1", NETS, "2001:db8:2::1"],
    ["11.0.0.1", "198.51.100.1", NETS, "11.0.0.1"],
    ["127.0.0.2", "198.51.100.1", NETS, "127.0.0.2"],
    ["203.0.113.7", "junk", NETS, "203.0.113.7"],
    // One proxy.
    ["127.0.0.1", "198.51.100.1", NETS, "198.51.100.1"],
    ["10.255.255.255", "198.51.100.1", NETS, "198.51.100.1"],
    ["2001:db8:1:2::3", "198.51.100.1", NETS, "198.51.100.1"],
    ["127.0.0.1", "2001:DB8:0:0::7", NETS, "2001:db8::7"],
    ["127.0.0.1", "::ffff:198.51.100.1", NETS, "198.51.100.1"],
    ["::ffff:127.0.0.1", "198.51.100.1", NETS, "198.51.100.1"],
    ["127.0.0.1", "  198.51.100.1\t", NETS, "198.51.100.1"],
    // From right to left: what is left of an untrusted address, that one made up.
    ["127.0.0.1", "192.0.2.66, 198.51.100.1", NETS, "198.51.100.1"],
    ["127.0.0.1", "junk, 198.51.100.1", NETS, "198.51.100.1"],
    ["127.0.0.1", "10.0.0.1, 198.51.100.1,10.2.3.4", NETS, "198.51.100.1"],
    ["127.0.0.1", "192.0.2.66,2001:db8::7 ,2001:db8:1::1, 10.2.3.4", NETS, "2001:db8::7"],
    // All are trusted: the first of them does not say whom it asks for.
    ["127.0.0.1", "10.9.9.9, 10.2.3.4", NETS, silentToo("10.9.9.9")],
    ["127.0.0.1", "127.0.0.1", NETS, silent("127.0.0.1")],
    ["127.0.0.1", undefined, NETS, silent("127.0.0.1")],
    ["::ffff:127.0.0.1", undefined, NETS, silent("127.0.0.1")],
    ["127.0.0.1", "", NETS, silent("127.0.0.1")],
    ["127.0.0.1", " \t", NETS, silent("127.0.0.1")],
    // Ports.
    ["127.0.0.1", "198.51.100.1:4711", NETS, "198.51.100.1"],
    ["127.0.0.1", "[2001:db8::7]:4711", NETS, "2001:db8::7"],
    ["127.0.0.1", "[2001:db8::7]", NETS, "2001:db8::7"],
    ["127.0.0.1", "192.0.2.66, 198.51.100.1:1, 10.2.3.4:2", NETS, "198.51.100.1"],
    // Junk where an address must be.
    ["127.0.0.1", "junk, 10.2.3.4", NETS, wrong("10.2.3.4")],
    ["127.0.0.1", ",", NETS, wrong("127.0.0.1")],
    ["127.0.0.1", "198.51.100.1,", NETS, wrong("127.0.0.1")],
    ["127.0.0.1", "198.51.100.1, junk", NETS, wrong("127.0.0.1")],
    ["127.0.0.1", "198.51.100.1, unknown, 10.2.3.4", NETS, wrong("10.2.3.4")],
    ["127.0.0.1", "198.51.100.1:", NETS, wrong("127.0.0.1")],
    ["127.0.0.1", "198.51.100.1:port", NETS, wrong("127.0.0.1")],
    ["127.0.0.1", "198.51.100.256", NETS, wrong("127.0.0.1")],
    ["127.0.0.1", "[2001:db8::7", NETS, wrong("127.0.0.1")],
    ["127.0.0.1", "[2001:db8::7]4711", NETS, wrong("127.0.0.1")],
    ["127.0.0.1", "[]:4711", NETS, wrong("127.0.0.1")],
    ["127.0.0.1", "for=198.51.100.1", NETS, wrong("127.0.0.1")],
    ["127.0.0.1", "198.51.100.1 10.2.3.4", NETS, wrong("127.0.0.1")],
    // Everybody of one family is trusted.
    ["203.0.113.7", "198.51.100.1, 2001:db8::7", "0.0.0.0/0", "2001:db8::7"],
    ["2001:db8::7", "198.51.100.1", "0.0.0.0/0", "2001:db8::7"],
    ["203.0.113.7", "198.51.100.1", "0.0.0.0/0", silentToo("198.51.100.1")],
  ];
  for (const [peer, header, nets, address] of table) {
    const headers = new Headers(header === undefined ? {} : { "x-forwarded-for": header });
    headers.set("x-real-ip", "192.0.2.99");
    const trusted = nets.split(" ").filter(Boolean).map((text) => parseNetwork(text)!);
    const client = found(peer, headers, trusted, "X-Forwarded-For");
    assertEquals([peer, header, nets, client], [peer, header, nets, address]);
  }
});

Deno.test("clientOf() reads several X-Forwarded-For lines as one", () => {
  const headers = new Headers([["x-forwarded-for", "192.0.2.66"], [
    "x-forwarded-for",
    "198.51.100.1",
  ]]);
  const trusted = [parseNetwork("127.0.0.1")!];
  assertEquals(found("127.0.0.1", headers, trusted, "X-Forwarded-For"), "198.51.100.1");
});

Deno.test("clientOf() takes the one address of X-Real-IP", () => {
  const table: [string, string | undefined, string][] = [
    ["127.0.0.1", "198.51.100.1", "198.51.100.1"],
    ["127.0.0.1", "2001:DB8::7", "2001:db8::7"],
    ["127.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"],
    ["127.0.0.1", "198.51.100.1:4711", "198.51.100.1"],
    ["127.0.0.1", "127.0.0.1", silent("127.0.0.1", "X-Real-IP")],
    ["127.0.0.1", undefined, silent("127.0.0.1", "X-Real-IP")],
    ["127.0.0.1", "", silent("127.0.0.1", "X-Real-IP")],
    ["127.0.0.1", "junk", wrong("127.0.0.1", "X-Real-IP")],
    ["127.0.0.1", "192.0.2.66, 198.51.100.1", wrong("127.0.0.1", "X-Real-IP")],
    ["203.0.113.7", "198.51.100.1", "203.0.113.7"],
  ];
  for (const [peer, header, address] of table) {
    const headers = new Headers(header === undefined ? {} : { "x-real-ip": header });
    headers.set("x-forwarded-for", "192.0.2.99");
    const trusted = [parseNetwork("127.0.0.1")!];
    assertEquals([peer, header, found(peer, headers, trusted, "X-Real-IP")], [
      peer,
      header,
      address,
    ]);
  }
});

Deno.test("clientOf() believes Forwarded as far as trusted proxies wrote it", () => {
  const NETS = "127.0.0.1 10.0.0.0/8 2001:db8:1::/48";
  const says = (proxy: string, problem: string) => `the proxy ${proxy} ${problem}`;
  const wrongFor = (proxy: string) =>
    `${wrong(proxy, "Forwarded")} (right is for=192.0.2.1 or for="[2001:db8::1]")`;
  const hides = 'hides whom it asks for: it sent an obfuscated name, for="_…", in Forwarded';
  const unknown = "does not know whom it asks for: it sent for=unknown in Forwarded";
  const table: [string, string[], string][] = [
    // [peer, lines, address or problem]
    ["203.0.113.7", ["for=198.51.100.1"], "203.0.113.7"],
    ["203.0.113.7", ["junk"], "203.0.113.7"],
    // One proxy.
    ["127.0.0.1", ["for=198.51.100.1"], "198.51.100.1"],
    ["::ffff:127.0.0.1", ["for=198.51.100.1"], "198.51.100.1"],
    ["127.0.0.1", ['For="[2001:DB8::7]:4711";proto=https'], "2001:db8::7"],
    ["127.0.0.1", ['for="[::ffff:198.51.100.1]"'], "198.51.100.1"],
    // From the right: what is left of an untrusted address, that one made up.
    ["127.0.0.1", ["for=192.0.2.66, for=198.51.100.1"], "198.51.100.1"],
    ["127.0.0.1", ["junk, for=198.51.100.1"], "198.51.100.1"],
    ["127.0.0.1", ['for="192.0.2.66, for=198.51.100.1'], "198.51.100.1"],
    ["127.0.0.1", ["for=192.0.2.66, for=198.51.100.1,for=10.2.3.4"], "198.51.100.1"],
    ["127.0.0.1", ['for=192.0.2.66,for="[2001:db8::7]",for="[2001:db8:1::1]:80"'], "2001:db8::7"],
    // Several lines are one.
    ["127.0.0.1", ["for=192.0.2.66", "for=198.51.100.1"], "198.51.100.1"],
    [
      "127.0.0.1",
      ["for=192.0.2.66", "for=198.51.100.1, for=10.1.1.1", "for=10.2.3.4"],
      "198.51.100.1",
    ],
    ["127.0.0.1", ['x="', "for=198.51.100.1"], "198.51.100.1"],
    // All are trusted: the first of them does not say whom it asks for.
    ["127.0.0.1", ["for=10.9.9.9, for=10.2.3.4"], silentToo("10.9.9.9", "Forwarded")],
    ["127.0.0.1", ["for=127.0.0.1"], silent("127.0.0.1", "Forwarded")],
    ["127.0.0.1", [], silent("127.0.0.1", "Forwarded")],
    ["127.0.0.1", [""], silent("127.0.0.1", "Forwarded")],
    ["127.0.0.1", ["proto=https"], silent("127.0.0.1", "Forwarded")],
    ["127.0.0.1", ["for=192.0.2.66", ""], silent("127.0.0.1", "Forwarded")],
    ["127.0.0.1", ["for=192.0.2.66,"], silent("127.0.0.1", "Forwarded")],
    ["127.0.0.1", ["for=192.0.2.66, by=_x, for=10.2.3.4"], silent("10.2.3.4", "Forwarded")],
    // Proxies that tell something else.
    ["127.0.0.1", ["for=_hidden"], says("127.0.0.1", hides)],
    ["127.0.0.1", ["for=192.0.2.66, for=_hidden, for=10.2.3.4"], says("10.2.3.4", hides)],
    ["127.0.0.1", ["for=unknown"], says("127.0.0.1", unknown)],
    ["127.0.0.1", ["for=192.0.2.66, for=unknown"], says("127.0.0.1", unknown)],
    ["127.0.0.1", ["198.51.100.1"], wrongFor("127.0.0.1")],
    ["127.0.0.1", ["for=2001:db8::7"], wrongFor("127.0.0.1")],
    ["127.0.0.1", ["junk, for=10.2.3.4"], wrongFor("10.2.3.4")],
    ["127.0.0.1", ["for=198.51.100.1;for=192.0.2.66"], wrongFor("127.0.0.1")],
  ];
  const trusted = NETS.split(" ").map((text) => parseNetwork(text)!);
  for (const [peer, lines, address] of table) {
    const headers = new Headers(lines.map((line): [string, string] => ["forwarded", line]));
    headers.set("x-forwarded-for", "192.0.2.99");
    assertEquals([peer, lines, found(peer, headers, trusted, "Forwarded")], [peer, lines, address]);
  }
});

Deno.test("Callers finds who sent a request, by the connection or by a trusted proxy's header", () => {
  const table: [string, string | undefined, string | undefined, string?][] = [
    // [hostname, header, address, text]
    ["203.0.113.7", "198.51.100.1", "203.0.113.7"],
    ["::ffff:203.0.113.7", undefined, "203.0.113.7"],
    ["127.0.0.1", "198.51.100.1", "198.51.100.1"],
    ["127.0.0.1", "2001:DB8::7", "2001:db8::7"],
    ["127.0.0.1", "127.0.0.1", undefined, "a client behind 127.0.0.1"],
    ["127.0.0.1", undefined, undefined, "a client behind 127.0.0.1"],
    ["127.0.0.1", "SECRET", undefined, "a client behind 127.0.0.1"],
    ["", "198.51.100.1", undefined, "a client behind an unknown address"],
  ];
  const trustedProxies = [parseNetwork("127.0.0.1")!];
  const callers = new Callers({ trustedProxies, proxyHeader: "X-Real-IP" });
  for (const _ of ["new", "known"]) {
    for (const [hostname, header, address, text = address] of table) {
      const headers = new Headers(header === undefined ? {} : { "x-real-ip": header });
      const caller = callers.find(hostname, { headers });
      assertEquals([hostname, caller.address?.text, caller.text], [hostname, address, text]);
    }
  }
});

Deno.test("Callers reads no headers where no proxy is trusted", () => {
  const callers = new Callers({ trustedProxies: [], proxyHeader: "X-Real-IP" });
  const request = {
    get headers(): Headers {
      throw new Error("read");
    },
  };
  assertEquals(callers.find("203.0.113.7", request).text, "203.0.113.7");
});

Deno.test("Callers knows its way among more connections than it remembers", () => {
  const callers = new Callers({ trustedProxies: [], proxyHeader: "X-Real-IP" });
  const { headers } = new Request("http://h/");
  for (let i = 0; i < 2500; i++) {
    const text = `10.0.${i >> 8}.${i & 255}`;
    assertEquals(callers.find(text, { headers }).address?.text, text);
  }
});
