import { assert, assertEquals } from "@std/assert";
import { type Certificate, loadCertificate } from "../../lib/http/certificate.ts";
import type { Handler } from "../../lib/http/handler.ts";
import type { Serve } from "../../lib/http/http_server.ts";
import { HttpsServers } from "../../lib/http/https_server.ts";
import { createLog, limitRate } from "../../lib/log.ts";
import { freePort, output } from "../../tools/named.ts";
import { within } from "../support.ts";

let folder: string;
let first: Certificate;
let second: Certificate;

async function makeCertificate(name: string): Promise<Certificate> {
  const [cert, key] = [`${folder}/${name}.pem`, `${folder}/${name}.key`] as const;
  const options = "req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -days 30 " +
    `-keyout ${key} -out ${cert} -subj /CN=${name} -addext subjectAltName=IP:127.0.0.1,IP:::1 ` +
    // Deno as a client does not accept a CA's certificate as a server's.
    "-addext basicConstraints=CA:FALSE";
  await output("openssl", ...options.split(" "));
  return await loadCertificate(cert, key);
}

Deno.test.beforeAll(async () => {
  folder = await Deno.makeTempDir();
  [first, second] = await Promise.all([makeCertificate("first"), makeCertificate("second")]);
});

Deno.test.afterAll(() => Deno.remove(folder, { recursive: true }));

/** One of Deno's servers that was opened. */
interface Opened {
  port: number;
  finished: Promise<void>;
  /** What it would call, with whatever it would tell of the connection. */
  handler: Handler;
}

interface World {
  servers: HttpsServers;
  /** The public one, of both families. */
  port: number;
  opened: Opened[];
  lines: string[];
  /** Ends all; what is under way is answered. */
  stop(): Promise<void>;
}

interface Options {
  handler?: Handler;
  maxIdle?: number;
  /** Instead of Deno's; those of later calls are Deno's. */
  serves?: Serve[];
}

const peerAddress: Handler = (_, { remoteAddr }) => new Response(`peer ${remoteAddr.hostname}`);

/** Runs with HTTPS on loopback, and stops it. */
async function withServers(
  { handler = peerAddress, maxIdle, serves = [] }: Options,
  body: (world: World) => Promise<void>,
): Promise<void> {
  const opened: Opened[] = [];
  const lines: string[] = [];
  const log = createLog({
    write: (line) => lines.push(line.slice("2026-11-05T06:07:08.009Z ".length).trimEnd()),
  });
  const real: Serve = Deno.serve;
  const serve: Serve = (options, handler) => {
    const server = (serves.shift() ?? real)(options, handler);
    opened.push({ port: server.addr.port, finished: server.finished, handler });
    return server;
  };
  const servers = new HttpsServers(
    first,
    { handler, log, complain: limitRate(log.error), serve },
    maxIdle,
  );
  const port = freePort();
  const ports = ["127.0.0.1", "::1"].map((hostname) =>
    servers.listen(`https ${hostname}`, { hostname, port })
  );
  let stopping: Promise<void> | undefined;
  const stop = () =>
    stopping ??= (async () => {
      await Promise.all(ports.map((port) => port.stop()));
      await servers.stop();
    })();
  try {
    await body({ servers, port, opened, lines, stop });
  } finally {
    await within(stop(), "the end");
    servers.hangUp();
  }
}

/** A TLS connection to one who has this certificate, or an error. */
function connect(
  port: number,
  { cert }: Certificate,
  hostname = "127.0.0.1",
): Promise<Deno.TlsConn> {
  return within(Deno.connectTls({ hostname, port, caCerts: [cert] }), "a handshake");
}

function request(connection: "close" | "keep-alive", path = "k"): Uint8Array {
  const text = `GET /${path} HTTP/1.1\r\nHost: h\r\nConnection: ${connection}\r\n\r\n`;
  return new TextEncoder().encode(text);
}

/** Asks on a connection that stays. */
async function ask(conn: Deno.Conn): Promise<string> {
  await conn.write(request("keep-alive"));
  return await answerOn(conn);
}

/** What is read first: the answers here are small. */
async function answerOn(conn: Deno.Conn): Promise<string> {
  const buffer = new Uint8Array(4096);
  const count = await within(conn.read(buffer), "an answer");
  return new TextDecoder().decode(buffer.subarray(0, count ?? 0));
}

async function get(port: number, certificate: Certificate, hostname?: string): Promise<string> {
  using conn = await connect(port, certificate, hostname);
  await conn.write(request("close"));
  return await answerOn(conn);
}

