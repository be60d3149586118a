import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { parseTsigKey } from "../../lib/config/tsig_key.ts";
import { belowFrom } from "../support.ts";

/** 64 octets, as tsig-keygen -a hmac-sha512 makes them. */
const SECRET =
  "q+qwdS2nkWbLYVC0DdBjIXmUnr8sdK9YBPZVbFFVVCpC8XLuyjb1o58SXkj2mQDErfcBGPOBPCz9JVYIJrp6uA==";

const GOOD = `key "topsecret" { algorithm hmac-sha512; secret "${SECRET}"; };`;

Deno.test("parseTsigKey() reads a key file as BIND does", () => {
  const table: [string, string, string, number][] = [
    [
      `key "sftdyn" {\n\talgorithm hmac-sha512;\n\tsecret "${SECRET}";\n};\n`,
      "sftdyn",
      "hmac-sha512",
      512,
    ],
    ["key k { algorithm hmac-md5; secret AAAA; };", "k", "hmac-md5", 24],
    [
      'key "ns1.dyn.example." {algorithm "HMAC-SHA256"; secret "AAAAAA==";};',
      "ns1.dyn.example.",
      "hmac-sha256",
      32,
    ],
    ['key "k"{secret "AAAA";algorithm hmac-sha1;};', "k", "hmac-sha1", 24],
    ['key k { algorithm hmac-sha256-128; secret "AAAA"; };', "k", "hmac-sha256-128", 24],
    [
      '// key a\n# key "b" {\n/* key "c" {\n};*/ key "d" { // x\n algorithm hmac-sha224; # y;\n secret "AAAA"; /* z */ };',
      "d",
      "hmac-sha224",
      24,
    ],
    [
      'key\n"k"\r\n{\r\nalgorithm\thmac-sha384 ;\r\nsecret\n"AAAA" ;\r\n} ;',
      "k",
      "hmac-sha384",
      24,
    ],
    [
      'key k { algorithm hmac-md5.sig-alg.reg.int; secret "AAAA"; };',
      "k",
      "hmac-md5.sig-alg.reg.int",
      24,
    ],
    ['key k { algorithm hmac-sha1; secret "AAAA AAAA"; };', "k", "hmac-sha1", 48],
    // "/" is a digit of base64, and two of them are no comment: 1 key in 50 has them.
    ['key "k" { algorithm hmac-sha256; secret "AA//AA//"; };', "k", "hmac-sha256", 48],
    ['key "k" { algorithm hmac-sha256; secret "//AA"; }; // x', "k", "hmac-sha256", 24],
  ];
  const read = (text: string) => {
    try {
      const { name, algorithm, bits } = parseTsigKey(text);
      return [text, name, algorithm, bits];
    } catch (error) {
      return [text, `${error}`];
    }
  };
  assertEquals<unknown>(table.map(([text]) => read(text)), table);
});

Deno.test("parseTsigKey() says what is wrong with a file without any of its text", () => {
  const table: [string, string][] = [
    ["", "no key"],
    ["hello", "no key"],
    [SECRET, "no key"],
    [`secret "${SECRET}";`, "no key"],
    [`key "topsecret" algorithm hmac-sha512; secret "${SECRET}";`, "no key"],
    [`key "topsecret" { algorithm hmac-sha512; secret "${SECRET}";`, "no key"],
    [`# key "topsecret" { algorithm hmac-sha512; secret "${SECRET}"; };`, "no key"],
    [`monkey "topsecret" { algorithm hmac-sha512; secret "${SECRET}"; };`, "no key"],
    [`key "topsecret" { secret "${SECRET}"; };`, "no algorithm"],
    [`key "topsecret" { algorithm hmac-sha3; secret "${SECRET}"; };`, "algorithm"],
    [`key "topsecret" { algorithm topsecret; secret "${SECRET}"; };`, "algorithm"],
    ['key "topsecret" { algorithm hmac-sha512; };', "no secret"],
    ['key "topsecret" { algorithm hmac-sha512; secret ""; };', "no secret"],
    ['key "topsecret" { algorithm hmac-sha512; secret "topsecret!"; };', "secret"],
    ['key "topsecret" { algorithm hmac-sha512; secret "topse"; };', "base64"],
    ['key "topsecret" { algorithm hmac-sha512; secret "topsecr"; };', "base64"],
    ['key "topsecret" { algorithm hmac-sha512; secret "=topsecret"; };', "base64"],
    [`${GOOD}\n${GOOD}`, "more than one key"],
    [`${GOOD} key "topsecret" {};`, "more than one key"],
    [`${GOOD}\noptions { directory "topsecret"; };`, "something besides the key"],
    [`server 192.0.2.1 { keys { topsecret; }; };\n${GOOD}`, "something besides the key"],
    [`${GOOD};`, "something besides the key"],
    [`\ufeff${GOOD}`, "byte order mark"],
    [GOOD.replace(/;$/, ""), 'no ";"'],
    [GOOD.replace("{", "{ topsecret yes;"), "something besides algorithm and secret"],
  ];
  for (const [text, expected] of table) {
    const { message } = assertThrows(() => parseTsigKey(text), RangeError);
    assertStringIncludes(`${text}: ${message}`, expected);
    assert(!/topse|q\+qw/.test(message), message);
  }
});

Deno.test("parseTsigKey() throws nothing but a RangeError, whatever the file", () => {
  const seed = Date.now() >>> 0;
  const below = belowFrom(seed);
  for (let i = 0; i < 2000; i++) {
    let text = `key "k" { algorithm hmac-sha512; secret "${SECRET}"; };`;
    for (let edits = below(4); edits >= 0; edits--) {
      const at = below(text.length);
      text = text.slice(0, at) + '"{};/*# \nA='[below(11)] + text.slice(at + below(3));
    }
    try {
      parseTsigKey(text);
    } catch (error) {
      assert(error instanceof RangeError, `seed ${seed}: ${JSON.stringify(text)}: ${error}`);
    }
  }
});
