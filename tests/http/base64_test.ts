import { assertEquals } from "@std/assert";
import { decodeBase64 } from "../../lib/http/base64.ts";

Deno.test("decodeBase64() decodes UTF-8 text, padded or not, and nothing else", () => {
  const table: [text: string, decoded: string | undefined][] = [
    ["dXNlcjprZXk=", "user:key"],
    ["dXNlcjprZXk", "user:key"],
    ["w7xiZXI=", "über"],
    ["77u/YQ==", "\ufeffa"],
    ["", undefined],
    ["A", undefined],
    ["=", undefined],
    ["dXNl=cjpr", undefined],
    ["dXNl cjpr", undefined],
    ["dXNlcjprZXk==", undefined],
    ["_-8=", undefined],
    ["/w==", undefined],
    ["key:of", undefined],
  ];
  for (const [text, decoded] of table) {
    assertEquals([text, decodeBase64(text)], [text, decoded]);
  }
});
