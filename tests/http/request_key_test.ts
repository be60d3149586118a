import { assertEquals } from "@std/assert";
import type { Client } from "../../lib/clients.ts";
import { findKey, keyOf } from "../../lib/http/request_key.ts";
import { belowFrom } from "../support.ts";

Deno.test("keyOf() is the target as it was sent, without the slashes at its beginning", () => {
  const table: [target: string, key: string][] = [
    ["/k", "k"],
    ["/a%2Cb", "a%2Cb"],
    ["/?hostname=h&password=p", "?hostname=h&password=p"],
    ["//k", "k"],
    ["////k//l/", "k//l/"],
    ["/../a/./b//", "../a/./b//"],
    ["/a?b?c/d", "a?b?c/d"],
    ["/a#b", "a#b"],
    ["/#", "#"],
    ['/é"<>`{}|^', 'é"<>`{}|^'],
    ["/http://x/k", "http://x/k"],
    // None.
    ["/", ""],
    ["//", ""],
    ["/?", ""],
    ["//?", ""],
    ["/??", "??"],
    // A whole URL.
    ["http://h:8080/k", "k"],
    ["HTTPS://[2001:db8::1]:8080//k", "k"],
    ["http:///k", "k"],
    ["http://x?k", "?k"],
    ["http://x#k", "#k"],
    ["http://u:p@x/k", "k"],
    ["http://x", ""],
    ["http://x?", ""],
    ["http://x/http://y/k", "http://y/k"],
  ];
  for (const [target, key] of table) assertEquals([target, keyOf(target)], [target, key]);
});

Deno.test("keyOf() gives back any target, whatever the authority in front", () => {
  const seed = Date.now() >>> 0;
  const below = belowFrom(seed);
  const text = (chars: string, most: number) => {
    let made = "";
    for (let length = below(most); length > 0; length--) made += chars[below(chars.length)];
    return made;
  };
  for (let i = 0; i < 10_000; i++) {
    const target = `/${text("/?#:@[]%.ab\té&=", 12)}`;
    const stripped = target.replace(/^\/+/, "");
    const key = stripped === "?" ? "" : stripped;
    const whole = `http://${text(":@[]%.ab", 8)}${target}`;
    for (const sent of [target, whole]) assertEquals(keyOf(sent), key, `seed ${seed}: ${sent}`);
  }
});

Deno.test("findKey() looks for the whole first, then for the longest part before a query", () => {
  const request: Client = { hosts: [], address: "request" };
  const clients: Record<string, Client> = {
    plain: { hosts: [] },
    key: request,
    "key?a=b": request,
    "?u=h&p=s": request,
    "a?b?c": request,
    "über": request,
  };
  const base64 = (text: string) => btoa(text).replace(/=+$/, "");
  const table: [target: string, key: string | undefined, query?: string][] = [
    ["/plain", "plain"],
    ["/plain?", "plain"],
    // It may name nothing, so this is another key.
    ["/plain?myip=192.0.2.1", undefined],
    ["/key", "key"],
    ["/key?", "key"],
    ["/key?myip=192.0.2.1", "key", "myip=192.0.2.1"],
    ["/key?a=b", "key?a=b"],
    ["/key?a=b?myip=192.0.2.1", "key?a=b", "myip=192.0.2.1"],
    ["/key?a=c?myip=192.0.2.1", "key", "a=c?myip=192.0.2.1"],
    ["/?u=h&p=s?ip=192.0.2.1", "?u=h&p=s", "ip=192.0.2.1"],
    ["/a?b?c?d?e", "a?b?c", "d?e"],
    ["/a?b?c?d?e?f?g?h?i", undefined],
    ["/key&myip=192.0.2.1", undefined],
    ["/kez?myip=192.0.2.1", undefined],
    ["/?myip=192.0.2.1", undefined],
    [`/key?${"x".repeat(2000)}`, "key", "x".repeat(2000)],
    // Two URLs of a FRITZ!Box as one.
    ["/plain%20https:/ipv6.dyn.example/plain", "plain"],
    ["/plain%20https://ipv6.dyn.example:4443/plain", "plain"],
    ["/plain%20ftp:/x", undefined],
    ["/%20https:/dyn.example/key", undefined],
    ["/other%20https:/dyn.example/key", undefined],
    ["/key?ip=1%20http:/dyn.example/key?ip6=2", "key", "ip=1&ip6=2"],
    ["/key?ip=1%20http:/dyn.example/other?ip6=2", "key", "ip=1"],
    ["/key?ip=1%20http:/dyn.example", "key", "ip=1"],
    ["/key%20http:/dyn.example/key?ip6=2", "key", "&ip6=2"],
    // Its Base64, filled in or not.
    [`/${base64("key")}?ip=1`, "key", "ip=1"],
    [`/${btoa("key")}?ip=1`, "key", "ip=1"],
    [`/${base64("user:key")}?ip=1`, "key", "ip=1"],
    ["/<b64>key</b64>?ip=1", "key", "ip=1"],
    ["/%3Cb64%3Euser:key%3C/b64%3E?ip=1", "key", "ip=1"],
    ["/<b64>key</b64>", "key"],
    [`/${base64("plain")}`, undefined],
    ["/<b64>plain</b64>", undefined],
    ["/<b64></b64>?ip=1", undefined],
    [`/${base64("\xff\xfe")}?ip=1`, undefined],
  ];
  for (const [target, key, query = ""] of table) {
    const found = findKey(keyOf(target), (key) => clients[key]);
    const expected = key && { client: clients[key], key, query };
    assertEquals([target, found], [target, expected]);
  }
});

Deno.test("findKey() looks up a few parts of a request only, and no long ones", () => {
  for (const target of ["?".repeat(16_000), "k?".repeat(8000), `${"a".repeat(15_999)}?`]) {
    let looked = 0, octets = 0;
    findKey(target, (key) => {
      looked++;
      if (key.length < 15_999) octets += key.length;
      return undefined;
    });
    assertEquals([looked <= 16, octets <= 16_384], [true, true], target.slice(0, 10));
  }
});
