import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Answer } from "../../lib/http/answer.ts";
import type { Certificate } from "../../lib/http/certificate.ts";
import { type Endpoint, endpointText } from "../../lib/endpoint.ts";
import type { Handler } from "../../lib/http/handler.ts";
import { listen, ListenError, type Listeners } from "../../lib/http/listener.ts";
import { createLog } from "../../lib/log.ts";
import { freePort, output } from "../../tools/named.ts";
import { until, within } from "../support.ts";

/** A grace that no test waits for. */
const LONG = 60_000;

let folder: string;
let certificate: Certificate;

Deno.test.beforeAll(async () => {
  folder = await Deno.makeTempDir();
  const options = "req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -days 30 " +
    `-keyout ${folder}/key.pem -out ${folder}/cert.pem ` +
    "-subj /CN=dyn.example -addext subjectAltName=IP:127.0.0.1";
  await output("openssl", ...options.split(" "));
  certificate = {
    cert: await Deno.readTextFile(`${folder}/cert.pem`),
    key: await Deno.readTextFile(`${folder}/key.pem`),
    files: ["cert.pem", "key.pem"],
    notBefore: new Date(0),
    notAfter: new Date(0),
    names: "",
    chainGap: undefined,
  };
});

Deno.test.afterAll(() => Deno.remove(folder, { recursive: true }));

interface Start {
  http?: Endpoint[];
  https?: Endpoint[];
  status?: Endpoint[];
  handler?: Handler;
  certificate?: Certificate;
}

const SETTINGS = { status: [], trustedProxies: [], maxConnections: 1000 };

const peerAddress: Handler = (_, from) => ({ status: 200, body: `peer ${from}` });

/** Listens, with `lines` of the log. */
function start(options: Start): { starting: Promise<Listeners>; lines: string[] } {
  const lines: string[] = [];
  const log = createLog({
    level: "debug",
    write: (line) => lines.push(line.slice("2026-11-05T06:07:08.009Z ".length)),
  });
  const starting = listen({
    http: [],
    https: [],
    handler: peerAddress,
    statusHandler: () => ({ status: 200, body: "status" }),
    certificate,
    log,
    ...SETTINGS,
    ...options,
  });
  return { starting, lines };
}

function endpoint(hostname: string | undefined = "127.0.0.1", port = freePort()): Endpoint {
  return { hostname, port };
}

/** Opens a connection and sends this. */
async function send({ hostname = "127.0.0.1", port }: Endpoint, text: string): Promise<Deno.Conn> {
  const conn = await Deno.connect({ hostname, port });
  await conn.write(new TextEncoder().encode(text));
  return conn;
}

/** Everything that comes until the connection ends in whatever way; closes it. */
async function receive(conn: Deno.Conn): Promise<string> {
  let text = "";
  try {
    for await (const part of conn.readable.pipeThrough(new TextDecoderStream())) text += part;
  } catch {
    // Reset.
  }
  return text;
}

const GET = "GET /k HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

async function get(to: Endpoint): Promise<string> {
  return await within(receive(await send(to, GET)), `an answer of ${endpointText(to)}`);
}

/** Nothing listens there any more, and it can be listened on. */
function assertFree({ hostname = "0.0.0.0", port }: Endpoint): void {
  Deno.listen({ hostname, port }).close();
}

/** Waits until nothing listens there: a closing listener may still reset what comes. */
async function refused({ hostname = "127.0.0.1", port }: Endpoint): Promise<void> {
  await until(`${hostname}:${port} listens no more`, async () => {
    try {
      (await Deno.connect({ hostname, port })).close();
      return false;
    } catch (error) {
      return error instanceof Deno.errors.ConnectionRefused;
    }
  });
}

/** A handler that answers when it is told to, and tells when it is called. */
function held() {
  const called = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<Answer>();
  const handler: Handler = () => {
    called.resolve();
    return answer.promise;
  };
  return {
    handler,
    called: called.promise,
    answer: () => answer.resolve({ status: 200, body: "late" }),
  };
}

Deno.test("listen() starts every server, of both families, and says so", async () => {
  const http = [endpoint(), endpoint("::1"), endpoint()];
  const { starting, lines } = start({ http });
  const listeners = await starting;
  for (const each of http) assert((await get(each)).endsWith(`peer ${each.hostname}`));
  await listeners.stop(LONG);
  assertEquals(lines, http.map((each) => `info: listening on http ${endpointText(each)}\n`));
  for (const each of http) assertFree(each);
});

