import { assert, assertEquals } from "@std/assert";
import { parseNetwork } from "../../lib/address.ts";
import { digest, keyId } from "../../lib/clients.ts";
import type { Result } from "../../lib/dns/updater.ts";
import { asker, basic } from "./ask.ts";

const PATHS = ["/nic/update", "/v3/update"];
const KEY = "SECRET-of-the-router";
const CLIENTS = {
  [KEY]: { hosts: ["a", "b", "c"], address: "request" },
  "SECRET-own": { hosts: ["own"] },
  "SECRET:with:colons": { hosts: ["colons"] },
  "SECRETüber": { hosts: ["utf8"] },
  "SECRET,comma": { hosts: ["comma"] },
  "SECRET-office": { hosts: ["office"], limits: { networks: [parseNetwork("192.0.2.0/24")!] } },
  "SECRET-ipv4": { hosts: ["four"], address: "request", limits: { family: 4 } },
} as const;

function ask(results: Record<string, Result> = {}) {
  const clients = Object.fromEntries(
    Object.entries(CLIENTS).map(([key, client]) => [key, { ...client, hosts: [...client.hosts] }]),
  );
  return asker({ clients, paths: PATHS, results });
}

Deno.test("dyndns2: a line for each host, in the order asked", async () => {
  const table: [query: string, answer: string, ...changes: string[]][] = [
    ["hostname=a.dyn.example&myip=192.0.2.1", "200 good 192.0.2.1", "a A 192.0.2.1"],
    ["hostname=a.dyn.example", "200 good 203.0.113.7", "a A 203.0.113.7"],
    [
      "hostname=a.dyn.example&myip=2001:db8::1,192.0.2.1",
      "200 good 192.0.2.1,2001:db8::1",
      "a A 192.0.2.1",
      "a AAAA 2001:db8::1",
    ],
    [
      "hostname=b.dyn.example,A.dyn.example.&myip=192.0.2.1",
      "200 good 192.0.2.1\ngood 192.0.2.1",
      "b A 192.0.2.1",
      "a A 192.0.2.1",
    ],
    [
      "hostname=x.dyn.example,a.dyn.example,nodots,,b.dyn.example&myip=192.0.2.1",
      "200 nohost\ngood 192.0.2.1\nnotfqdn\nnotfqdn\ngood 192.0.2.1",
      "a A 192.0.2.1",
      "b A 192.0.2.1",
    ],
    ["hostname=own.dyn.example&myip=192.0.2.1", "200 nohost"],
    ["hostname=x.dyn.example,y.dyn.example", "200 nohost\nnohost"],
    ["hostname=nodots", "200 notfqdn"],
    ["hostname=a..dyn.example", "200 notfqdn"],
    ["hostname=%ff", "200 notfqdn"],
    ["hostname=a.dyn.example%00", "200 notfqdn"],
    ["hostname=", "200 notfqdn"],
    ["hostname=<domain>", "200 notfqdn"],
    ["myip=192.0.2.1", "200 notfqdn"],
    ["", "200 notfqdn"],
    // Twice: both are meant, each once.
    [
      "hostname=a.dyn.example&hostname=b.dyn.example,a.dyn.example",
      "200 good 203.0.113.7\ngood 203.0.113.7",
      "a A 203.0.113.7",
      "b A 203.0.113.7",
    ],
    [
      "hostname=a.dyn.example,A.DYN.EXAMPLE",
      "200 good 203.0.113.7\ngood 203.0.113.7",
      "a A 203.0.113.7",
    ],
    [
      "hostname=a%2Edyn.example%2C+b.dyn.example",
      "200 good 203.0.113.7\ngood 203.0.113.7",
      "a A 203.0.113.7",
      "b A 203.0.113.7",
    ],
    ["hostname=a.dyn.example&myip=junk", "200 dnserr"],
    ["hostname=x.dyn.example,a.dyn.example&myip=192.0.2.0/24", "200 nohost\ndnserr"],
    ["hostname=a.dyn.example&offline=YES", "200 good", "a A none", "a AAAA none"],
    ["hostname=a.dyn.example&myip=preserve", "200 nochg"],
  ];
  const request = ask();
  for (const path of PATHS) {
    for (const [query, expected, ...expectedChanges] of table) {
      const target = `${path}?${query}`;
      const { answer, changes } = await request(target, basic("user", KEY));
      assertEquals([target, answer, changes], [target, expected, expectedChanges]);
    }
  }
});

