import { assert, assertEquals } from "@std/assert";
import { close } from "../../lib/http/connection.ts";
import type { Handler } from "../../lib/http/handler.ts";
import { Relay } from "../../lib/http/relay.ts";
import { Server } from "../../lib/http/server.ts";
import { until, within } from "../support.ts";

/** Both ends of a connection. */
async function pair(): Promise<[Deno.TcpConn, Deno.TcpConn]> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  return await Promise.all([Deno.connect({ hostname: "127.0.0.1", port }), listener.accept()]);
}

async function write(conn: Deno.Conn, text: string): Promise<void> {
  await conn.write(new TextEncoder().encode(text));
}

function head(target: string): string {
  return `GET ${target} HTTP/1.1\r\nHost: h\r\n\r\n`;
}

/** Reads until the whole answer with this body has come. */
async function readTo(conn: Deno.Conn, body: string): Promise<void> {
  let text = "";
  const buffer = new Uint8Array(4096);
  while (!text.endsWith(`\r\n\r\n${body}`)) {
    const count = await within(conn.read(buffer), `${body}, only: ${text}`);
    if (count === null) throw new Error(`ended: ${text}`);
    text += new TextDecoder().decode(buffer.subarray(0, count));
  }
}

async function assertEnded(conn: Deno.Conn): Promise<void> {
  assertEquals(await within(conn.read(new Uint8Array(1)).catch(() => null), "the end"), null);
}

interface Setup {
  /** The proxy's end. */
  conn: Deno.TcpConn;
  relay: Relay;
  /** How often something was asked. */
  asked: () => number;
  /** Waits until this is asked, and answers. */
  called: (path: string) => Promise<void>;
  give: (path: string) => void;
  /** Has the time pass that the end of a proxy is waited for. */
  beLate: () => void;
}

/** A test with a relay to a real server, which is closed when it has ended. */
function test(name: string, run: (setup: Setup) => Promise<void>): void {
  Deno.test(name, async () => {
    const waiting = new Map<string, () => void>();
    const handler: Handler = (request, { remoteAddr }) => {
      const { pathname } = new URL(request.url);
      const response = () => new Response(`${pathname} of ${remoteAddr.hostname}`);
      if (!pathname.startsWith("/held")) return response();
      return new Promise((resolve) => waiting.set(pathname, () => resolve(response())));
    };
    const complain = (problem: string) => {
      throw new Error(problem);
    };
    const server = new Server({ handler, log: { error: complain }, complain });
    const late = Promise.withResolvers<void>();
    const [conn, other] = await pair();
    let asked = 0;
    const line = await server.open({ remoteAddr: { hostname: "192.0.2.7" } });
    const relay = new Relay(other, line, {
      onRequest: () => asked++,
      delay: () => late.promise,
    });
    const closed = relay.ended.then(() => relay.close());
    try {
      await run({
        conn,
        relay,
        asked: () => asked,
        called: (path) => until(`${path} is asked`, () => waiting.has(path)),
        give: (path) => waiting.get(path)!(),
        beLate: late.resolve,
      });
    } finally {
      close(conn);
      relay.close();
      late.resolve();
      await within(closed, "the end of the relay");
      await within(server.stop(), "the end of the server");
    }
  });
}

test("a relay is for many requests of one client", async ({ conn, relay, asked, called, give }) => {
  assert(relay.isIdle);
  for (let i = 0; i < 3; i++) {
    await write(conn, head(`/held${i}`));
    await called(`/held${i}`);
    assert(!relay.isIdle);
    assertEquals(asked(), 2 * i + 1);
    give(`/held${i}`);
    await readTo(conn, `/held${i} of 192.0.2.7`);
    await write(conn, head("/now"));
    await readTo(conn, "/now of 192.0.2.7");
    assert(relay.isIdle);
  }
});

test("end() of an idle relay ends it", async ({ conn, relay }) => {
  await write(conn, head("/now"));
  await readTo(conn, "/now of 192.0.2.7");
  relay.end();
  await assertEnded(conn);
});

test("end() of a relay waits for the answer", async ({ conn, relay, called, give }) => {
  await write(conn, head("/held"));
  await called("/held");
  relay.end();
  relay.end();
  assert(!relay.isIdle);
  give("/held");
  await readTo(conn, "/held of 192.0.2.7");
  await assertEnded(conn);
});

test("a proxy that closes its half gets its answer", async ({ conn, called, give, beLate }) => {
  await write(conn, head("/held"));
  await conn.closeWrite();
  await called("/held");
  // However late that is.
  beLate();
  give("/held");
  await readTo(conn, "/held of 192.0.2.7");
  await assertEnded(conn);
});

test("a proxy that closes its half gets an answer that is made at once", async ({ conn }) => {
  await write(conn, head("/now"));
  await conn.closeWrite();
  await readTo(conn, "/now of 192.0.2.7");
  await assertEnded(conn);
});

test("a relay ends with the proxy", async ({ conn, relay }) => {
  await write(conn, head("/now"));
  await readTo(conn, "/now of 192.0.2.7");
  conn.close();
  await within(relay.ended, "the end");
});

test("a relay ends although the proxy ended within a head", async ({ conn, relay, beLate }) => {
  await write(conn, head("/now").slice(0, 9));
  await conn.closeWrite();
  await until("it has come", () => !relay.isIdle);
  beLate();
  await assertEnded(conn);
  await within(relay.ended, "the end");
});

test("a relay ends although the proxy ended within a body", async ({ conn, relay, beLate }) => {
  await write(conn, "POST /now HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab");
  await readTo(conn, "/now of 192.0.2.7");
  await conn.closeWrite();
  beLate();
  await within(relay.ended, "the end");
});

test("close() ends a relay in the middle of a request", async ({ conn, relay, called, give }) => {
  await write(conn, head("/held"));
  await called("/held");
  relay.close();
  await assertEnded(conn);
  await within(relay.ended, "the end");
  give("/held");
});
