import { assert, assertEquals, assertMatch } from "@std/assert";
import { parseNetwork } from "../../lib/address.ts";
import { Clients, digest, keyId } from "../../lib/clients.ts";
import type { Change } from "../../lib/change.ts";
import { createHandler } from "../../lib/http/handler.ts";
import { parseHostname } from "../../lib/hostname.ts";
import { createLog } from "../../lib/log.ts";
import type { Result } from "../../lib/dns/updater.ts";
import type { ProxyHeader } from "../../lib/proxy_header.ts";
import { within } from "../support.ts";

const KEY = "4bea92410b3146d0cfe";
const CLIENTS: Record<string, string[]> = {
  [KEY]: ["a.dyn.example"],
  "?hostname=h&password=p": ["query.dyn.example"],
  "a,b": ["comma.dyn.example"],
  "two": ["a.dyn.example", "b.dyn.example"],
  "three": ["a.dyn.example", "b.dyn.example", "c.dyn.example"],
};

interface Setup {
  trusted?: string[];
  proxyHeader?: ProxyHeader;
  /** The updater's result for a host, by its first letter; OK for the others. */
  results?: Record<string, Result>;
  /** Until when the updater makes a promise of the results. */
  until?: Promise<void>;
}

interface Ask {
  from?: string;
  method?: string;
  headers?: Record<string, string>;
}

function changeText({ name, ttl, type, address }: Change): string {
  return `${name} ${ttl} ${type} ${address?.text}`;
}

/** A handler, what it told the updater, and what it logged. */
function setup(
  { trusted = [], proxyHeader = "X-Forwarded-For", results = {}, until }: Setup = {},
) {
  const clients = new Clients();
  for (const [key, names] of Object.entries(CLIENTS)) {
    const hosts = names.map((name, i) => ({ name: parseHostname(name), ttl: 30 + i }));
    clients.add(digest(key), { hosts });
  }
  const updates: string[] = [];
  const lines: string[] = [];
  const handler = createHandler({
    clients,
    updater: {
      set: (changes) => {
        updates.push(changes.map(changeText).join(", "));
        const found = changes.map(({ name }) => results[name[0]!] ?? "OK");
        return until === undefined ? found : until.then(() => found);
      },
    },
    log: createLog({
      level: "debug",
      write: (line) => lines.push(line.slice("2026-11-05T06:07:08.009Z ".length)),
    }),
    trustedProxies: trusted.map((text) => parseNetwork(text)!),
    proxyHeader,
  });
  const ask = async (
    target: string,
    { from = "203.0.113.7", method = "GET", headers = {} }: Ask = {},
  ) => {
    const request = { method, target, headers: new Headers(headers) };
    const { status, body, headers: fields } = await handler(request, from);
    return { status, body: body ?? "", headers: new Headers(fields) };
  };
  /** Status and body in one string. */
  const answer = async (target: string, options?: Ask) => {
    const { status, body } = await ask(target, options);
    return `${status} ${body}`;
  };
  return { ask, answer, updates, lines };
}

Deno.test("every outcome has its status and body", async () => {
  const table: [Result, string, string | null][] = [
    ["OK", "200 OK", null],
    ["UPTODATE", "200 UPTODATE", null],
    ["FAIL", "500 FAIL", null],
    ["BUSY", "503 FAIL", "10"],
  ];
  for (const [result, answer, retryAfter] of table) {
    for (const later of [{}, { until: Promise.resolve() }]) {
      const { ask, updates } = setup({ results: { a: result }, ...later });
      const { status, body, headers } = await ask(`/${KEY}`);
      assertEquals([`${status} ${body}`, headers.get("retry-after")], [answer, retryAfter]);
      assertEquals(updates, ["a.dyn.example 30 A 203.0.113.7"]);
    }
  }
});

Deno.test("an answer is no promise where the results are none", () => {
  const clients = new Clients();
  clients.add(digest("k"), { hosts: [{ name: parseHostname("a.dyn.example"), ttl: 30 }] });
  const handler = createHandler({
    clients,
    updater: { set: () => ["UPTODATE"] },
    log: createLog({ write: () => {} }),
    trustedProxies: [],
    proxyHeader: "X-Forwarded-For",
  });
  for (const target of ["k", "wrong", ""]) {
    const request = { method: "GET", target: `/${target}`, headers: new Headers() };
    const answer = handler(request, "203.0.113.7");
    assert(!(answer instanceof Promise), target);
  }
});

