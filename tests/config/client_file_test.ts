import { assert, assertEquals, assertMatch } from "@std/assert";
import { ClientFileReader } from "../../lib/config/client_file.ts";
import { Faults } from "../../lib/config/settings.ts";
import { belowFrom } from "../support.ts";

/** SHA-256 of "abc" (FIPS 180-4). */
const ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

function read(text: string) {
  const faults = new Faults("clients");
  const reader = new ClientFileReader({ faults, ttlOf: () => 30 });
  for (const [i, line] of text.split("\n").entries()) reader.takeLine(line, i + 1);
  return { reader, faults: faults.lines };
}

Deno.test("takeLine() divides a line at the last colon, wherever others are", () => {
  const table: [line: string, key: string, ...hosts: string[]][] = [
    ["k: a.dyn.example", "k", "a.dyn.example"],
    ["k:a.dyn.example", "k", "a.dyn.example"],
    ["  k\t:\t A.dyn.example. \r", "k", "a.dyn.example"],
    ["k: a.dyn.example, b.dyn.example", "k", "a.dyn.example", "b.dyn.example"],
    ["k: a.dyn.example ,*.a.dyn.example,_x.a.b", "k", "a.dyn.example", "*.a.dyn.example", "_x.a.b"],
    ["k:l: a.dyn.example", "k:l", "a.dyn.example"],
    ["::: a.dyn.example", "::", "a.dyn.example"],
    ["k: b.dyn.example: a.dyn.example", "k: b.dyn.example", "a.dyn.example"],
    ["?u=http://x:80/&h=b.c: a.dyn.example", "?u=http://x:80/&h=b.c", "a.dyn.example"],
    ["two words: a.dyn.example", "two words", "a.dyn.example"],
    ["é,😀: a.dyn.example", "é,😀", "a.dyn.example"],
    ["k#l: a.dyn.example", "k#l", "a.dyn.example"],
    ["k: a.dyn.example # of x", "k", "a.dyn.example"],
    ["k: a.dyn.example\t# see: www.dyn.example", "k", "a.dyn.example"],
    ["'k: a.dyn.example", "'k", "a.dyn.example"],
    ['": a.dyn.example', '"', "a.dyn.example"],
    ["https: a.dyn.example", "https", "a.dyn.example"],
    [`sha256:${ABC}: a.dyn.example`, "abc", "a.dyn.example"],
    [`SHA256:${ABC.toUpperCase()}: a.dyn.example`, "abc", "a.dyn.example"],
  ];
  for (const [line, key, ...hosts] of table) {
    const { reader, faults } = read(line);
    const found = reader.clients.find(key)?.hosts.map(({ name }) => name as string);
    assertEquals([line, faults, found], [line, [], hosts]);
    assertEquals(reader.clients.size, 1);
  }
});

Deno.test("takeLine() takes no client from a comment or an empty line", () => {
  for (const line of ["", "  ", "\t", "\r", "#", "# k: a.dyn.example", "  #k: a.dyn.example"]) {
    const { reader, faults } = read(line);
    assertEquals([line, reader.clients.size, faults], [line, 0, []]);
  }
});

Deno.test("takeLine() says what is wrong with a line, and reads the others", () => {
  const table: [line: string, said: RegExp][] = [
    ["k", /expected KEY: HOST, or KEY: HOST, HOST$/],
    ["k a.dyn.example", /expected KEY: HOST/],
    ['"k" = "a.dyn.example"', /expected KEY: HOST/],
    ["[clients]", /expected KEY: HOST/],
    ["k # x: a.dyn.example", /expected KEY: HOST/],
    ["k:", /no host after the last ":"/],
    ["k: # a.dyn.example", /no host after the last ":"/],
    ["k: a.dyn.example:", /no host after/],
    ["k: a.dyn.example:53", /after the last ":": not a host name: its last label is a number/],
    ["k: a.dyn.example#x", /after the last ":": not a host name: .*letters, digits/],
    ["http://x/abc:def", /not a host name: write it with its zone/],
    ["k: host", /write it with its zone/],
    ["k: a.dyn.example,", /not a host name: it is empty/],
    ["k: ,a.dyn.example", /it is empty/],
    ["k: a.dyn.example b.dyn.example", /letters, digits/],
    ["k: 192.0.2.1", /last label is a number/],
    ["k: 2001:db8::1", /not a host name/],
    ["k: bücher.example", /xn--/],
    ["k: a.*.example", /"\*" can only be/],
    [`k: ${"a.".repeat(150)}example`, /at most 253/],
    ["k: a.dyn.example, A.dyn.example.", /a host is listed twice/],
    ['"k": a.dyn.example', /write the key without quotes/],
    ["'k' : a.dyn.example", /write the key without quotes/],
    [": a.dyn.example", /the key is empty/],
    ["?: a.dyn.example", /the key is empty/],
    ["/k: a.dyn.example", /without the slash/],
    ["sha256:abc: a.dyn.example", /64 hex digits/],
    [`sha256:${ABC}`, /not a host name/],
    [`sha256:${ABC}0: a.dyn.example`, /64 hex digits/],
    ["k: a.dyn.example\rl: b.dyn.example", /carriage return/],
    ["one: c.dyn.example", /this key is already in line 1$/],
    [`sha256:${ABC}: c.dyn.example`, /this key is already in line 2$/],
  ];
  for (const [line, said] of table) {
    const { reader, faults } = read(
      `one: a.dyn.example\nabc: a.dyn.example\n${line}\nlast: a.dyn.example`,
    );
    assertEquals([line, faults.length], [line, 1]);
    assertMatch(faults[0]!, /^clients: line 3: /);
    assertMatch(faults[0]!, said);
    assert(reader.clients.find("last") !== undefined);
  }
});

Deno.test("takeLine() notes keys that are short or a whole URL, and digests", () => {
  const { reader } = read(`fifteen-letters: a.b\nsixteen--letters: a.b\nhttps://x/0123456789: a.b`);
  assertEquals([reader.shortKeys, reader.urlKeys, reader.plainKeys], [[1], [3], true]);
  assertEquals(read(`sha256:${ABC}: a.b`).reader.plainKeys, false);
});

Deno.test("takeLine() has a client or a fault without secrets for any line", () => {
  const seed = Date.now() >>> 0;
  const below = belowFrom(seed);
  const good = "qqq4bea92410b3146d0cfe: qqqhost.dyn.example, qqqb.dyn.example # qqq";
  const odd = [":", ",", "#", " ", "\t", "\r", "\0", "é", '"', "'", "/", "?", "%", "*", "_", "-"];
  for (let i = 0; i < 3000; i++) {
    let line = good;
    for (let edits = below(4); edits >= 0; edits--) {
      const at = below(line.length + 1);
      line = line.slice(0, at) + (below(3) ? odd[below(odd.length)] : "") +
        line.slice(at + below(3));
    }
    const { reader, faults } = read(line);
    const label = `seed ${seed}: ${JSON.stringify(line)}`;
    const isComment = line.trim() === "" || line.trim().startsWith("#");
    assert(isComment || reader.clients.size + faults.length > 0, label);
    for (const fault of faults) assert(!fault.includes("qqq"), `${label}: ${fault}`);
  }
});
