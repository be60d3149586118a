import { assertEquals } from "@std/assert";
import { parseHostname } from "../../lib/hostname.ts";
import { nameserversStep } from "../../lib/why/nameservers_step.ts";
import { DnsError } from "../../lib/why/dns_client.ts";
import { askOf, resolverOf, told, zoneAt } from "./fake_dns.ts";

const host = parseHostname("a.dyn.example");
const zone = "dyn.example";

Deno.test("without a primary, nameservers are measured by the newest zone", async () => {
  const ask = askOf({
    ...zoneAt("192.0.2.1", zone, 4, host, "198.51.100.1"),
    ...zoneAt("192.0.2.2", zone, 5, host, "198.51.100.2"),
    "192.0.2.3 dyn.example SOA": new DnsError("no answer in 4 s"),
  });
  const addresses = {
    "ns1.example": ["192.0.2.1"],
    "ns2.example": ["192.0.2.2"],
    "ns3.example": ["192.0.2.3"],
  };
  const names = [...Object.keys(addresses), "ns4.example", "ns1.example"];
  const resolver = resolverOf({ addresses, nameservers: { [zone]: names } });
  const lines = await told((links) =>
    nameserversStep({ host, zone, primary: undefined, ask, resolver }, links)
  );
  assertEquals(lines, [
    "error: nameserver ns1.example (192.0.2.1): A 198.51.100.1, no AAAA, instead of A 198.51.100.2, " +
    "no AAAA: its serial 4 is older than 5: see its log for the transfer",
    "ok: nameserver ns2.example (192.0.2.2): A 198.51.100.2, no AAAA; serial 5",
    "error: nameserver ns3.example (192.0.2.3): it does not answer over TCP: no answer in 4 s",
    "error: nameserver ns4.example: its name has no address",
  ]);
});

Deno.test("a zone whose nameservers nobody knows is told", async () => {
  const options = { host, zone, primary: undefined, ask: askOf({}), resolver: resolverOf({}) };
  assertEquals(await told((links) => nameserversStep(options, links)), [
    "error: zone dyn.example: no nameserver of it is known",
  ]);
});

Deno.test("a zone's many nameservers are not all asked", async () => {
  const names = Array.from({ length: 100 }, (_, i) => `ns${i}.example`);
  const many = Array.from({ length: 100 }, (_, i) => `192.0.2.${i}`);
  const addresses = Object.fromEntries(names.map((name) => [name, many]));
  const resolver = resolverOf({ addresses, nameservers: { [zone]: names } });
  const lines = await told((links) =>
    nameserversStep({ host, zone, primary: undefined, ask: askOf({}), resolver }, links)
  );
  assertEquals(lines.length, 13 * 6);
});
