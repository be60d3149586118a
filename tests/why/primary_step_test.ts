import { assertEquals } from "@std/assert";
import { parseHostname } from "../../lib/hostname.ts";
import { primaryStep } from "../../lib/why/primary_step.ts";
import { askOf, record, resolverOf, type Said, told, zoneAt } from "./fake_dns.ts";

const host = parseHostname("a.dyn.example");
const nameserver = { endpoint: { hostname: "192.0.2.53", port: 53 }, keyFile: undefined };
const GOOD = zoneAt("192.0.2.53", "dyn.example", 7, host, "192.0.2.1");

function primary(said: Said, more: Partial<Parameters<typeof primaryStep>[0]> = {}) {
  const options = { host, zone: undefined, nameserver, resolver: resolverOf({}), known: undefined };
  return told((links) => primaryStep({ ...options, ask: askOf(said), ...more }, links));
}

const AT = "nameserver 192.0.2.53:53";

Deno.test("what sftdyn has left and what the primary has are compared", async () => {
  const has = `${AT}: a.dyn.example has A 192.0.2.1, no AAAA`;
  for (const known of [{ a: "192.0.2.1", aaaa: "none" }, { a: null, aaaa: null }]) {
    assertEquals(await primary(GOOD, { known }), [`ok: ${has}; serial 7`]);
  }
  const other = (what: string) => [
    `error: ${has}, but sftdyn has left it with ${what}: who else changes it?`,
  ];
  assertEquals(await primary(GOOD, { known: { a: "none", aaaa: null } }), other("no A"));
  const aaaa = "2001:db8::1";
  assertEquals(await primary(GOOD, { known: { a: null, aaaa } }), other(`AAAA ${aaaa}`));
});

Deno.test("a primary that tells only who has the key is no broken link", async () => {
  const refused = { ...GOOD, "192.0.2.53 dyn.example SOA": { rcode: "REFUSED" } };
  assertEquals(await primary(refused), [
    `note: ${AT}: what it has is not known: without the key, it answers REFUSED for dyn.example`,
  ]);
});

Deno.test("what is wrong at a primary is told", async () => {
  const alias = { answers: [record(host, "CNAME", "b.example")] };
  assertEquals(await primary({ ...GOOD, "192.0.2.53 a.dyn.example A": alias }), [
    `error: ${AT}: a.dyn.example is an alias of b.example`,
  ]);
  assertEquals(await primary({}), [`error: ${AT}: it does not tell which zone ${host} is in`]);
  const unknown = { endpoint: { hostname: "ns.example", port: 53 }, keyFile: undefined };
  assertEquals(await primary(GOOD, { nameserver: unknown }), [
    "error: nameserver ns.example:53: it does not answer over TCP: its name has no address",
  ]);
});

Deno.test("a primary is reached by its name, or on this machine", async () => {
  const named = { endpoint: { hostname: "ns.example", port: 53 }, keyFile: undefined };
  const resolver = resolverOf({ addresses: { "ns.example": ["192.0.2.53"] } });
  assertEquals((await primary(GOOD, { nameserver: named, resolver }))[0]?.slice(0, 3), "ok:");
  const local = { endpoint: undefined, keyFile: undefined };
  const here = zoneAt("127.0.0.1", "dyn.example", 7, host, "192.0.2.1");
  assertEquals(await primary(here, { nameserver: local }), [
    "ok: the local nameserver: a.dyn.example has A 192.0.2.1, no AAAA; serial 7",
  ]);
});
