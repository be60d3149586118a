import { assert, assertEquals, assertRejects } from "@std/assert";
import { close } from "../../lib/http/connection.ts";
import type { ConnectionInfo, Handler } from "../../lib/http/handler.ts";
import { type Serve, Server, type ServerOptions } from "../../lib/http/server.ts";
import { until, within } from "../support.ts";

const peerAddress: Handler = (_, { remoteAddr }) => new Response(`peer ${remoteAddr.hostname}`);

function client(hostname: string): ConnectionInfo {
  return { remoteAddr: { hostname } };
}

const CLIENT = client("192.0.2.1");

/** A character an octet. */
function bytes(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

function head(target = "/k", method = "GET"): Uint8Array {
  return bytes(`${method} ${target} HTTP/1.1\r\nHost: h\r\n\r\n`);
}

interface Setup {
  server: Server;
  /** The port that each request came from. */
  ports: number[];
  /** What was logged, and what was complained of. */
  errors: string[];
  complaints: string[];
}

/** Runs with a server, and stops it. */
async function withServer(
  options: Partial<ServerOptions>,
  run: (setup: Setup) => Promise<void>,
): Promise<void> {
  const ports: number[] = [], errors: string[] = [], complaints: string[] = [];
  const server = new Server({
    handler: peerAddress,
    log: { error: (message) => errors.push(message) },
    complain: (problem) => complaints.push(problem),
    serve: (options, handler) =>
      Deno.serve(options, (request, info) => {
        ports.push(info.remoteAddr.port);
        return handler(request, info);
      }),
    ...options,
  });
  try {
    await run({ server, ports, errors, complaints });
  } finally {
    await within(server.stop(), "the end of the server");
  }
}

async function answer(
  server: Server,
  request = head(),
  from = CLIENT,
  method?: string,
): Promise<string> {
  return new TextDecoder().decode(await within(server.answer(request, from, method), "an answer"));
}

/** The body, if the head says that the connection is closed. */
function bodyOf(answer: string): string {
  const [head, body] = answer.split("\r\n\r\n");
  assertEquals(`${head}\r\n`.match(/\r\nconnection: close\r\n/gi)?.length, 1, answer);
  return body!;
}

/** A handler whose answers are given by their path. */
function held() {
  const waiting = new Map<string, (response: Response) => void>();
  const handler: Handler = (request, { remoteAddr }) => {
    const { pathname } = new URL(request.url);
    if (!pathname.startsWith("/held")) return new Response(`at once ${pathname}`);
    return new Promise((resolve) =>
      waiting.set(pathname, () => resolve(new Response(`${pathname} of ${remoteAddr.hostname}`)))
    );
  };
  const called = (path: string) => until(`${path} is asked`, () => waiting.has(path));
  return { handler, called, give: (path: string) => waiting.get(path)!(new Response()) };
}

Deno.test("answer() uses a connection again, for another client", async () => {
  await withServer({}, async ({ server, ports }) => {
    for (const hostname of ["192.0.2.1", "2001:db8::1", "192.0.2.1"]) {
      assertEquals(bodyOf(await answer(server, head(), client(hostname))), `peer ${hostname}`);
    }
    assertEquals(new Set(ports).size, 1);
  });
});

Deno.test("answer() keeps clients apart that ask at the same time", async () => {
  const { handler, called, give } = held();
  await withServer({ handler }, async ({ server, ports }) => {
    // Twice: the second time with connections that are there.
    for (const round of ["a", "b"]) {
      const names = [1, 2, 3].map((i) => `/held-${round}${i}`);
      const answers = names.map((name, i) => answer(server, head(name), client(`192.0.2.${i}`)));
      for (const name of names) await called(name);
      for (const name of names.toReversed()) give(name);
      assertEquals(
        (await Promise.all(answers)).map(bodyOf),
        names.map((name, i) => `${name} of 192.0.2.${i}`),
      );
    }
    assertEquals([ports.length, new Set(ports).size], [6, 3]);
  });
});

Deno.test("answer() to HEAD has no body, and the next answer is its own", async () => {
  await withServer({}, async ({ server, ports }) => {
    for (let i = 0; i < 3; i++) {
      assertEquals(bodyOf(await answer(server, head("/k", "HEAD"), CLIENT, "HEAD")), "");
      assertEquals(bodyOf(await answer(server, head(), client("192.0.2.9"))), "peer 192.0.2.9");
    }
    assertEquals(new Set(ports).size, 1);
  });
});

Deno.test("answer() takes what Deno refuses by itself, and the next answer is its own", async () => {
  await withServer({}, async ({ server }) => {
    for (const [target, method] of [["/k", "CONNECT"], ["/\xff", "GET"], ["http://", "HEAD"]]) {
      const refused = await answer(server, head(target, method), CLIENT, method);
      assert(refused.startsWith("HTTP/1.1 400 "), refused);
      assertEquals(bodyOf(refused), "");
      assertEquals(bodyOf(await answer(server, head(), client("192.0.2.9"))), "peer 192.0.2.9");
    }
  });
});

Deno.test("answer() takes long answers, and the short ones after them", async () => {
  const handler: Handler = (request) => {
    const length = Number(new URL(request.url).pathname.slice(1));
    return new Response("x".repeat(length));
  };
  await withServer({ handler }, async ({ server, ports }) => {
    for (const length of [0, 1, 900, 1024, 5000, 60_000, 3]) {
      assertEquals(bodyOf(await answer(server, head(`/${length}`))).length, length);
    }
    assertEquals(new Set(ports).size, 1);
    await assertRejects(() => answer(server, head("/65536")), Error, "the server ended");
    assertEquals(bodyOf(await answer(server, head("/3"))), "xxx");
  });
});

Deno.test("a handler that throws is 500, and the connection is used again", async () => {
  const handler: Handler = (request, info) => {
    if (request.url.endsWith("/throw")) throw new Error("boom");
    if (request.url.endsWith("/reject")) return Promise.reject("a string");
    return peerAddress(request, info);
  };
  await withServer({ handler }, async ({ server, ports, errors }) => {
    for (const path of ["/throw", "/reject"]) {
      const failed = await answer(server, head(path));
      assert(failed.startsWith("HTTP/1.1 500 "), failed);
      assert(/\r\ncache-control: no-store\r\n/i.test(failed), failed);
      assertEquals(bodyOf(failed), "FAIL");
      assertEquals(bodyOf(await answer(server)), "peer 192.0.2.1");
    }
    assertEquals(errors, ["internal error: boom", "internal error: a string"]);
    assertEquals(new Set(ports).size, 1);
  });
});

Deno.test("whoever does not come through the front door is told nothing", async () => {
  let port = 0;
  const serve: Serve = (options, handler) => {
    const server = Deno.serve(options, handler);
    ({ port } = server.addr);
    return server;
  };
  await withServer({ serve }, async () => {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    await conn.write(bytes("GET /k HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
    const text = await within(new Response(conn.readable).text(), "an answer");
    assert(text.startsWith("HTTP/1.1 421 ") && !text.includes("peer"), text);
  });
});

/** A server that sends this for each head that comes, or ends the connection. */
function scripted(answers: (string | undefined)[]) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const conns: Deno.Conn[] = [];
  const each = async (conn: Deno.Conn) => {
    try {
      for (const buffer = new Uint8Array(1000); await conn.read(buffer) !== null;) {
        const answer = answers.shift();
        if (answer === undefined) break;
        await conn.write(bytes(answer));
      }
    } catch {
      // Reset.
    }
    close(conn);
  };
  const serve: Serve = ({ signal }) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    signal!.addEventListener("abort", () => {
      close(listener);
      for (const conn of conns) close(conn);
      resolve();
    });
    (async () => {
      for await (const conn of listener) {
        conns.push(conn);
        void each(conn);
      }
    })();
    return { finished: promise, addr: listener.addr as Deno.NetAddr };
  };
  return { serve, conns };
}

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK";

Deno.test("answer() asks again where a pooled connection has ended meanwhile", async () => {
  const { serve, conns } = scripted([OK, undefined, OK]);
  await withServer({ serve }, async ({ server }) => {
    assertEquals(bodyOf(await answer(server)), "OK");
    // This is read from the first connection, which then ends.
    assertEquals(bodyOf(await answer(server)), "OK");
    assertEquals(conns.length, 2);
  });
  const ended = scripted([OK, OK]);
  await withServer({ serve: ended.serve }, async ({ server }) => {
    assertEquals(bodyOf(await answer(server)), "OK");
    ended.conns[0]!.close();
    assertEquals(bodyOf(await answer(server)), "OK");
    assertEquals(ended.conns.length, 2);
  });
});

Deno.test("answer() fails where the answer is none, and never hands it to the next", async () => {
  const table: [string | undefined, string][] = [
    [undefined, "the server ended the connection"],
    ["HTTP/1.1 200 OK\r\n\r\n", "the server ended the connection"],
    ["HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n", "the server ended the connection"],
    [`HTTP/1.1 200 OK\r\nX: ${"x".repeat(1024)}\r\n\r\n`, "the server ended the connection"],
  ];
  for (const [none, message] of table) {
    const { serve, conns } = scripted([none, OK.replaceAll("OK", "no")]);
    await withServer({ serve }, async ({ server }) => {
      await assertRejects(() => answer(server), Error, message);
      assertEquals(bodyOf(await answer(server)), "no");
      assertEquals(conns.length, 2);
    });
  }
});

Deno.test("what comes behind an answer is not taken for the next one", async () => {
  const { serve, conns } = scripted([`${OK}HTTP/1.1 400 Bad Request\r\n\r\n`, OK]);
  await withServer({ serve }, async ({ server }) => {
    assertEquals(bodyOf(await answer(server)), "OK");
    assertEquals(bodyOf(await answer(server)), "OK");
    assertEquals(conns.length, 2);
  });
});

Deno.test("an answer that comes in pieces is whole", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const text = `HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n${"x".repeat(3000)}`;
  const serve: Serve = ({ signal }) => {
    const serving = (async () => {
      using conn = await listener.accept();
      await conn.read(new Uint8Array(1000));
      for (const piece of [text.slice(0, 3), text.slice(3, 41), text.slice(41, 50)]) {
        await conn.write(bytes(piece));
      }
      await conn.write(bytes(text.slice(50)));
      await conn.read(new Uint8Array(1));
    })();
    signal!.addEventListener("abort", () => close(listener));
    return { finished: serving.catch(() => {}), addr: listener.addr as Deno.NetAddr };
  };
  await withServer({ serve }, async ({ server }) => {
    assertEquals(bodyOf(await answer(server)), "x".repeat(3000));
  });
});

