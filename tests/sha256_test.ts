import { assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { sha256 } from "../lib/sha256.ts";
import { belowFrom } from "./support.ts";

Deno.test("sha256() has the digests of the standard's examples", () => {
  // FIPS 180-2, appendix B, and the empty message of NIST's test vectors.
  const table: [text: string, digest: string][] = [
    ["", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    ["abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
    [
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    ],
    [
      "a".repeat(1_000_000),
      "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
    ],
  ];
  for (const [text, digest] of table) assertEquals(sha256(text), digest);
});

Deno.test("sha256() agrees with node:crypto on every length, and on random texts", () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  console.log(`seed ${seed}`);
  const below = belowFrom(seed);
  const texts = Array.from({ length: 300 }, (_, length) => "x".repeat(length));
  for (let i = 0; i < 5000; i++) {
    // Of one to four octets each, and halves of surrogate pairs.
    const limit = [0x80, 0x800, 0x10000, 0x110000][below(4)]!;
    const points = Array.from({ length: below(100) }, () => below(limit));
    texts.push(String.fromCodePoint(...points));
  }
  for (const text of texts) {
    assertEquals(sha256(text), createHash("sha256").update(text).digest("hex"));
  }
});
