import { assertEquals } from "@std/assert";
import { delegationStep } from "../../lib/why/delegation_step.ts";
import { DnsError } from "../../lib/why/dns_client.ts";
import { askOf, record, resolverOf, type Said, told } from "./fake_dns.ts";

const nameservers = new Map([["ns1.dyn.example", ["192.0.2.1", "192.0.2.2"]]]);
const ABOVE = { addresses: { "ns.example": ["192.0.2.8"], "ns2.example": ["192.0.2.9"] } };
const KNOWN = { ...ABOVE, nameservers: { example: ["ns2.example", "ns.example"] } };
const referral = {
  isAuthoritative: false,
  authorities: [record("dyn.example", "NS", "ns1.dyn.example")],
  additionals: [record("ns1.dyn.example", "A", "192.0.2.1")],
};

function delegation(said: Said, known: Parameters<typeof resolverOf>[0] = KNOWN) {
  const options = { nameservers, ask: askOf(said), resolver: resolverOf(known) };
  return told((links) => delegationStep({ zone: "dyn.example", ...options }, links));
}

const AT = "delegation: zone example, as ns.example says it";

Deno.test("a part of a nameserver's addresses is enough for glue", async () => {
  const lines = await delegation({ "192.0.2.8 dyn.example NS": referral });
  assertEquals(lines, [`ok: ${AT}: ns1.dyn.example`]);
});

Deno.test("where one nameserver above does not answer, the next is asked", async () => {
  const by2 = { "192.0.2.9 dyn.example NS": referral };
  const ok = ["ok: delegation: zone example, as ns2.example says it: ns1.dyn.example"];
  assertEquals(await delegation(by2), ok);
  const late = { "192.0.2.8 dyn.example NS": new DnsError("no answer in 4 s") };
  assertEquals(await delegation({ ...by2, ...late }), ok);
});

Deno.test("what cannot be known of a delegation is no broken link", async () => {
  const note = "this nameserver has dyn.example itself, which hides the delegation";
  const answers = [record("dyn.example", "NS", "ns1.dyn.example")];
  assertEquals(await delegation({ "192.0.2.8 dyn.example NS": { answers } }), [
    `note: ${AT}: ${note}`,
  ]);
  assertEquals(await delegation({}, ABOVE), [
    "warning: delegation: not known: this machine's resolver (/etc/resolv.conf) does not answer, or knows no zone above",
  ]);
  assertEquals(await delegation({}), [
    "warning: delegation: zone example: not known: none of its nameservers answers over TCP",
  ]);
  const authorities = [record("example", "NS", "ns.example")];
  const elsewhere = { isAuthoritative: false, authorities };
  assertEquals(await delegation({ "192.0.2.8 dyn.example NS": elsewhere }), [
    `warning: ${AT}: not known: it sends those who ask to example`,
  ]);
});

Deno.test("the zone above may be the root", async () => {
  const known = { addresses: { "a.root": ["192.0.2.8"] }, nameservers: { "": ["a.root"] } };
  const nothing = { "192.0.2.8 dyn.example NS": { rcode: "NXDOMAIN" } };
  assertEquals(await delegation(nothing, known), [
    "error: delegation: zone ., as a.root says it: it has no NS records of dyn.example: " +
    "resolvers do not find the zone",
  ]);
});