Deno.test("a key is found with its query, without its slashes, and percent-decoded", async () => {
  const table: [string, string][] = [
    [`/${KEY}`, "a.dyn.example"],
    [`///${KEY}`, "a.dyn.example"],
    ["/?hostname=h&password=p", "query.dyn.example"],
    ["/%3Fhostname=h%26password%3dp", "query.dyn.example"],
    ["/a,b", "comma.dyn.example"],
    ["/a%2Cb", "comma.dyn.example"],
    [`/${KEY}?`, "a.dyn.example"],
    ["/a%2Cb?", "comma.dyn.example"],
  ];
  for (const [target, host] of table) {
    const { answer, updates } = setup();
    assertEquals([target, await answer(target)], [target, "200 OK"]);
    assertEquals(updates, [`${host} 30 A 203.0.113.7`]);
  }
});

Deno.test("an unknown key is BADKEY and changes nothing", async () => {
  const { answer, updates } = setup();
  const targets = [`/${KEY}x`, `/${KEY}/`, `/${KEY}??`, `/x/../${KEY}`, "/%", "/a%252Cb"];
  for (const target of targets) {
    assertEquals([target, await answer(target)], [target, "403 BADKEY"]);
  }
  assertEquals(updates, []);
});

Deno.test("without a key the answer is the address of the client", async () => {
  const table: [string, string][] = [
    ["203.0.113.7", "203.0.113.7"],
    ["2001:DB8:0:0::1", "2001:db8::1"],
    ["::ffff:203.0.113.7", "203.0.113.7"],
    ["127.0.0.1", "127.0.0.1"],
    ["fe80::1", "fe80::1"],
  ];
  for (const [from, text] of table) {
    const { answer, updates } = setup();
    for (const target of ["/", "/?", "//", "//?"]) {
      assertEquals(await answer(target, { from }), `200 ${text}`);
    }
    assertEquals(updates, []);
  }
});

Deno.test("any method but GET is 405 and changes nothing", async () => {
  const { ask, updates, lines } = setup();
  for (const method of ["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get", "PURGE"]) {
    for (const target of [`/${KEY}`, "/", "/unknown"]) {
      const { status, body, headers } = await ask(target, { method });
      assertEquals([method, status, body, headers.get("allow")], [method, 405, "", "GET"]);
    }
  }
  assertEquals([updates, lines], [[], []]);
});

Deno.test("an address of either family is passed on in canonical form, with its type", async () => {
  const table: [from: string, type: string, address: string][] = [
    ["203.0.113.7", "A", "203.0.113.7"],
    ["::ffff:203.0.113.7", "A", "203.0.113.7"],
    ["::ffff:cb00:7107", "A", "203.0.113.7"],
    ["2001:DB8::0:1", "AAAA", "2001:db8::1"],
    ["127.0.0.1", "A", "127.0.0.1"],
    ["::1", "AAAA", "::1"],
    ["192.168.1.2", "A", "192.168.1.2"],
    ["fd00::2", "AAAA", "fd00::2"],
  ];
  for (const [from, type, text] of table) {
    const { answer, updates } = setup();
    assertEquals([from, await answer(`/${KEY}`, { from })], [from, "200 OK"]);
    assertEquals(updates, [`a.dyn.example 30 ${type} ${text}`]);
  }
});

Deno.test("an address that is of no use to others is FAIL, and the log says why", async () => {
  const table: [string, string][] = [
    ["0.0.0.0", "address 0.0.0.0 refused (unspecified)"],
    ["::", "address :: refused (unspecified)"],
    ["169.254.1.2", "address 169.254.1.2 refused (link-local)"],
    ["::ffff:169.254.1.2", "address 169.254.1.2 refused (link-local)"],
    ["fe80::1", "address fe80::1 refused (link-local)"],
    ["224.0.0.1", "address 224.0.0.1 refused (multicast)"],
    ["ff02::1", "address ff02::1 refused (multicast)"],
    ["255.255.255.255", "address 255.255.255.255 refused (broadcast)"],
    ["2001:db8::1%eth0", "address 2001:db8::1 refused (with a zone id)"],
  ];
  for (const [from, reason] of table) {
    const { answer, updates, lines } = setup();
    assertEquals([from, await answer(`/${KEY}`, { from })], [from, "500 FAIL"]);
    assertEquals(lines, [`warning: key ${keyId(digest(KEY))}: ${reason}\n`]);
    assertEquals(updates, []);
  }
});

Deno.test("of several hosts' results the worst is the answer", async () => {
  const table: [Result, Result, Result, string][] = [
    ["UPTODATE", "UPTODATE", "UPTODATE", "200 UPTODATE"],
    ["UPTODATE", "OK", "UPTODATE", "200 OK"],
    ["OK", "OK", "OK", "200 OK"],
    ["OK", "UPTODATE", "BUSY", "503 FAIL"],
    ["BUSY", "BUSY", "BUSY", "503 FAIL"],
    ["FAIL", "OK", "UPTODATE", "500 FAIL"],
    ["UPTODATE", "BUSY", "FAIL", "500 FAIL"],
  ];
  for (const [a, b, c, expected] of table) {
    for (const later of [{}, { until: Promise.resolve() }]) {
      const { answer, updates } = setup({ results: { a, b, c }, ...later });
      assertEquals([a, b, c, await answer("/three")], [a, b, c, expected]);
      assertEquals(updates, [
        "a.dyn.example 30 A 203.0.113.7, b.dyn.example 31 A 203.0.113.7, c.dyn.example 32 A 203.0.113.7",
      ]);
    }
  }
});

