import { assertEquals } from "@std/assert";
import { addressesText, isOlder, viewOf } from "../../lib/why/host_view.ts";
import { askOf, record, type Said, soa, zoneAt } from "./fake_dns.ts";

Deno.test("isOlder() goes round (RFC 1982)", () => {
  const top = 2 ** 32 - 1;
  for (const [serial, other] of [[1, 2], [0, 2 ** 31 - 1], [top, 0], [top, 5], [2 ** 31, top]]) {
    assertEquals([serial, other, isOlder(serial!, other!)], [serial, other, true]);
    assertEquals([other, serial, isOlder(other!, serial!)], [other, serial, false]);
  }
  assertEquals(isOlder(7, 7), false);
});

Deno.test("addressesText() tells both types", () => {
  const cases: [{ a?: string[]; aaaa?: string[]; alias?: string }, string][] = [
    [{}, "neither A nor AAAA"],
    [{ a: ["192.0.2.1"] }, "A 192.0.2.1, no AAAA"],
    [{ aaaa: ["2001:db8::1"] }, "no A, AAAA 2001:db8::1"],
    [{ a: ["192.0.2.1", "192.0.2.2"] }, "A 192.0.2.1 and 192.0.2.2, no AAAA"],
    [{ a: ["192.0.2.1"], alias: "b.example" }, "an alias of b.example"],
  ];
  for (const [view, text] of cases) {
    assertEquals(addressesText({ serial: 1, a: [], aaaa: [], ...view }), text);
  }
});

Deno.test("viewOf() tells who has no such zone", async () => {
  const server = { address: "192.0.2.53", port: 53 };
  const good = zoneAt("192.0.2.53", "dyn.example", 7, "a.dyn.example", "192.0.2.1");
  const faultOf = async (changes: Said) =>
    (await viewOf(askOf({ ...good, ...changes }), server, "dyn.example", "a.dyn.example")).fault;
  const zone = "192.0.2.53 dyn.example SOA", name = "192.0.2.53 a.dyn.example A";
  assertEquals(await faultOf({}), undefined);
  assertEquals(await faultOf({ [zone]: { rcode: "REFUSED" } }), "it answers REFUSED");
  const answers = [soa("dyn.example", 7)];
  const lame = "it is not authoritative";
  assertEquals(await faultOf({ [zone]: { answers, isAuthoritative: false } }), lame);
  assertEquals(await faultOf({ [zone]: { answers: [soa("example", 7)] } }), lame);
  assertEquals(await faultOf({ [name]: { rcode: "SERVFAIL" } }), "it answers SERVFAIL");
  assertEquals(await faultOf({ [name]: { rcode: "NXDOMAIN" } }), undefined);
});

Deno.test("viewOf() takes no other name's records, and the longest TTL", async () => {
  const ask = askOf({
    ...zoneAt("192.0.2.53", "dyn.example", 7, "a.dyn.example", "192.0.2.1"),
    "192.0.2.53 a.dyn.example A": {
      answers: [
        record("a.dyn.example", "CNAME", "b.dyn.example"),
        record("b.dyn.example", "A", "192.0.2.2"),
      ],
    },
    "192.0.2.53 a.dyn.example AAAA": {
      answers: [{ ...record("a.dyn.example", "AAAA", "2001:db8::1"), ttl: 99 }],
    },
  });
  const server = { address: "192.0.2.53", port: 53 };
  assertEquals(await viewOf(ask, server, "dyn.example", "a.dyn.example"), {
    serial: 7,
    a: [],
    aaaa: ["2001:db8::1"],
    alias: "b.dyn.example",
    ttl: 99,
    negativeTtl: 60,
  });
});
