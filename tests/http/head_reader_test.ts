import { assert, assertEquals } from "@std/assert";
import { HeadReader } from "../../lib/http/head_reader.ts";
import { MAX_HEAD } from "../../lib/http/request_head.ts";

/** A connection on which these parts come. */
function connOf(parts: string[]) {
  const left = parts.map((part) => Uint8Array.from(part, (char) => char.charCodeAt(0)));
  return {
    read(buffer: Uint8Array): Promise<number | null> {
      assert(buffer.length > 0, "read into nothing");
      const [part] = left;
      if (part === undefined) return Promise.resolve(null);
      const count = Math.min(part.length, buffer.length);
      buffer.set(part.subarray(0, count));
      if (count === part.length) left.shift();
      else left[0] = part.subarray(count);
      return Promise.resolve(count);
    },
  };
}

/** What is read, a line a head; the status of what is refused. */
async function read(parts: string[], buffer = 8) {
  const reader = new HeadReader(connOf(parts), new Uint8Array(buffer));
  const heads: (string | number)[] = [];
  let starts = 0;
  for (let head; (head = await reader.next(() => starts++)) !== undefined;) {
    heads.push(typeof head === "number" ? head : `${head.method} ${head.target}`);
    if (typeof head === "number") break;
  }
  return { heads, starts, hasMore: reader.hasMore };
}

const A = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", B = "HEAD /b HTTP/1.0\n\n";

Deno.test("heads are read one after the other, however they come", async () => {
  for (const text of [A + B + A, `\r\n${A}\n\n${B}\r\n${A}`]) {
    const heads = ["GET /a", "HEAD /b", "GET /a"];
    for (let size = 1; size <= text.length; size++) {
      const parts = [];
      for (let at = 0; at < text.length; at += size) parts.push(text.slice(at, at + size));
      for (const buffer of [1, 8, 256]) {
        const result = await read(parts, buffer);
        assertEquals(result, { heads, starts: 3, hasMore: false }, `${size} ${buffer}`);
      }
    }
  }
});

Deno.test("what is not whole is no head, and empty lines are none", async () => {
  for (const rest of ["", "\r\n\r\n", "GET", A.slice(0, -1)]) {
    const { heads, starts } = await read([A, rest].filter((part) => part !== ""));
    assertEquals([heads, starts], [["GET /a"], rest === "" ? 1 : 2], JSON.stringify(rest));
  }
});

Deno.test("what stands behind a head is left there", async () => {
  const reader = new HeadReader(connOf([A + B.slice(0, 3)]), new Uint8Array(256));
  assertEquals(typeof await reader.next(), "object");
  assertEquals(reader.hasMore, true);
  assertEquals(await reader.next(), undefined);
});

Deno.test("a head has 16 KiB, and the next one too", async () => {
  const headOf = (length: number) => {
    const start = "GET /k HTTP/1.1\r\nX: ";
    return `${start}${"x".repeat(length - start.length - 4)}\r\n\r\n`;
  };
  const most = headOf(MAX_HEAD), more = headOf(MAX_HEAD + 1);
  assertEquals((await read([most + most + most])).heads, ["GET /k", "GET /k", "GET /k"]);
  assertEquals((await read([A + more])).heads, ["GET /a", 431]);
  assertEquals((await read([more + A])).heads, [431]);
  assertEquals((await read(["\n".repeat(MAX_HEAD + 1)])).heads, [431]);
});