Deno.test("listen() serves HTTPS with the certificate, beside HTTP", async () => {
  const http = [endpoint()];
  const https = [endpoint()];
  const { starting, lines } = start({ http, https });
  const listeners = await starting;
  assert((await get(http[0]!)).endsWith("peer 127.0.0.1"));
  const url = `https://${endpointText(https[0]!)}/k`;
  assertEquals(
    await output("curl", "-sS", "--cacert", `${folder}/cert.pem`, url),
    "peer 127.0.0.1",
  );
  assert(!(await get(https[0]!)).includes("peer"), "HTTP on the port of HTTPS");
  await listeners.stop(LONG);
  assertEquals(lines[1], `info: listening on https ${endpointText(https[0]!)}\n`);
});

Deno.test("listen() on a port alone takes both families", async () => {
  const port = freePort();
  const { starting, lines } = start({ http: [{ hostname: undefined, port }] });
  const listeners = await starting;
  assertEquals(lines[0], `info: listening on http [::]:${port}\n`);
  assert(/peer (::ffff:)?127\.0\.0\.1$/.test(await get({ hostname: "127.0.0.1", port })));
  assert((await get({ hostname: "::1", port })).endsWith("peer ::1"));
  await listeners.stop(LONG);
});

Deno.test("listen() names the server that cannot be started, and why", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  const bad = { ...certificate, key: "SECRET" };
  const table: [Start, string][] = [
    [
      { http: [endpoint("127.0.0.1", port)] },
      `http 127.0.0.1:${port}: already in use by another program`,
    ],
    [
      { https: [endpoint("127.0.0.1", port)] },
      `https 127.0.0.1:${port}: already in use by another program`,
    ],
    [{ http: [{ hostname: undefined, port }] }, `:${port}: already in use by another program`],
    // TEST-NET-2 of RFC 5737.
    [{ http: [endpoint("198.51.100.1", 4711)] }, "198.51.100.1:4711: this machine has no such"],
    [{ https: [endpoint("127.0.0.1", 4712)], certificate: bad }, "https: "],
  ];
  for (const [options, message] of table) {
    const { starting, lines } = start(options);
    const error = await assertRejects(() => starting, ListenError, message);
    assert(!error.message.includes("SECRET"), error.message);
    assertEquals(lines, []);
  }
});

