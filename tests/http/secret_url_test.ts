import { assertEquals } from "@std/assert";
import { keyOf } from "../../lib/http/secret_url.ts";
import { belowFrom } from "../support.ts";

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
