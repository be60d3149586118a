import { assert, assertEquals } from "@std/assert";
import { readHead } from "../../lib/http/head_reader.ts";
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

/** What is read: the request, or the status of what is refused. */
async function read(parts: string[], length = 8, isStrict = false) {
  let starts = 0;
  const read = await readHead(connOf(parts), {
    buffer: new Uint8Array(length),
    isStrict,
    onStart: () => starts++,
  });
  if (read === undefined) return { starts };
  const { head, hasMore } = read;
  const found = typeof head === "number" ? head : `${head.method} ${head.target}`;
  return { head: found, hasMore, starts };
}

const A = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", B = "HEAD /b HTTP/1.0\n\n";

Deno.test("a head is read, however it comes, and what stands behind it is noticed", async () => {
  const table: [text: string, head: string][] = [
    [A, "GET /a"],
    [B, "HEAD /b"],
    [`\r\n${A}`, "GET /a"],
    [`\n\n\r\n${B}`, "HEAD /b"],
  ];
  for (const [text, head] of table) {
    for (let size = 1; size <= text.length; size++) {
      const parts = [];
      for (let at = 0; at < text.length; at += size) parts.push(text.slice(at, at + size));
      for (const length of [1, 8, 256]) {
        const expected = { head, hasMore: false, starts: 1 };
        assertEquals(await read(parts, length), expected, `${size} ${length}`);
      }
    }
    assertEquals(await read([`${text}G`], 256), { head, hasMore: true, starts: 1 });
  }
});

Deno.test("what is not whole is no head, and empty lines do not begin one", async () => {
  assertEquals(await read([]), { starts: 0 });
  assertEquals(await read(["\r\n\r\n"]), { starts: 0 });
  for (const text of ["GET", A.slice(0, -1)]) {
    assertEquals(await read(["\r\n", text]), { starts: 1 }, text);
  }
});

Deno.test("lines must end as the standard says where it is asked for", async () => {
  const table: [text: string, head: string | number][] = [
    [A, "GET /a"],
    [B, 400],
    ["GET /a HTTP/1.1\r\nX: a\nY: b\r\n\r\n", 400],
    ["GET /a HTTP/1.1\nX: a\r\n\r\n", 400],
  ];
  for (const [text, head] of table) {
    assertEquals((await read([text], 256, true)).head, head, text);
    assertEquals(typeof (await read([text], 256)).head, "string");
  }
});

Deno.test("a head has 16 KiB", async () => {
  const headOf = (length: number) => {
    const start = "GET /k HTTP/1.1\r\nX: ";
    return `${start}${"x".repeat(length - start.length - 4)}\r\n\r\n`;
  };
  const most = headOf(MAX_HEAD);
  assertEquals(await read([most]), { head: "GET /k", hasMore: false, starts: 1 });
  assertEquals((await read([most + A])).head, "GET /k");
  assertEquals((await read([headOf(MAX_HEAD + 1)])).head, 431);
  assertEquals((await read(["\n".repeat(MAX_HEAD + 1)])).head, 431);
});
