import { assertEquals } from "@std/assert";
import { type Network, parseNetwork } from "../../lib/address.ts";
import type { Answer } from "../../lib/http/answer.ts";
import { createStatusHandler } from "../../lib/status/handler.ts";

const LOOPBACK = "127.0.0.1";

async function ask(
  { from = LOOPBACK, host = "localhost", method = "GET", target = "/a", networks = [] }: {
    from?: string;
    host?: string | null;
    method?: string;
    target?: string;
    networks?: Network[] | undefined;
  } = {},
): Promise<Answer> {
  const handler = createStatusHandler({
    networks: () => networks,
    paths: { "/a": () => Promise.resolve({ status: 200, body: "told", headers: { x: "y" } }) },
  });
  const headers = new Headers(host === null ? {} : { host });
  return await handler({ method, target, headers }, from);
}

Deno.test("this machine may ask, and others that are in the networks", async () => {
  const networks = [parseNetwork("192.0.2.0/24")!];
  const table: [from: string, status: number][] = [
    ["127.0.0.1", 200],
    ["127.9.9.9", 200],
    ["::1", 200],
    ["::ffff:127.0.0.1", 200],
    ["192.0.2.7", 200],
    ["::ffff:192.0.2.7", 200],
    ["192.0.3.7", 403],
    ["2001:db8::1", 403],
    ["no address", 403],
  ];
  for (const [from, status] of table) {
    const { status: found, body } = await ask({ from, networks });
    assertEquals([from, found, body === "told"], [from, status, status === 200]);
  }
  assertEquals((await ask({ from: "192.0.2.7" })).status, 403);
});

Deno.test("a name that a stranger can have in DNS is not answered", async () => {
  const table: [host: string | null, status: number][] = [
    [null, 200],
    ["localhost", 200],
    ["localhost:9053", 200],
    ["my-router", 200],
    ["192.0.2.1:9053", 200],
    ["[2001:db8::1]:9053", 200],
    ["[::1]", 200],
    ["", 403],
    ["a.example", 403],
    ["localhost.a.example:9053", 403],
    ["localhost.", 403],
    ["192.0.2.1.a.example", 403],
    ["[a.example]", 403],
    ["[]", 403],
    ["::1", 403],
    ["localhost, a.example", 403],
    ["localhost:x", 403],
  ];
  for (const [host, status] of table) {
    assertEquals([host, (await ask({ host })).status], [host, status]);
  }
});

Deno.test("only GET of what there is is answered, and no browser guesses what it is", async () => {
  for (const method of ["HEAD", "POST", "OPTIONS", "get"]) {
    const { status, headers } = await ask({ method });
    assertEquals([method, status, headers?.allow], [method, 405, "GET"]);
  }
  assertEquals((await ask({ target: "/a?b=c" })).status, 200);
  for (const target of ["/", "/a/", "/b", "http://localhost/a", "/%61", "/__proto__"]) {
    const { status, headers } = await ask({ target });
    assertEquals([target, status], [target, 404]);
    assertEquals(headers?.["x-content-type-options"], "nosniff");
  }
  const { headers } = await ask();
  assertEquals(headers, { server: "sftdyn", "x-content-type-options": "nosniff", x: "y" });
});

Deno.test("nobody may ask any more once it is not configured", async () => {
  const handler = createStatusHandler({ networks: () => undefined, paths: {} });
  const request = { method: "GET", target: "/", headers: new Headers() };
  assertEquals((await handler(request, LOOPBACK)).status, 403);
});