Deno.test("dyndns2: at most 20 hosts", async () => {
  const names = (count: number) => Array.from({ length: count }, (_, i) => `h${i}.dyn.example`);
  const table: [hosts: string[], answer: string][] = [
    [names(20), `200 ${Array(20).fill("nohost").join("\n")}`],
    [names(21), "200 numhost"],
    [[...names(20), "a.dyn.example"], "200 numhost"],
    [names(1000), "200 numhost"],
  ];
  for (const [hosts, expected] of table) {
    const target = `/nic/update?hostname=${hosts.join(",")}&myip=192.0.2.1`;
    const { answer, changes } = await ask()(target, basic("user", KEY));
    assertEquals([hosts.length, answer, changes], [hosts.length, expected, []]);
  }
});

Deno.test("dyndns2: each outcome has its word and status", async () => {
  const table: [results: Record<string, Result>, answer: string, retryAfter?: string][] = [
    [{ a: "OK", b: "UPTODATE" }, "200 good 203.0.113.7\nnochg 203.0.113.7"],
    [{ a: "UPTODATE", b: "UPTODATE" }, "200 nochg 203.0.113.7\nnochg 203.0.113.7"],
    [{ a: "OK", b: "FAIL" }, "200 good 203.0.113.7\ndnserr"],
    [{ a: "BUSY", b: "UPTODATE" }, "200 dnserr\nnochg 203.0.113.7"],
    [{ a: "FAIL", b: "FAIL" }, "500 911\n911"],
    [{ a: "BUSY", b: "FAIL" }, "500 911\n911"],
    [{ a: "BUSY", b: "BUSY" }, "503 911\n911", "10"],
  ];
  for (const [results, expected, retryAfter = null] of table) {
    const target = "/nic/update?hostname=a.dyn.example,b.dyn.example";
    const { answer, headers } = await ask(results)(target, basic("user", KEY));
    assertEquals([answer, headers.get("retry-after")], [expected, retryAfter]);
  }
});

Deno.test("dyndns2: who may not name an address gets the one of the connection", async () => {
  for (const more of ["", "&myip=192.0.2.1", "&myip=junk", "&offline=YES", "&myip=preserve"]) {
    const target = `/nic/update?hostname=own.dyn.example${more}`;
    const { answer, changes } = await ask()(target, basic("user", "SECRET-own"));
    assertEquals([target, answer, changes], [target, "200 good 203.0.113.7", [
      "own A 203.0.113.7",
    ]]);
  }
});

Deno.test("dyndns2: offline withdraws what the client may set alone", async () => {
  const target = "/nic/update?hostname=four.dyn.example&offline=YES";
  const { answer, changes } = await ask()(target, basic("", "SECRET-ipv4"));
  assertEquals([answer, changes], ["200 good", ["four A none"]]);
});

Deno.test("dyndns2: the password is the key, the user name is anything", async () => {
  const good: [user: string, key: string, host: string][] = [
    ["user", "SECRET-own", "own"],
    ["", "SECRET-own", "own"],
    ["ü", "SECRET-own", "own"],
    ["user", "SECRET:with:colons", "colons"],
    ["user", "SECRETüber", "utf8"],
    ["user", "SECRET%2Ccomma", "comma"],
  ];
  for (const [user, key, host] of good) {
    const { answer } = await ask()(`/nic/update?hostname=${host}.dyn.example`, basic(user, key));
    assertEquals([key, answer], [key, "200 good 203.0.113.7"]);
  }
  const { authorization } = basic("user", "SECRET-own");
  for (
    const header of [authorization!.replace("Basic", "bASIC"), authorization!.replace(" ", "   ")]
  ) {
    const { answer } = await ask()("/nic/update?hostname=own.dyn.example", {
      authorization: header,
    });
    assertEquals([header, answer], [header, "200 good 203.0.113.7"]);
  }
});

Deno.test("dyndns2: any other password is badauth, and an unknown key in the log", async () => {
  const base64 = (...octets: number[]) => new Uint8Array(octets).toBase64();
  const headers = [
    basic("user", "SECRET").authorization!,
    basic("SECRET-own", "").authorization!,
    basic("user", "SECRET-own ").authorization!,
    basic("user", "SECRET-office").authorization!,
    "",
    "Basic",
    "Basic ",
    "Basic SECRET-own",
    `Basic ${btoa("SECRET-own")}`,
    "Basic !!!!",
    "Basic A",
    `Basic ${base64(0x75, 0x3a, 0xff, 0xfe)}`,
    `Bearer SECRET-own`,
    `Digest username="SECRET"`,
    `${basic("user", "SECRET-own").authorization}, ${basic("user", "SECRET-own").authorization}`,
    basic("user", "SECRET".repeat(2500)).authorization!,
  ];
  for (const authorization of headers) {
    for (const host of ["own", "office", "x"]) {
      const found = await ask()(`/nic/update?hostname=${host}.dyn.example`, { authorization });
      assertEquals([authorization, found.answer], [authorization, "401 badauth"]);
      assertEquals(found.headers.get("www-authenticate"), 'Basic realm="sftdyn"');
      assertEquals(found.lines, ["warning: unknown key from 203.0.113.7"]);
      assertEquals(found.changes, []);
    }
  }
});