Deno.test("listen() on a port alone is not satisfied with one family", async () => {
  using taken = Deno.listen({ hostname: "::1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  const { starting } = start({ http: [{ hostname: undefined, port }] });
  const stopping = starting.then((listeners) => listeners.stop(LONG), () => {});
  try {
    await assertRejects(() => starting, ListenError, `${port}: already in use by another program`);
  } finally {
    await stopping;
  }
});

Deno.test("a handler that throws is 500 and a line without a stack trace", async () => {
  const boom = new Error("boom");
  const table: [Handler, string][] = [
    [() => {
      throw boom;
    }, "boom"],
    [() => Promise.reject(boom), "boom"],
    [() => Promise.reject("a string"), "a string"],
  ];
  for (const [handler, message] of table) {
    const http = [endpoint()];
    const { starting, lines } = start({ http, handler });
    const listeners = await starting;
    const [head, body] = (await get(http[0]!)).split("\r\n\r\n");
    assert(head!.startsWith("HTTP/1.1 500 ") && /^cache-control: no-store$/im.test(head!), head);
    assertEquals(body, "FAIL");
    await listeners.stop(LONG);
    assertEquals(lines.slice(1), [`error: internal error: ${message}\n`]);
  }
});

Deno.test("stop() takes nothing new, and answers what is in flight", async () => {
  const http = [endpoint(), endpoint("::1")];
  const { handler, called, answer } = held();
  const listeners = await start({ http, handler }).starting;
  const conn = await send(http[0]!, GET);
  await within(called, "the request");
  const stopping = listeners.stop(LONG);
  for (const each of http) await refused(each);
  answer();
  assert((await within(receive(conn), "the answer")).endsWith("late"));
  await within(stopping, "the end");
  for (const each of http) assertFree(each);
});

Deno.test("stop() does not wait for connections on which nothing is asked", async () => {
  for (const text of ["", "GET /k HT", GET.replace("close", "keep-alive")]) {
    const http = [endpoint()];
    const listeners = await start({ http }).starting;
    const conn = await send(http[0]!, text);
    // It is accepted when a later one is answered.
    await get(http[0]!);
    await within(listeners.stop(LONG), `the end with ${JSON.stringify(text)}`);
    await receive(conn);
  }
});

Deno.test("stop() ends although a request hangs, once the grace is over", async () => {
  const http = [endpoint(), endpoint()];
  const { handler, called, answer } = held();
  const listeners = await start({ http, handler }).starting;
  const conn = await send(http[0]!, GET);
  await within(called, "the request");
  try {
    await within(listeners.stop(50), "the end");
    for (const each of http) assertFree(each);
  } finally {
    answer();
    await receive(conn);
  }
});

Deno.test("stop() ends although a TLS handshake hangs, once the grace is over", async () => {
  const https = [endpoint()];
  const listeners = await start({ https }).starting;
  const conn = await send(https[0]!, "\x16\x03\x01");
  try {
    await get(https[0]!);
    await within(listeners.stop(50), "the end");
    assertFree(https[0]!);
  } finally {
    conn.close();
  }
});

Deno.test("listen() leaves nothing listening if one server cannot be started", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  for (const scheme of ["http", "https"] as const) {
    const good = [endpoint(), endpoint("::1")];
    const http = scheme === "http" ? [...good, endpoint("127.0.0.1", port)] : good;
    const https = scheme === "https" ? [endpoint("127.0.0.1", port)] : [];
    const { starting } = start({ http, https });
    await assertRejects(() => starting, ListenError, `${scheme} 127.0.0.1:${port}: already`);
    for (const each of good) assertFree(each);
  }
});

function wanted(http: Endpoint[], https: Endpoint[] = [], used = certificate) {
  return { http, https, certificate: used, ...SETTINGS };
}

/** A different certificate. */
async function anotherCertificate(): Promise<Certificate> {
  const options = "req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -days 30 " +
    `-keyout ${folder}/other_key.pem -out ${folder}/other.pem ` +
    "-subj /CN=dyn.example -addext subjectAltName=IP:127.0.0.1";
  await output("openssl", ...options.split(" "));
  const [cert, key] = await Promise.all(
    ["other", "other_key"].map((name) => Deno.readTextFile(`${folder}/${name}.pem`)),
  );
  return { ...certificate, cert: cert!, key: key! };
}

function getTls(to: Endpoint, trusted = "cert.pem"): Promise<string> {
  const url = `https://${endpointText(to)}/k`;
  return output("curl", "-sS", "--cacert", `${folder}/${trusted}`, url);
}

Deno.test("those who watch have ports and connections of their own", async () => {
  const [open, watched, moved] = [endpoint(), endpoint(), endpoint()];
  const { starting, lines } = start({ http: [open], status: [watched] });
  const listeners = await starting;
  const waiting = await send(watched, "GET /k HTTP/1.1\r\n");
  assert((await get(watched)).endsWith("status"));
  const staying = await send(open, "GET /k HTTP/1.1\r\n");
  await until("it is let in", () => listeners.connections.strangers === 1);
  await listeners.update({ ...SETTINGS, http: [open], https: [], certificate, status: [moved] });
  assert((await get(moved)).endsWith("status"));
  await refused(watched);
  await waiting.write(new TextEncoder().encode("\r\n"));
  assert((await within(receive(waiting), "its answer")).endsWith("status"));
  assertEquals(
    lines.filter((line) => line.includes("status")),
    [
      `info: listening on status ${endpointText(watched)}`,
      `info: listening on status ${endpointText(moved)}`,
    ].map((line) => `${line}\n`),
  );
  await within(listeners.stop(LONG), "the end");
  assertEquals(await receive(staying), "");
  assertFree(moved);
});

Deno.test("update() starts what is new, stops what is no longer wanted, and leaves the rest", async () => {
  const [a, b, c, d] = [endpoint(), endpoint("::1"), endpoint(), endpoint()];
  const first = held();
  const handler: Handler = (request, connection) =>
    request.target === "/held"
      ? first.handler(request, connection)
      : peerAddress(request, connection);
  const { starting, lines } = start({ http: [a, b], handler });
  const listeners = await starting;
  const staying = await send(a, "GET /k HTTP/1.1\r\n");
  const inFlight = await send(b, GET.replace("/k", "/held"));
  await within(first.called, "the request");
  await listeners.update(wanted([c, a], [d]));
  await refused(b);
  first.answer();
  assert((await within(receive(inFlight), "the answer of one that is stopped")).endsWith("late"));
  assert((await get(c)).endsWith("peer 127.0.0.1"));
  assertEquals(await getTls(d), "peer 127.0.0.1");
  await staying.write(new TextEncoder().encode("Host: h\r\nConnection: close\r\n\r\n"));
  const answer = await within(receive(staying), "the answer of one that stays");
  assert(answer.endsWith("peer 127.0.0.1"), answer);
  await listeners.update(wanted([a]));
  for (const each of [c, d]) await refused(each);
  await listeners.stop(LONG);
  assertEquals(
    lines,
    [["http", a], ["http", b], ["http", c], ["https", d]].map(([scheme, each]) =>
      `info: listening on ${scheme} ${endpointText(each as Endpoint)}\n`
    ),
  );
});

Deno.test("update() to the same does nothing", async () => {
  const [http, https] = [[endpoint()], [endpoint()]];
  const { starting, lines } = start({ http, https });
  const listeners = await starting;
  const staying = await send(http[0]!, "GET /k HTTP/1.1\r\n");
  await listeners.update(wanted([...http], [...https], { ...certificate, files: ["x", "y"] }));
  await staying.write(new TextEncoder().encode("\r\n"));
  assert((await within(receive(staying), "the answer")).endsWith("peer 127.0.0.1"));
  await listeners.stop(LONG);
  assertEquals(lines.length, 2);
});

Deno.test("update() changes scheme and address of a port that it has", async () => {
  const port = freePort();
  const [one, other] = [endpoint("127.0.0.1", port), endpoint()];
  const listeners = await start({ http: [one], https: [other] }).starting;
  await listeners.update(wanted([other], [one]));
  assert((await get(other)).endsWith("peer 127.0.0.1"));
  assertEquals(await getTls(one), "peer 127.0.0.1");
  await listeners.update(wanted([{ hostname: undefined, port }], [other]));
  assert((await get({ hostname: "::1", port })).endsWith("peer ::1"));
  assertEquals(await getTls(other), "peer 127.0.0.1");
  await listeners.update(wanted([one]));
  assert((await get(one)).endsWith("peer 127.0.0.1"));
  await refused({ hostname: "::1", port });
  await listeners.stop(LONG);
  assertFree(one);
});

Deno.test("update() that cannot start one leaves everything as it was", async () => {
  using taken = Deno.listen({ hostname: "::1", port: freePort() });
  const { port } = taken.addr as Deno.NetAddr;
  const own = endpoint();
  using half = Deno.listen({ hostname: "::1", port: own.port });
  assertEquals((half.addr as Deno.NetAddr).port, own.port);
  const other = await anotherCertificate();
  const [http, https, fresh] = [[own, endpoint()], [endpoint()], endpoint()];
  const table: [http: Endpoint[], https: Endpoint[]][] = [
    [[fresh, endpoint("::1", port)], []],
    [[fresh], [endpoint("::1", port)]],
    [[fresh, { hostname: undefined, port }], https],
    // Its own port has to be given up first.
    [[fresh, { hostname: undefined, port: own.port }], []],
    [[fresh, http[1]!], [{ hostname: undefined, port: own.port }]],
  ];
  for (const [i, [newHttp, newHttps]] of table.entries()) {
    const { starting } = start({ http, https });
    const listeners = await starting;
    await assertRejects(
      () => listeners.update(wanted(newHttp, newHttps, other)),
      ListenError,
      "already in use by another program",
    );
    for (const each of http) assert((await get(each)).endsWith("peer 127.0.0.1"), `case ${i}`);
    assertEquals(await getTls(https[0]!), "peer 127.0.0.1", `case ${i}`);
    await refused(fresh);
    await listeners.stop(LONG);
  }
});

Deno.test("update() that cannot use the certificate leaves everything as it was", async () => {
  const [http, https, fresh] = [[endpoint()], [endpoint()], endpoint()];
  const bad = { ...certificate, key: "SECRET" };
  for (const before of [https, []]) {
    const listeners = await start({ http, https: before }).starting;
    const error = await assertRejects(
      () => listeners.update(wanted([fresh], https, bad)),
      ListenError,
      "https: ",
    );
    assert(!error.message.includes("SECRET"), error.message);
    assert((await get(http[0]!)).endsWith("peer 127.0.0.1"));
    if (before.length > 0) assertEquals(await getTls(https[0]!), "peer 127.0.0.1");
    else await refused(https[0]!);
    await refused(fresh);
    await listeners.stop(LONG);
  }
});

Deno.test("update() has new connections get the new certificate", async () => {
  const [http, https] = [[endpoint()], [endpoint(), endpoint()]];
  const other = await anotherCertificate();
  const { starting, lines } = start({ http, https });
  const listeners = await starting;
  await listeners.update(wanted(http, https, other));
  for (const each of https) assertEquals(await getTls(each, "other.pem"), "peer 127.0.0.1");
  await assertRejects(() => getTls(https[0]!), Error, "certificate");
  await listeners.stop(LONG);
  assertEquals(lines.map((line) => line.split(" on ")[0]), Array(3).fill("info: listening"));
});

Deno.test("stop() answers what is in flight over HTTPS, with a previous certificate, too", async () => {
  const https = [endpoint()];
  const { handler, called, answer } = held();
  const listeners = await start({ https, handler }).starting;
  const answering = getTls(https[0]!);
  await within(called, "the request");
  await listeners.update(wanted([], https, await anotherCertificate()));
  const stopping = listeners.stop(LONG);
  await refused(https[0]!);
  answer();
  assertEquals(await answering, "late");
  await within(stopping, "the end");
});
