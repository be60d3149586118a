import { assertEquals } from "@std/assert";
import { keyOf } from "../../lib/http/secret_url.ts";
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
