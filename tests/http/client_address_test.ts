import { assertEquals } from "@std/assert";
import { parseAddress, parseNetwork } from "../../lib/address.ts";
import { Callers, clientAddress } from "../../lib/http/client_address.ts";

Deno.test("clientAddress() believes X-Forwarded-For as far as trusted proxies wrote it", () => {
  const NETS = "127.0.0.1 10.0.0.0/8 2001:db8:1::/48";
  const table: [string, string | undefined, string, string | undefined][] = [
    // [peer, header, trusted, address]
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
    // All are trusted: the client is one of them.
    ["127.0.0.1", "10.9.9.9, 10.2.3.4", NETS, "10.9.9.9"],
    ["127.0.0.1", "127.0.0.1", NETS, "127.0.0.1"],
    // The proxy's own request.
    ["127.0.0.1", undefined, NETS, "127.0.0.1"],
    // Ports.
    ["127.0.0.1", "198.51.100.1:4711", NETS, "198.51.100.1"],
    ["127.0.0.1", "[2001:db8::7]:4711", NETS, "2001:db8::7"],
    ["127.0.0.1", "[2001:db8::7]", NETS, "2001:db8::7"],
    ["127.0.0.1", "192.0.2.66, 198.51.100.1:1, 10.2.3.4:2", NETS, "198.51.100.1"],
    // Junk where an address must be.
    ["127.0.0.1", "", NETS, undefined],
    ["127.0.0.1", ",", NETS, undefined],
    ["127.0.0.1", "198.51.100.1,", NETS, undefined],
    ["127.0.0.1", "198.51.100.1, junk", NETS, undefined],
    ["127.0.0.1", "198.51.100.1, unknown, 10.2.3.4", NETS, undefined],
    ["127.0.0.1", "198.51.100.1:", NETS, undefined],
    ["127.0.0.1", "198.51.100.1:port", NETS, undefined],
    ["127.0.0.1", "198.51.100.256", NETS, undefined],
    ["127.0.0.1", "[2001:db8::7", NETS, undefined],
    ["127.0.0.1", "[2001:db8::7]4711", NETS, undefined],
    ["127.0.0.1", "[]:4711", NETS, undefined],
    ["127.0.0.1", "for=198.51.100.1", NETS, undefined],
    ["127.0.0.1", "198.51.100.1 10.2.3.4", NETS, undefined],
    // Everybody of one family is trusted.
    ["203.0.113.7", "198.51.100.1, 2001:db8::7", "0.0.0.0/0", "2001:db8::7"],
    ["2001:db8::7", "198.51.100.1", "0.0.0.0/0", "2001:db8::7"],
  ];
  for (const [peer, header, nets, address] of table) {
    const headers = new Headers(header === undefined ? {} : { "x-forwarded-for": header });
    headers.set("x-real-ip", "192.0.2.99");
    const trusted = nets.split(" ").filter(Boolean).map((text) => parseNetwork(text)!);
    const found = clientAddress(parseAddress(peer)!, headers, trusted, "X-Forwarded-For")?.text;
    assertEquals([peer, header, nets, found], [peer, header, nets, address]);
  }
});

Deno.test("clientAddress() reads several X-Forwarded-For lines as one", () => {
  const headers = new Headers([["x-forwarded-for", "192.0.2.66"], [
    "x-forwarded-for",
    "198.51.100.1",
  ]]);
  const trusted = [parseNetwork("127.0.0.1")!];
  const address = clientAddress(parseAddress("127.0.0.1")!, headers, trusted, "X-Forwarded-For");
  assertEquals(address?.text, "198.51.100.1");
});

Deno.test("clientAddress() takes the one address of X-Real-IP", () => {
  const table: [string, string | undefined, string | undefined][] = [
    ["127.0.0.1", "198.51.100.1", "198.51.100.1"],
    ["127.0.0.1", "2001:DB8::7", "2001:db8::7"],
    ["127.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"],
    ["127.0.0.1", "198.51.100.1:4711", "198.51.100.1"],
    ["127.0.0.1", "127.0.0.1", "127.0.0.1"],
    ["127.0.0.1", undefined, "127.0.0.1"],
    ["127.0.0.1", "", undefined],
    ["127.0.0.1", "junk", undefined],
    ["127.0.0.1", "192.0.2.66, 198.51.100.1", undefined],
    ["203.0.113.7", "198.51.100.1", "203.0.113.7"],
  ];
  for (const [peer, header, address] of table) {
    const headers = new Headers(header === undefined ? {} : { "x-real-ip": header });
    headers.set("x-forwarded-for", "192.0.2.99");
    const trusted = [parseNetwork("127.0.0.1")!];
    const found = clientAddress(parseAddress(peer)!, headers, trusted, "X-Real-IP")?.text;
    assertEquals([peer, header, found], [peer, header, address]);
  }
});

Deno.test("Callers finds who sent a request, by the connection or by a trusted proxy's header", () => {
  const table: [string, string | undefined, string | undefined, string?][] = [
    // [hostname, header, address, text]
    ["203.0.113.7", "198.51.100.1", "203.0.113.7"],
    ["::ffff:203.0.113.7", undefined, "203.0.113.7"],
    ["127.0.0.1", "198.51.100.1", "198.51.100.1"],
    ["127.0.0.1", "2001:DB8::7", "2001:db8::7"],
    ["127.0.0.1", "127.0.0.1", "127.0.0.1"],
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