/** Deno's server, which also ends when the test says so, and cannot be opened so often. */
function faulty() {
  const faults: ((error: Error) => void)[] = [];
  const counts = { failures: 0 };
  const serve: Serve = (options, handler) => {
    if (faults.length > 0 && counts.failures-- > 0) throw new Error("no descriptor");
    const server = Deno.serve(options, handler);
    const fault = Promise.withResolvers<never>();
    faults.push(fault.reject);
    return { addr: server.addr, finished: Promise.race([fault.promise, server.finished]) };
  };
  return { serve, faults, counts };
}

Deno.test("a server that ends by itself is opened again, with growing pauses", async () => {
  const { serve, faults, counts } = faulty();
  const pauses: number[] = [];
  let now = 0;
  const delay = (ms: number) => Promise.resolve(pauses.push(ms));
  await withServer({ serve, delay, now: () => now }, async ({ server, complaints }) => {
    assertEquals(bodyOf(await answer(server)), "peer 192.0.2.1");
    const failAgain = async (failures: number, expected: number[]) => {
      const opened = faults.length;
      counts.failures = failures;
      faults.at(-1)!(new Error("Too many open files"));
      await until("it is open again", () => faults.length > opened);
      assertEquals(pauses.splice(0), expected);
      assertEquals(complaints.splice(0), [
        "the server on loopback stopped: Too many open files; restarting it",
        ...Array(failures).fill("the server on loopback cannot be restarted: no descriptor"),
      ]);
      assertEquals(bodyOf(await answer(server)), "peer 192.0.2.1");
    };
    now = 5000;
    await failAgain(2, [10, 20, 40]);
    // It did not hold.
    now = 6000;
    await failAgain(5, [80, 160, 320, 640, 1000, 1000]);
    now = 7001;
    await failAgain(0, [10]);
  });
});

Deno.test("requests wait while it is opened again, whatever connections it had", async () => {
  const { serve, faults } = faulty();
  const pause = Promise.withResolvers<void>();
  let isPausing = false;
  const delay = () => (isPausing = true, pause.promise);
  await withServer({ serve, delay }, async ({ server }) => {
    await answer(server);
    faults[0]!(new Error("Too many open files"));
    await until("it pauses", () => isPausing);
    const waiting = [answer(server), answer(server)];
    pause.resolve();
    for (const each of waiting) assertEquals(bodyOf(await each), "peer 192.0.2.1");
    assertEquals(faults.length, 2);
  });
});

Deno.test("stop() ends what is being answered, and nothing is opened any more", async () => {
  const { handler, called } = held();
  const complaints: string[] = [];
  let opened = 0;
  const server = new Server({
    handler,
    log: { error: () => {} },
    complain: (problem) => complaints.push(problem),
    serve: (options, handler) => (opened++, Deno.serve(options, handler)),
  });
  const outcome = assertRejects(() => answer(server, head("/held")), Error);
  await called("/held");
  await within(server.stop(), "the end");
  await within(outcome, "the end of the request");
  await assertRejects(() => answer(server), Error, "stopped");
  assertEquals([opened, complaints], [1, []]);
});
