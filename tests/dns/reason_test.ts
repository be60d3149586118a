import { assertEquals, assertMatch } from "@std/assert";
import { noZoneReason, refusalReason } from "../../lib/dns/reason.ts";

Deno.test("refusalReason() says what an rcode means, and where to look", () => {
  const table: [string, RegExp][] = [
    [
      "REFUSED",
      /^REFUSED: see named's log; .*update-policy must grant this key, and the zone must not be frozen /,
    ],
    ["SERVFAIL", /^SERVFAIL: see the nameserver's log; the zone is not loaded/],
    ["NOTAUTH", /^NOTAUTH: it is not authoritative for this name$/],
    ["NOTZONE", /^NOTZONE: this name is in another zone there$/],
    ["NOTIMP", /^NOTIMP: it takes no updates for this zone$/],
    ["FORMERR", /^FORMERR: it does not understand the update$/],
    ["YXRRSET", /^this name is an alias \(CNAME\) there/],
    ["RESERVED11", /^the nameserver says RESERVED11$/],
  ];
  for (const [rcode, reason] of table) assertMatch(refusalReason(rcode, true), reason);
});

Deno.test("refusalReason() does not take an unsigned rcode at its word", () => {
  for (const rcode of ["REFUSED", "NOTAUTH", "YXRRSET"]) {
    assertEquals(
      refusalReason(rcode, false),
      `${rcode}, unsigned: the server does not accept this key or this change`,
    );
  }
});

Deno.test("noZoneReason() says why a name's zone was not found", () => {
  assertMatch(noZoneReason("REFUSED"), /^REFUSED: it is not authoritative .*\(allow-query\)$/);
  assertEquals(noZoneReason("SERVFAIL"), refusalReason("SERVFAIL", true));
});