Deno.test("dyndns2: a request without a password is badauth, and nothing to ban anybody for", async () => {
  const { answer, headers, lines } = await ask()("/nic/update?hostname=a.dyn.example");
  assertEquals([answer, lines], ["401 badauth", []]);
  assertEquals(headers.get("www-authenticate"), 'Basic realm="sftdyn"');
});

Deno.test("dyndns2: what is refused is in the log without the key", async () => {
  const table: [query: string, from: string, answer: string, problem: string][] = [
    ["&myip=SECRET", "203.0.113.7", "200 dnserr", "what the request names is no address"],
    ["", "fe80::1", "200 dnserr", "address fe80::1 refused (link-local)"],
  ];
  for (const [query, from, expected, problem] of table) {
    const target = `/nic/update?hostname=a.dyn.example${query}`;
    const { answer, lines, changes } = await ask()(target, basic("user", KEY), from);
    assertEquals([answer, changes], [expected, []]);
    assertEquals(lines, [`warning: key ${keyId(digest(KEY))}: ${problem}`]);
  }
  const proxied = asker({
    clients: { [KEY]: { hosts: ["a"] } },
    paths: PATHS,
    trusted: ["127.0.0.1"],
  });
  const target = "/nic/update?hostname=a.dyn.example";
  const { answer, lines } = await proxied(target, basic("user", KEY), "127.0.0.1");
  assertEquals(answer, "500 911");
  assertEquals(lines.length, 1);
  assert(lines[0]!.includes("did not say, in X-Forwarded-For"), lines[0]);
});

Deno.test("dyndns2: it is spoken at its paths alone, with GET alone, and behind the keys", async () => {
  const query = "hostname=own.dyn.example";
  const header = basic("user", "SECRET-own");
  const table: [target: string, answer: string][] = [
    [`/nic/update?${query}`, "200 good 203.0.113.7"],
    [`//nic/update?${query}`, "200 good 203.0.113.7"],
    [`http://dyn.example/nic/update?${query}`, "200 good 203.0.113.7"],
    ["/nic/update", "200 notfqdn"],
    [`/nic/update/?${query}`, "403 BADKEY"],
    [`/NIC/update?${query}`, "403 BADKEY"],
    [`/nic/updates?${query}`, "403 BADKEY"],
    [`/nic/update&${query}`, "403 BADKEY"],
    [`/?${query}`, "403 BADKEY"],
  ];
  for (const [target, expected] of table) {
    const { answer } = await ask()(target, header);
    assertEquals([target, answer], [target, expected]);
    for (const method of ["HEAD", "POST"]) {
      const { answer, changes } = await ask()(target, header, undefined, method);
      assertEquals([target, answer.slice(0, 3), changes], [target, "405", []]);
    }
  }
  const hosts = { hosts: ["a"], address: "request" } as const;
  const keys = asker({
    clients: { "nic/update": { ...hosts, hosts: ["a"] }, "v3/update?x=y": { hosts: ["b"] } },
    paths: PATHS,
  });
  assertEquals((await keys("/nic/update")).answer, "200 OK");
  assertEquals((await keys("/nic/update?myip=192.0.2.1")).changes, ["a A 192.0.2.1"]);
  assertEquals((await keys("/v3/update?x=y")).answer, "200 OK");
  assertEquals((await keys("/v3/update?x=z")).answer, "401 badauth");
  const off = asker({ clients: { "SECRET-own": { hosts: ["own"] } } });
  assertEquals((await off(`/nic/update?${query}`, header)).answer, "403 BADKEY");
  const other = asker({ clients: { "SECRET-own": { hosts: ["own"] } }, paths: ["/dyn/up"] });
  assertEquals((await other(`/dyn/up?${query}`, header)).answer, "200 good 203.0.113.7");
  assertEquals((await other(`/nic/update?${query}`, header)).answer, "403 BADKEY");
});
