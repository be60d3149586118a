import { assert, assertEquals, assertMatch } from "@std/assert";
import { parseAddress, parseNetwork } from "../../lib/address.ts";
import { Clients, digest, keyId } from "../../lib/clients.ts";
import type { ProxyHeader } from "../../lib/config/config.ts";
import { clientAddress, createHandler, keyOf } from "../../lib/http/handler.ts";
import { parseHostname } from "../../lib/hostname.ts";
import { createLog } from "../../lib/log.ts";
import type { Result } from "../../lib/dns/updater.ts";
import { belowFrom } from "../support.ts";

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
  /** What the updater says of a host, by its first letter; OK for the others. */
  results?: Record<string, Result | Promise<Result>>;
}

interface Ask {
  from?: string;
  method?: string;
  headers?: Record<string, string>;
}

/** A handler, what it told the updater, and what it logged. */
function setup(
  { trusted = [], proxyHeader = "X-Forwarded-For", results = {} }: Setup = {},
) {
  const clients = new Clients();
  for (const [key, names] of Object.entries(CLIENTS)) {
    clients.add(digest(key), names.map((name) => ({ name: parseHostname(name), ttl: 30 })));
  }
  const updates: string[] = [];
  const lines: string[] = [];
  const handler = createHandler({
    clients,
    updater: {
      set: ({ name }, address) => {
        updates.push(`${name} ${address.text}`);
        return results[name[0]!] ?? "OK";
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
    // Not a real Request, which would rewrite the URL.
    const request = {
      method,
      url: `http://dyn.example${target}`,
      headers: new Headers({ host: "dyn.example", ...headers }),
    } as Request;
    const response = await handler(request, { remoteAddr: { hostname: from } });
    assertEquals(response.headers.get("cache-control"), "no-store");
    const type = response.headers.get("content-type");
    assertEquals(type?.startsWith("text/plain"), response.body === null ? undefined : true);
    return { status: response.status, body: await response.text(), headers: response.headers };
  };
  /** Status and body in one text. */
  const answer = async (target: string, options?: Ask) => {
    const { status, body } = await ask(target, options);
    return `${status} ${body}`;
  };
  return { ask, answer, updates, lines };
}

Deno.test("every outcome has its status and body", async () => {
  const table: [Result | Promise<Result>, string, string | null][] = [
    ["OK", "200 OK", null],
    ["UPTODATE", "200 UPTODATE", null],
    ["FAIL", "500 FAIL", null],
    ["BUSY", "503 FAIL", "10"],
    [Promise.resolve("OK"), "200 OK", null],
    [Promise.resolve("BUSY"), "503 FAIL", "10"],
  ];
  for (const [result, answer, retryAfter] of table) {
    const { ask, updates } = setup({ results: { a: result } });
    const { status, body, headers } = await ask(`/${KEY}`);
    assertEquals([`${status} ${body}`, headers.get("retry-after")], [answer, retryAfter]);
    assertEquals(updates, ["a.dyn.example 203.0.113.7"]);
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
  ];
  for (const [target, host] of table) {
    const { answer, updates } = setup();
    assertEquals([target, await answer(target)], [target, "200 OK"]);
    assertEquals(updates, [`${host} 203.0.113.7`]);
  }
});

Deno.test("an unknown key is BADKEY and changes nothing", async () => {
  const { answer, updates } = setup();
  const targets = [`/${KEY}x`, `/${KEY}/`, `/${KEY}?`, `/x/../${KEY}`, "/%", "/a%252Cb"];
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

Deno.test("an address of either family is handed on in canonical form", async () => {
  const table: [string, string][] = [
    ["203.0.113.7", "203.0.113.7"],
    ["::ffff:203.0.113.7", "203.0.113.7"],
    ["::ffff:cb00:7107", "203.0.113.7"],
    ["2001:DB8::0:1", "2001:db8::1"],
    ["127.0.0.1", "127.0.0.1"],
    ["::1", "::1"],
    ["192.168.1.2", "192.168.1.2"],
    ["fd00::2", "fd00::2"],
  ];
  for (const [from, text] of table) {
    const { answer, updates } = setup();
    assertEquals([from, await answer(`/${KEY}`, { from })], [from, "200 OK"]);
    assertEquals(updates, [`a.dyn.example ${text}`]);
  }
});

Deno.test("an address that is of no use to others is FAIL, and the log says why", async () => {
  const table: [string, string][] = [
    ["0.0.0.0", "the address 0.0.0.0 is refused: it is unspecified"],
    ["::", "the address :: is refused: it is unspecified"],
    ["169.254.1.2", "the address 169.254.1.2 is refused: it is link-local"],
    ["::ffff:169.254.1.2", "the address 169.254.1.2 is refused: it is link-local"],
    ["fe80::1", "the address fe80::1 is refused: it is link-local"],
    ["224.0.0.1", "the address 224.0.0.1 is refused: it is multicast"],
    ["ff02::1", "the address ff02::1 is refused: it is multicast"],
    ["255.255.255.255", "the address 255.255.255.255 is refused: it is broadcast"],
    ["2001:db8::1%eth0", "the address 2001:db8::1 is refused: it is with a zone id"],
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
    const { answer, updates } = setup({ results: { a, b: Promise.resolve(b), c } });
    assertEquals([a, b, c, await answer("/three")], [a, b, c, expected]);
    assertEquals(updates, ["a", "b", "c"].map((host) => `${host}.dyn.example 203.0.113.7`));
  }
});

Deno.test("the answer waits for the last host", async () => {
  const last = Promise.withResolvers<Result>();
  const { answer } = setup({ results: { a: "OK", b: last.promise } });
  let isAnswered = false;
  const answering = answer("/two").finally(() => isAnswered = true);
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals(isAnswered, false);
  last.resolve("FAIL");
  assertEquals(await answering, "500 FAIL");
});

Deno.test("a trusted proxy's header tells the address, of updates and of answers without a key", async () => {
  const options = { from: "::ffff:10.1.2.3", headers: { "x-forwarded-for": "2001:DB8::7" } };
  const { answer, updates } = setup({ trusted: ["10.0.0.0/8"] });
  assertEquals(await answer("/", options), "200 2001:db8::7");
  assertEquals(await answer(`/${KEY}`, options), "200 OK");
  assertEquals(updates, ["a.dyn.example 2001:db8::7"]);
});

Deno.test("a request without an address is FAIL, with a wrong key BADKEY, and changes nothing", async () => {
  const table: [string, Record<string, string>, string][] = [
    ["127.0.0.1", { "x-forwarded-for": "SECRET" }, "a client behind 127.0.0.1"],
    ["", {}, "a client behind an unknown address"],
  ];
  for (const [from, headers, who] of table) {
    const { answer, updates, lines } = setup({ trusted: ["127.0.0.1"] });
    assertEquals(await answer(`/${KEY}`, { from, headers }), "500 FAIL");
    assertEquals(await answer("/", { from, headers }), "500 FAIL");
    assertEquals(await answer("/wrong", { from, headers }), "403 BADKEY");
    const refused = `warning: ${who} is refused: no address in its X-Forwarded-For\n`;
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
    updater: { set: () => "OK" },
    log: createLog({ write }),
    trustedProxies: [],
    proxyHeader: "X-Forwarded-For",
  });
  const request = { method: "GET", url: "http://h/wrong", headers: new Headers() } as Request;
  for (let i = 0; i < 1000; i++) {
    await handler(request, { remoteAddr: { hostname: "203.0.113.7" } });
  }
  // The count's own timer does not keep the process alive.
  const deadline = setTimeout(() => counted.reject(new Error("no count in time")), 10_000);
  assertMatch(await counted.promise, /warning: \d+ more requests were refused just now\n$/);
  clearTimeout(deadline);
  assert(lines.length < 100, `${lines.length} lines`);
});

Deno.test("keyOf() is the target as it was sent, without the slashes at its beginning", () => {
  const table: [string, string | null, string][] = [
    // [url, host, key]
    ["http://h/k", "h", "k"],
    ["https://h:4443/k", "h:4443", "k"],
    ["http://[2001:db8::1]:8080/k", "[2001:db8::1]:8080", "k"],
    ["http://h/a%2Cb", "h", "a%2Cb"],
    ["http://h/?hostname=h&password=p", "h", "?hostname=h&password=p"],
    ["http://h//k", "h", "k"],
    ["http://h////k//l/", "h", "k//l/"],
    ["http://h/../a/./b//", "h", "../a/./b//"],
    ["http://h/a?b?c/d", "h", "a?b?c/d"],
    ["http://h/a#b", "h", "a#b"],
    ["http://h/#", "h", "#"],
    ['http://h/é"<>`{}|^', "h", 'é"<>`{}|^'],
    ["http://h/http://x/k", "h", "http://x/k"],
    // None.
    ["http://h/", "h", ""],
    ["http://h//", "h", ""],
    ["http://h/?", "h", ""],
    ["http://h//?", "h", ""],
    ["http://h", "h", ""],
    ["http://h/??", "h", "??"],
    // Without a Host, or an empty one: the URL has the listener's address.
    ["http://localhost:8080/k", null, "k"],
    ["http://[::]:8080/k", null, "k"],
    ["http://localhost:8080/?", null, ""],
    ["http://localhost:8080/k", "", "k"],
    ["http:///k", "", "k"],
    // An absolute target has its own authority.
    ["http://x/k", "h", "k"],
    ["http://x/k", "x/y", "k"],
    ["http://xy/k", "x", "k"],
    ["http://x?k", "h", "?k"],
    ["http://x#k", "x", "#k"],
    ["http://u:p@x/k", "x", "k"],
    ["http://X.example/k", "x.example", "k"],
    ["http://x", "h", ""],
    ["http://x", null, ""],
    // A hostile Host.
    ["http://a/b/k", "a/b", "k"],
    ["http://a?b#c/k", "a?b#c", "k"],
    ["http://?/k", "?", "k"],
    ["http://a//k", "a/", "k"],
    ["http:////k", "/", "k"],
    ["http://http:///k", "http://", "k"],
    ["http://a b/k", "a b", "k"],
  ];
  for (const [url, host, key] of table) {
    assertEquals([url, host, keyOf(url, () => host)], [url, host, key]);
  }
});

Deno.test("keyOf() gives back any target, whatever the Host", () => {
  const seed = Date.now() >>> 0;
  const below = belowFrom(seed);
  const text = (most: number) => {
    let made = "";
    for (let length = below(most); length > 0; length--) made += "/?#:@[]%.ab\té&="[below(15)];
    return made;
  };
  for (let i = 0; i < 10_000; i++) {
    const target = text(12);
    const host = text(8);
    const stripped = target.replace(/^\/+/, "");
    const key = keyOf(`http://${host}/${target}`, () => host);
    assertEquals(key, stripped === "?" ? "" : stripped, `seed ${seed}: ${host} and ${target}`);
  }
});

Deno.test("keyOf() finds the key in what Deno.serve makes of a request", async () => {
  const table: [string, string | undefined, string][] = [
    // [target, Host, key]
    ["/k", "h", "k"],
    ["/k", undefined, "k"],
    ["/k", "", "k"],
    ["//../a//b?c=%2f?", "h:8080", "../a//b?c=%2f?"],
    ["/a%2Cb", "h", "a%2Cb"],
    ["/?hostname=h&password=p", "h", "?hostname=h&password=p"],
    ["/a#b", "h", "a#b"],
    ["//k", "h", "k"],
    ["/", "h", ""],
    ["/?", "h", ""],
    ["http://x/k", "h", "k"],
    ["http://x/k", "y/z", "k"],
    ["http://X.y?k", "h", "?k"],
    ["/k", "a/b", "k"],
    ["/k", "x?y#z", "k"],
    ["///k", "//", "k"],
    ["/k", "a b", "k"],
  ];
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    ({ url, headers }) => new Response(`key ${keyOf(url, () => headers.get("host"))}`),
  );
  for (const [target, host, key] of table) {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port: server.addr.port });
    const hostLine = host === undefined ? "" : `Host: ${host}\r\n`;
    const head = `GET ${target} HTTP/1.1\r\n${hostLine}Connection: close\r\n\r\n`;
    await conn.write(new TextEncoder().encode(head));
    const body = (await new Response(conn.readable).text()).split("\r\n\r\n")[1];
    assertEquals([target, host, body], [target, host, `key ${key}`]);
  }
});

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

Deno.test("an address in the header that is of no use to others is FAIL", async () => {
  for (const address of ["fe80::1%eth0", "[fe80::1%eth0]:4711", "0.0.0.0", "2001:db8::1%1"]) {
    const { answer, updates } = setup({ trusted: ["127.0.0.1"], proxyHeader: "X-Real-IP" });
    const options = { from: "127.0.0.1", headers: { "x-real-ip": address } };
    assertEquals([address, await answer(`/${KEY}`, options)], [address, "500 FAIL"]);
    assertEquals(updates, []);
  }
});
