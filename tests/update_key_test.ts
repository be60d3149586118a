import { assert, assertEquals, assertMatch } from "@std/assert";
import { parse } from "@std/toml";
import { keyText, newKey, routerText } from "../lib/update_key.ts";

Deno.test("newKey() makes 160 random bits into 40 hex digits", () => {
  const count = <T extends ArrayBufferView | null>(array: T): T => {
    if (array instanceof Uint8Array) { for (let i = 0; i < array.length; i++) array[i] = i + 5; }
    return array;
  };
  assertEquals(newKey(count), "05060708090a0b0c0d0e0f101112131415161718");
});

Deno.test("newKey() makes another key every time", () => {
  const keys = new Set(Array.from({ length: 100 }, () => newKey()));
  assertEquals(keys.size, 100);
  for (const key of keys) assertMatch(key, /^[0-9a-f]{40}$/);
});

Deno.test("keyText() is TOML with one client, and a comment with the request", () => {
  for (const [host, name] of [[undefined, "host.dyn.example"], ["a.b.example", "a.b.example"]]) {
    const { file, person } = keyText("abc", { host, url: "http://dyn.example:8080" });
    assertEquals(JSON.stringify(parse(`[clients]\n${file}`)), `{"clients":{"abc":"${name}"}}`);
    assertMatch(file, /^# .*curl .*http:\/\/dyn\.example:8080\/abc$/m);
    assertEquals(person, "");
    assert(file.endsWith("\n"));
  }
});

Deno.test("keyText() may be appended to a file whose last line has no end", () => {
  for (const isDigest of [false, true]) {
    const { file } = keyText("abc", { isDigest });
    const { clients } = parse(`[clients]\n"old" = "old.example"${file}`);
    assertEquals(Object.values(clients as object), ["old.example", "host.dyn.example"]);
  }
});

Deno.test("keyText() keeps the key itself out of the file if only the digest is asked for", () => {
  const sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  const { file, person } = keyText("abc", { host: "a.b.example", isDigest: true });
  assertEquals(file, `# under [clients]:\n"sha256:${sha256}" = "a.b.example"\n`);
  assertMatch(person, /^# .*curl .*https:\/\/SERVER\/abc\n$/);
});

Deno.test("routerText() gives what is typed into a router, and into the configuration", () => {
  const sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  for (const [host, name] of [[undefined, "host.dyn.example"], ["a.b.example", "a.b.example"]]) {
    const lines = routerText("abc", { host, url: "https://dyn.example:4443" }).split("\n").filter((
      line,
    ) => !/^(#|$)/.test(line));
    const url = `https://dyn.example:4443/nic/update?hostname=${name}`;
    assertEquals(lines.slice(0, 3), [
      "dyndns2 = true",
      `"abc" = { host = "${name}", address = "request" }`,
      `"sha256:${sha256}" = { host = "${name}", address = "request" }`,
    ]);
    const fields = Object.fromEntries(lines.slice(3, 9).map((line) => line.split(/: +/)));
    assertEquals(fields["update URL"], url);
    assertEquals(fields["host name"], name);
    assertEquals(fields["password"], "abc");
    assertEquals(lines[9], `curl -fsS -u sftdyn:abc "${url}"`);
    assertEquals(lines.length, 10);
  }
});