Deno.test("the answer waits for the results", async () => {
  const done = Promise.withResolvers<void>();
  const { answer } = setup({ results: { b: "FAIL" }, until: done.promise });
  let isAnswered = false;
  const answering = answer("/two").finally(() => isAnswered = true);
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals(isAnswered, false);
  done.resolve();
  assertEquals(await answering, "500 FAIL");
});

Deno.test("a trusted proxy's header tells the address, of updates and of answers without a key", async () => {
  const options = { from: "::ffff:10.1.2.3", headers: { "x-forwarded-for": "2001:DB8::7" } };
  const { answer, updates } = setup({ trusted: ["10.0.0.0/8"] });
  assertEquals(await answer("/", options), "200 2001:db8::7");
  assertEquals(await answer(`/${KEY}`, options), "200 OK");
  assertEquals(updates, ["a.dyn.example 30 AAAA 2001:db8::7"]);
});

Deno.test("a request without an address is FAIL, with a wrong key BADKEY, and changes nothing", async () => {
  const silent = "the proxy 127.0.0.1 did not say, in X-Forwarded-For, whom it asks for";
  const wrong = "the proxy 127.0.0.1 sent something else than an address in X-Forwarded-For";
  const table: [string, Record<string, string>, string, string][] = [
    ["127.0.0.1", {}, "a client behind 127.0.0.1", silent],
    ["127.0.0.1", { "x-real-ip": "203.0.113.7" }, "a client behind 127.0.0.1", silent],
    ["127.0.0.1", { "x-forwarded-for": "SECRET" }, "a client behind 127.0.0.1", wrong],
    [
      "",
      {},
      "a client behind an unknown address",
      "the other end of its connection has no IP address",
    ],
  ];
  for (const [from, headers, who, problem] of table) {
    const { answer, updates, lines } = setup({ trusted: ["127.0.0.1"] });
    assertEquals(await answer(`/${KEY}`, { from, headers }), "500 FAIL");
    assertEquals(await answer("/", { from, headers }), "500 FAIL");
    assertEquals(await answer("/wrong", { from, headers }), "403 BADKEY");
    const refused = `warning: ${problem}\n`;
    assertEquals(lines, [refused, refused, `warning: unknown key from ${who}\n`]);
    assertEquals(updates, []);
  }
});

Deno.test("no key, right or wrong, comes into the log", async () => {
  const { ask, lines } = setup({ trusted: ["127.0.0.1"], results: { a: "FAIL" } });
  const secrets = [KEY, "SECRET", "S%45CRET", "?hostname=h&password=SECRET"];
  for (const secret of secrets) {
    await ask(`/${secret}`, { from: "fe80::1" });
    await ask(`/${secret}`, { from: "127.0.0.1", headers: { "x-forwarded-for": secret } });
    await ask(`/${secret}`, { method: "POST" });
  }
  assert(lines.length > 0);
  for (const line of lines) {
    assert(!/SECRET|S%45CRET|password/.test(line) && !line.includes(KEY), line);
  }
});

Deno.test("a flood of wrong keys is a few lines and their count", async () => {
  const counted = Promise.withResolvers<string>();
  const clients = new Clients();
  const lines: string[] = [];
  const write = (line: string) => {
    lines.push(line);
    if (line.includes("more")) counted.resolve(line);
  };
  const handler = createHandler({
    clients,
    updater: { set: () => ["OK"] },
    log: createLog({ write }),
    trustedProxies: [],
    proxyHeader: "X-Forwarded-For",
  });
  const request = { method: "GET", target: "/wrong", headers: new Headers() };
  for (let i = 0; i < 1000; i++) {
    await handler(request, "203.0.113.7");
  }
  const line = await within(counted.promise, "the count");
  assertMatch(line, /warning: \d+ more requests were refused just now\n$/);
  assert(lines.length < 100, `${lines.length} lines`);
});

Deno.test("an address in the header that is of no use to others is FAIL", async () => {
  for (const address of ["fe80::1%eth0", "[fe80::1%eth0]:4711", "0.0.0.0", "2001:db8::1%1"]) {
    const { answer, updates } = setup({ trusted: ["127.0.0.1"], proxyHeader: "X-Real-IP" });
    const options = { from: "127.0.0.1", headers: { "x-real-ip": address } };
    assertEquals([address, await answer(`/${KEY}`, options)], [address, "500 FAIL"]);
    assertEquals(updates, []);
  }
});
