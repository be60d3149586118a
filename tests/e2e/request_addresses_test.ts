/** Addresses that requests name, with a BIND and curl. */

import { assertEquals, assertMatch } from "@std/assert";
import type { Named } from "../../tools/named.ts";
import { withServed } from "./served.ts";
import { curl } from "./sftdyn.ts";

const KEY = "qqqsecret-of-the-router";
const OWN = "qqqsecret-own";
const CLIENTS = `[clients]
"${KEY}" = { host = "home.dyn.example", address = "request" }
"?u=home&p=${KEY}" = { host = ["a.dyn.example", "b.dyn.example"], address = "request" }
"${OWN}" = "own.dyn.example"
`;

async function records(named: Named, name: string): Promise<string[]> {
  return [...await named.dig(name, "A"), ...await named.dig(name, "AAAA")];
}

const serial = async (named: Named) =>
  Number((await named.dig("dyn.example", "SOA"))[0]!.split(" ")[2]);

Deno.test("a request names the addresses of its hosts, and what it does not name stays", async () => {
  await withServed(CLIENTS, async ({ named, program, folder, http, https }) => {
    const host = "home.dyn.example";
    const trust = ["--cacert", `${folder}/cert.pem`];
    const ways = [
      (query: string) => curl(`http://127.0.0.1:${http}/${KEY}?${query}`),
      (query: string) => curl(`http://[::1]:${http}/${KEY}?${query}`),
      (query: string) => curl(...trust, `https://127.0.0.1:${https}/${KEY}?${query}`),
    ];
    const table: [query: string, answer: string, ...records: string[]][] = [
      ["myip=192.0.2.1&myipv6=2001:db8::1", "200 OK", "192.0.2.1", "2001:db8::1"],
      ["myip=192.0.2.1&myipv6=2001:DB8:0::1", "200 UPTODATE", "192.0.2.1", "2001:db8::1"],
      ["myip=2001:db8::2,192.0.2.2", "200 OK", "192.0.2.2", "2001:db8::2"],
      ["ip=192.0.2.3&ip6addr=<ip6addr>", "200 OK", "192.0.2.3", "2001:db8::2"],
      ["myip=&ip6=2001:db8::3", "200 OK", "192.0.2.3", "2001:db8::3"],
      ["myip=preserve&ip6=2001:db8::4", "200 OK", "192.0.2.3", "2001:db8::4"],
      ["myip=preserve&myipv6=preserve", "200 UPTODATE", "192.0.2.3", "2001:db8::4"],
      ["myip=192.0.2.4,192.0.2.5", "400 BADIP", "192.0.2.3", "2001:db8::4"],
      ["myip=192.0.2.4&myipv6=2001:db8::/64", "400 BADIP", "192.0.2.3", "2001:db8::4"],
      ["myip=192.0.2.4&myipv6=fe80::1", "400 BADIP", "192.0.2.3", "2001:db8::4"],
      [`myip=${KEY}`, "400 BADIP", "192.0.2.3", "2001:db8::4"],
      ["offline=YES", "200 OK"],
      ["offline=YES", "200 UPTODATE"],
    ];
    for (const ask of ways) {
      for (const [query, answer, ...expected] of table) {
        assertEquals([query, await ask(query)], [query, answer]);
        assertEquals([query, await records(named, host)], [query, expected]);
      }
    }
    await program.logged(/info: home\.dyn\.example A 192\.0\.2\.3 -> none\n/);
    await program.logged(/warning: key [0-9a-f]{8}: what the request names is no address\n/);
    await program.logged(/warning: key [0-9a-f]{8}: address fe80::1 refused \(link-local\)\n/);
    // Without any: the connection's.
    for (const target of [KEY, `${KEY}?`, `${KEY}?myip=`, `${KEY}?ip6lanprefix=2001:db8::/64`]) {
      assertMatch(await curl(`http://127.0.0.1:${http}/${target}`), /^200 (OK|UPTODATE)$/);
      assertEquals(await records(named, host), ["127.0.0.1"]);
    }
    assertEquals(await curl(`http://[::1]:${http}/${KEY}`), "200 OK");
    assertEquals(await records(named, host), ["127.0.0.1", "::1"]);
  });
});

Deno.test("a key that may name nothing, or has a query of its own, is looked up whole", async () => {
  await withServed(CLIENTS, async ({ named, program, http }) => {
    const url = `http://127.0.0.1:${http}`;
    assertEquals(await curl(`${url}/${OWN}?myip=192.0.2.1`), "403 BADKEY");
    assertEquals(await curl(`${url}/${KEY}x?myip=192.0.2.1`), "403 BADKEY");
    assertEquals(await records(named, "own.dyn.example"), []);
    await program.logged(/warning: unknown key from 127\.0\.0\.1\n/);
    assertEquals(await curl(`${url}/${OWN}`), "200 OK");
    assertEquals(await records(named, "own.dyn.example"), ["127.0.0.1"]);
    const query = `${url}/?u=home&p=${KEY}`;
    assertEquals(await curl(query), "200 OK");
    for (const host of ["a", "b"]) {
      assertEquals(await records(named, `${host}.dyn.example`), ["127.0.0.1"]);
    }
    assertEquals(await curl(`${query}?myip=192.0.2.1,2001:db8::1`), "200 OK");
    for (const host of ["a", "b"]) {
      const expected = ["192.0.2.1", "2001:db8::1"];
      assertEquals(await records(named, `${host}.dyn.example`), expected);
    }
    assertEquals(await curl(`${query}?offline=YES`), "200 OK");
    for (const host of ["a", "b"]) assertEquals(await records(named, `${host}.dyn.example`), []);
  });
});

for (const zones of ["", '[zones."dyn.example"]\n']) {
  const how = zones === "" ? "that must be found" : "of the configuration";
  Deno.test(`both families go in one UPDATE, in a zone ${how}`, async () => {
    await withServed(zones + CLIENTS, async ({ named, program, http }) => {
      const update = (query: string) => curl(`http://127.0.0.1:${http}/${KEY}?${query}`);
      let before = await serial(named);
      const queries = [
        "myip=192.0.2.1,2001:db8::1",
        "myip=192.0.2.2,2001:db8::2",
        "myip=192.0.2.3,2001:db8::3",
        "offline=YES",
      ];
      for (const query of queries) {
        assertEquals([query, await update(query)], [query, "200 OK"]);
        const after = await serial(named);
        assertEquals([query, after - before], [query, 1], program.log());
        before = after;
      }
    });
  });
}