/** Waits for the connection's end, in whatever way. */
async function ended(conn: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(4096);
  try {
    while (await within(conn.read(buffer), "the end of a connection") !== null);
  } catch (error) {
    const { ConnectionReset, UnexpectedEof } = Deno.errors;
    if (!(error instanceof ConnectionReset || error instanceof UnexpectedEof)) throw error;
  }
}

/** A handler that answers /held when it is told to, and the rest at once. */
function held() {
  const called = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<Response>();
  const handler: Handler = ({ url }) => {
    if (!url.endsWith("/held")) return new Response("now");
    called.resolve();
    return answer.promise;
  };
  return {
    handler,
    called: () => within(called.promise, "the request"),
    answer: () => answer.resolve(new Response("late")),
  };
}

Deno.test("the handler gets the address of the client, of either family", async () => {
  await withServers({}, async ({ port, lines }) => {
    for (const hostname of ["127.0.0.1", "::1"]) {
      assert((await get(port, first, hostname)).endsWith(`\r\n\r\npeer ${hostname}`));
    }
    assertEquals(lines, ["info: listening on https 127.0.0.1", "info: listening on https ::1"]);
  });
});

Deno.test("whoever connects to the server on loopback is not served", async () => {
  const peers: string[] = [];
  const handler: Handler = (request, connection) => {
    peers.push(connection.remoteAddr.hostname);
    return peerAddress(request, connection);
  };
  await withServers({ handler }, async ({ opened }) => {
    const answer = await get(opened[0]!.port, first);
    assert(answer.startsWith("HTTP/1.1 421 "), answer);
    assert(answer.endsWith("\r\n\r\n"), answer);
  });
  assertEquals(peers, []);
});

Deno.test("whoever has the port of a client's connection, but not its address, is not served", async () => {
  let ownPort = 0;
  const serve: Serve = (options, handler) =>
    (Deno.serve as Serve)(options, (request, connection) => {
      ownPort = (connection.remoteAddr as Deno.NetAddr).port;
      return handler(request, connection);
    });
  await withServers({ serves: [serve] }, async ({ port, opened }) => {
    using conn = await connect(port, first, "::1");
    assert((await ask(conn)).endsWith("peer ::1"));
    const from = async (hostname: string) => {
      const remoteAddr = { transport: "tcp", hostname, port: ownPort };
      const response = await opened[0]!.handler(new Request("https://h/"), { remoteAddr });
      return `${response.status} ${await response.text()}`;
    };
    assertEquals(await from("127.0.0.1"), "200 peer ::1");
    // A program on this machine can connect from any of its addresses (bind(2)).
    for (const hostname of ["127.0.0.2", "192.0.2.1", "::1"]) {
      assertEquals(await from(hostname), "421 ");
    }
  });
});

Deno.test("a request whose client went away at once has that client's address", async () => {
  const COUNT = 30;
  const peers = new Map<string, string>();
  const all = Promise.withResolvers<void>();
  const handler: Handler = ({ url }, { remoteAddr }) => {
    peers.set(new URL(url).pathname, remoteAddr.hostname);
    if (peers.size === COUNT) all.resolve();
    return new Response();
  };
  const expected = new Map<string, string>();
  await withServers({ handler }, async ({ port }) => {
    const clients = Array.from({ length: COUNT }, async (_, i) => {
      const hostname = i % 2 === 0 ? "127.0.0.1" : "::1";
      expected.set(`/${i}`, hostname);
      using conn = await connect(port, first, hostname);
      await conn.write(request("keep-alive", `${i}`));
      await conn.closeWrite();
    });
    await Promise.all(clients);
    await within(all.promise, "all requests");
  });
  assertEquals(new Map([...peers].sort()), new Map([...expected].sort()));
});

Deno.test("replaceCertificate() is for new connections, and the previous server stops after its last one", async () => {
  await withServers({}, async ({ servers, port, opened }) => {
    const old = await connect(port, first);
    await ask(old);
    servers.replaceCertificate(second);
    assertEquals(servers.certificate, second);
    let hasEnded = false;
    const end = opened[0]!.finished.then(() => hasEnded = true);
    assert((await get(port, second)).endsWith("peer 127.0.0.1"));
    assert((await ask(old)).endsWith("peer 127.0.0.1"));
    servers.replaceCertificate(first);
    assert((await get(port, first)).endsWith("peer 127.0.0.1"));
    // The second had no connection any more.
    await within(opened[1]!.finished, "the end of the second server");
    assert((await ask(old)).endsWith("peer 127.0.0.1"));
    assert(!hasEnded);
    old.close();
    await within(end, "the end of the first server");
    assertEquals(opened.length, 3);
  });
});

Deno.test("replaceCertificate() loses no connection that is just coming", async () => {
  await withServers({}, async ({ servers, port }) => {
    for (let i = 0; i < 50; i++) {
      const tcp = await Deno.connect({ hostname: "127.0.0.1", port });
      const answer = (async () => {
        using conn = await Deno.startTls(tcp, { hostname: "127.0.0.1", caCerts: [first.cert] });
        await conn.write(request("close"));
        return await answerOn(conn);
      })();
      if (i % 2 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
      servers.replaceCertificate(first);
      assert((await answer).endsWith("peer 127.0.0.1"), `connection ${i}`);
    }
  });
});

Deno.test("of too many idle connections the longest idle is closed", async () => {
  await withServers({ maxIdle: 3 }, async ({ port }) => {
    const conns: Deno.TlsConn[] = [];
    const open = async () => {
      const conn = await connect(port, first);
      conns.push(conn);
      assert((await ask(conn)).endsWith("peer 127.0.0.1"));
    };
    for (let i = 0; i < 3; i++) await open();
    // Not the oldest, but the one that has asked least recently.
    await ask(conns[0]!);
    await open();
    await ended(conns[1]!);
    for (const i of [0, 2, 3]) assert((await ask(conns[i]!)).endsWith("peer 127.0.0.1"), `${i}`);
    for (const conn of conns) conn.close();
  });
});

Deno.test("of too many idle connections none is closed that waits for an answer", async () => {
  const { handler, called, answer } = held();
  await withServers({ handler, maxIdle: 3 }, async ({ port }) => {
    const waiting = await connect(port, first);
    await waiting.write(request("keep-alive", "held"));
    await called();
    // Begun, and nothing more comes.
    const begun: Deno.Conn[] = [];
    for (let i = 0; i < 10; i++) begun.push(await Deno.connect({ hostname: "127.0.0.1", port }));
    for (const conn of begun.slice(0, 7)) await ended(conn);
    answer();
    assert((await answerOn(waiting)).endsWith("late"));
    assert((await ask(waiting)).endsWith("now"));
    for (const conn of [waiting, ...begun]) conn.close();
  });
});

Deno.test("of too many idle connections none is closed on which one of several requests waits", async () => {
  const { handler, called, answer } = held();
  const ports: number[] = [];
  const serve: Serve = (options, handler) =>
    (Deno.serve as Serve)(options, (request, connection) => {
      ports.push((connection.remoteAddr as Deno.NetAddr).port);
      return handler(request, connection);
    });
  await withServers({ handler, maxIdle: 3, serves: [serve] }, async ({ port }) => {
    using client = Deno.createHttpClient({ caCerts: [first.cert], http1: false });
    const fetched = async (path: string) =>
      await (await fetch(`https://127.0.0.1:${port}/${path}`, { client })).text();
    const waiting = fetched("held");
    await called();
    assertEquals(await fetched("now"), "now");
    assertEquals(ports[0], ports[1], "not on one connection");
    const begun: Deno.Conn[] = [];
    for (let i = 0; i < 10; i++) begun.push(await Deno.connect({ hostname: "127.0.0.1", port }));
    for (const conn of begun.slice(0, 7)) await ended(conn);
    answer();
    assertEquals(await within(waiting, "the answer"), "late");
    for (const conn of begun) conn.close();
  });
});

Deno.test("a connection on which the handler threw is idle again", async () => {
  for (
    const fail of [() => Promise.reject(new Error("boom")), () => {
      throw new Error("boom");
    }]
  ) {
    await withServers({ handler: fail, maxIdle: 1 }, async ({ port, lines }) => {
      using conn = await connect(port, first);
      const answer = await ask(conn);
      assert(answer.startsWith("HTTP/1.1 500 "), answer);
      assertEquals(lines.at(-1), "error: internal error: boom");
      using other = await Deno.connect({ hostname: "127.0.0.1", port });
      await ended(conn);
      assert(other !== undefined);
    });
  }
});

/** Connects so often, and resets each connection before this thread can accept it. */
async function resetAll(port: number, count: number): Promise<void> {
  const code = `
    import { connect } from "node:net";
    onmessage = async ({ data: { port, count, done } }) => {
      for (let i = 0; i < count; i++) {
        await new Promise((resolve) => {
          const socket = connect(port, "127.0.0.1", () => socket.resetAndDestroy());
          socket.on("close", resolve);
        });
      }
      Atomics.store(done, 0, 1);
      Atomics.notify(done, 0);
    };
    postMessage("ready");`;
  const url = `data:text/javascript,${encodeURIComponent(code)}`;
  const worker = new Worker(url, { type: "module" });
  const ready = Promise.withResolvers<void>();
  worker.onmessage = () => ready.resolve();
  await within(ready.promise, "a worker");
  const done = new Int32Array(new SharedArrayBuffer(4));
  worker.postMessage({ port, count, done });
  assertEquals(Atomics.wait(done, 0, 0, 30_000), "ok");
  worker.terminate();
}

Deno.test("a connection that is reset before it is accepted is no reason to close another's", async () => {
  await withServers({}, async ({ port, lines }) => {
    using conn = await connect(port, first);
    assert((await ask(conn)).endsWith("peer 127.0.0.1"));
    await resetAll(port, 20);
    assert((await ask(conn)).endsWith("peer 127.0.0.1"));
    assertEquals(lines.filter((line) => line.startsWith("error")), []);
  });
});

/** A server that has stopped by itself: nothing listens on its port. */
const endedServe: Serve = (options) => {
  const finished = Promise.withResolvers<void>();
  return {
    addr: { transport: "tcp", hostname: options.hostname!, port: freePort() },
    finished: finished.promise,
    shutdown: () => Promise.resolve(finished.resolve()),
  };
};

Deno.test("a server that stopped by itself is restarted, and whoever noticed gets an answer", async () => {
  await withServers({ serves: [endedServe] }, async ({ port, opened, lines }) => {
    const answers = await Promise.all([1, 2, 3].map(() => get(port, first)));
    for (const answer of answers) assert(answer.endsWith("peer 127.0.0.1"), answer);
    assertEquals(opened.length, 2, "opened once, whoever notices");
    assert(opened[0]!.port !== opened[1]!.port);
    assertEquals(lines.filter((line) => line.startsWith("error")), []);
  });
});

Deno.test("a connection that cannot be relayed is closed, and the log says so once a second", async () => {
  const full: Serve = () => {
    throw new Error("Too many open files (os error 24)");
  };
  await withServers({ serves: [endedServe, full, full] }, async ({ port, lines }) => {
    for (let i = 0; i < 2; i++) {
      using conn = await Deno.connect({ hostname: "127.0.0.1", port });
      await ended(conn);
    }
    assertEquals(lines.slice(2), [
      "error: https: refused a connection: Too many open files (os error 24)",
    ]);
    assert((await get(port, first)).endsWith("peer 127.0.0.1"));
  });
});

Deno.test("stop() answers what is under way, and hangs up on the rest", async () => {
  const { handler, called, answer } = held();
  await withServers({ handler }, async ({ port, stop }) => {
    const idle = await connect(port, first);
    await ask(idle);
    const waiting = await connect(port, first);
    await waiting.write(request("keep-alive", "held"));
    await called();
    const stopping = stop();
    await ended(idle);
    answer();
    assert((await answerOn(waiting)).endsWith("late"));
    await within(stopping, "the end");
    await ended(waiting);
    for (const conn of [idle, waiting]) conn.close();
  });
});

Deno.test("stop() stops previous servers, too", async () => {
  const { handler, called, answer } = held();
  await withServers({ handler }, async ({ servers, port, stop }) => {
    const waiting = await connect(port, first);
    await waiting.write(request("keep-alive", "held"));
    await called();
    servers.replaceCertificate(second);
    const stopping = stop();
    answer();
    assert((await answerOn(waiting)).endsWith("late"));
    await within(stopping, "the end");
    await ended(waiting);
    waiting.close();
  });
});

Deno.test("hangUp() closes every connection, even where a request is under way", async () => {
  const { handler, called, answer } = held();
  await withServers({ handler }, async ({ servers, port }) => {
    const conns: Deno.Conn[] = [await Deno.connect({ hostname: "127.0.0.1", port })];
    const old = await connect(port, first);
    await ask(old);
    servers.replaceCertificate(second);
    const waiting = await connect(port, second);
    await waiting.write(request("keep-alive", "held"));
    await called();
    servers.hangUp();
    for (const conn of [...conns, old, waiting]) {
      await ended(conn);
      conn.close();
    }
    answer();
    assert((await get(port, second)).endsWith("now"));
  });
});

Deno.test("listen() names a port that cannot be opened", async () => {
  await withServers({}, ({ servers, port }) => {
    let said = "";
    try {
      servers.listen("https there", { hostname: "127.0.0.1", port });
    } catch (error) {
      said = String(error);
    }
    assertEquals(said, "ListenError: https there: already in use by another program");
    return Promise.resolve();
  });
});
