/** Who gets in at the front door, for how long, and with what, over HTTP and HTTPS. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { within } from "../support.ts";
import { curl, run, until } from "./sftdyn.ts";
import { loopback, Stranger } from "./stranger.ts";
import { figure, KEY, type Scheme, SCHEMES, type Victim, withVictim } from "./victim.ts";

const encoder = new TextEncoder();

async function open(victim: Victim, scheme: Scheme): Promise<Deno.TcpConn | Deno.TlsConn> {
  const address = { hostname: "127.0.0.1", port: victim[scheme] };
  if (scheme === "http") return await Deno.connect(address);
  const conn = await Deno.connectTls({ ...address, caCerts: [victim.trust] });
  await conn.handshake();
  return conn;
}

async function send(conn: Deno.Conn, text: string): Promise<void> {
  for (let left = encoder.encode(text); left.length > 0;) {
    left = left.subarray(await conn.write(left));
  }
}

/** What comes until the connection ends, in whatever way; closes it. */
async function receive(conn: Deno.Conn): Promise<string> {
  const decoder = new TextDecoder();
  const chunk = new Uint8Array(16_384);
  let text = "";
  try {
    for (let count; (count = await conn.read(chunk)) !== null;) {
      text += decoder.decode(chunk.subarray(0, count), { stream: true });
    }
  } catch {
    // Reset.
  }
  conn.close();
  return text;
}

async function answerTo(victim: Victim, scheme: Scheme, request: string): Promise<string> {
  const conn = await open(victim, scheme);
  await send(conn, request).catch(() => {});
  return await within(receive(conn), `an answer to ${request.slice(0, 60)}`);
}

const HALF = "GET / HTTP/1.1\r\nHost: x\r\n";
/** Milliseconds: what the head of a request has, and what a busy machine may add. */
const HEAD_TIME = 10_000, MARGIN = 10_000;

Deno.test("a head that is not there after 10 s ends the connection, whatever it is busy with", async () => {
  await withVictim(async (victim) => {
    const started = Date.now();
    const ends: [name: string, isEnded: () => boolean][] = [];
    const first = (scheme: Scheme, text: string) => {
      const stranger = new Stranger(victim[scheme], loopback(ends.length));
      stranger.send(text);
      ends.push([`${scheme} ${JSON.stringify(text)}`, () => stranger.isEnded]);
      return stranger;
    };
    const dripping = [first("http", "G"), first("https", "\x16")];
    // Of a TLS handshake that is not finished Deno ends nothing; past so many it is ended by us.
    for (const text of ["", HALF, "\r\n"]) first("http", text);
    for (const text of ["", HALF]) {
      const conn = await open(victim, "https");
      await send(conn, text);
      let isEnded = false;
      void receive(conn).then(() => isEnded = true);
      ends.push([`in TLS ${JSON.stringify(text)}`, () => isEnded]);
    }
    const drip = setInterval(() => dripping.forEach((each) => each.send("x")), 1000);
    try {
      await until("all but TLS handshakes are ended", () => {
        return ends.every(([name, isEnded]) => name.startsWith("https") || isEnded());
      }, HEAD_TIME + MARGIN);
      const ms = Date.now() - started;
      assert(ms > HEAD_TIME - 1000, `ended after ${ms} ms`);
      figure(`ended after ${ms} ms`, ms < HEAD_TIME + 1000);
    } finally {
      clearInterval(drip);
      for (const each of dripping) each.close();
    }
  });
});

Deno.test("TLS handshakes that are never finished do not pile up", async () => {
  // 320 connections, 10 for each address.
  await withVictim(async (victim) => {
    const strangers: Stranger[] = [];
    const sockets = async () => {
      let count = 0;
      for await (const { name } of Deno.readDir(`/proc/${victim.program.pid}/fd`)) {
        const to = await Deno.readLink(`/proc/${victim.program.pid}/fd/${name}`).catch(() => "");
        if (to.startsWith("socket:")) count++;
      }
      return count;
    };
    // Three waves, each of which makes the one before leave.
    for (let i = 0; i < 3000; i++) {
      const stranger = new Stranger(victim.https, loopback(i));
      stranger.send("\x16\x03\x01\x02\x00\x01");
      strangers.push(stranger);
      if (i % 100 === 0) assertEquals(await victim.ask("https"), "200 UPTODATE");
    }
    assertEquals(await victim.ask("https"), "200 UPTODATE");
    const most = await sockets();
    // Each that waits needs three sockets at most; and those of Deno's that are stuck.
    assert(most < 3 * 320 + 500, `${most} sockets`);
    for (const stranger of strangers) stranger.close();
    await until("the sockets are closed", async () => await sockets() < 30);
  }, { settings: "min_interval = 0\nmax_connections = 320" });
});

for (const scheme of SCHEMES) {
  Deno.test(`one request a connection over ${scheme}: its answer, and nothing after it`, async () => {
    await withVictim(async (victim) => {
      const other = "GET /other HTTP/1.1\r\nHost: x\r\n\r\n";
      const requests = [
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "GET / HTTP/1.1\nHost: x\n\n",
        "\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" +
        "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
        "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        `GET / HTTP/1.1\r\nContent-Length: ${other.length}\r\n\r\n`,
        "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
        "GET / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n",
        "GET / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
      ];
      for (const request of requests) {
        const answer = await answerTo(victim, scheme, request + other);
        assertMatch(answer, /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n127\.0\.0\.1$/, request);
        assertMatch(answer, /\r\nconnection: close\r\n/i, request);
        assertMatch(answer, /\r\ncache-control: no-store\r\n/i, request);
      }
      assertEquals(await victim.named.dig("other.dyn.example", "A"), [], "the second request");
      assertEquals(victim.program.count(/other\.dyn/g), 0);
    });
  });

  Deno.test(`what is no request is refused over ${scheme}`, async () => {
    await withVictim(async (victim) => {
      const lines = (length: number) => {
        const start = "GET / HTTP/1.1\r\nA: ";
        return `${start}${"a".repeat(length - start.length - 4)}\r\n\r\n`;
      };
      const requests: [request: string, status: string][] = [
        [lines(16 * 1024), "200"],
        [lines(16 * 1024 + 1), "431"],
        [`GET /${"k".repeat(70_000)} HTTP/1.1\r\n\r\n`, "431"],
        [`GET / HTTP/1.1\r\n${"A: b\r\n".repeat(101)}\r\n`, "431"],
        ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"],
        ["GET / HTTP/3.0\r\n\r\n", "505"],
        ["GET /\r\n\r\n", "400"],
        ["GET * HTTP/1.1\r\n\r\n", "400"],
        ["CONNECT x:1 HTTP/1.1\r\n\r\n", "400"],
        ["GET  / HTTP/1.1\r\n\r\n", "400"],
        ["GET / HTTP/1.1\r\nA : b\r\n\r\n", "400"],
        ["GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", "400"],
        ["GET / HTTP/1.1\r\nA: b\0\r\n\r\n", "400"],
        ["GET / HTTP/1.1\r\nA: b\rGET /other HTTP/1.1\r\n\r\n", "400"],
        ["GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"],
        ["HEAD / HTTP/1.1\r\n\r\n", "405"],
        [`HEAD /${KEY} HTTP/1.1\r\n\r\n`, "405"],
        [`POST /${KEY} HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc`, "405"],
        ["get / HTTP/1.1\r\n\r\n", "405"],
      ];
      for (const [request, status] of requests) {
        const answer = await answerTo(victim, scheme, request);
        assertEquals(answer.slice(0, 13), `HTTP/1.1 ${status} `, request.slice(0, 80));
        assertMatch(answer, /\r\nconnection: close\r\n/i, request.slice(0, 80));
      }
    });
  });

  Deno.test(`a client that closes its half after the request is answered over ${scheme}`, async () => {
    await withVictim(async (victim) => {
      for (const [i, key] of ["", KEY, "other"].entries()) {
        const conn = await open(victim, scheme);
        await send(conn, `GET /${key} HTTP/1.1\r\nHost: x\r\n\r\n`);
        await conn.closeWrite();
        const body = ["127.0.0.1", "OK", "OK"][i]!;
        const answer = await within(receive(conn), "an answer");
        assert(answer.endsWith(`\r\n\r\n${body}`), answer);
      }
    });
  });

  const IDLE: Record<string, string> = {
    "nothing": "",
    "half a head": HALF,
    "an answered request": "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "an answered POST without its body": "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n",
  };
  for (const [name, text] of Object.entries(IDLE)) {
    Deno.test(`a connection over ${scheme} with ${name} does not delay SIGTERM`, async () => {
      await withVictim(async (victim) => {
        const conn = await open(victim, scheme);
        await send(conn, text);
        await assertEndsSoon(victim);
        conn.close();
      }, { endsItself: true });
    });
  }
}

Deno.test("an unfinished TLS handshake does not delay SIGTERM", async () => {
  await withVictim(async (victim) => {
    const strangers = ["", "\x16\x03", "\x16\x03\x01\x02\x00\x01"].map((text, i) => {
      const stranger = new Stranger(victim.https, loopback(i));
      stranger.send(text);
      return stranger;
    });
    assertEquals(await victim.ask("https"), "200 UPTODATE");
    await assertEndsSoon(victim);
    for (const each of strangers) each.close();
  }, { endsItself: true });
});

/** Ends it as systemd does. That took 10 s where it waited for connections that have no request. */
async function assertEndsSoon({ program }: Victim): Promise<void> {
  const started = performance.now();
  program.kill("SIGTERM");
  assertEquals(await program.ended(), 0);
  const ms = performance.now() - started;
  assert(ms < 5000, `${ms} ms`);
  figure(`ended after ${ms.toFixed(0)} ms`, ms < 500);
}

Deno.test("HTTP/2 is offered nowhere, and nothing of it is in the log", async () => {
  await withVictim(async (victim) => {
    const trust = ["--cacert", `${victim.folder}/cert.pem`];
    const version = "%{http_version} ";
    const url = `https://127.0.0.1:${victim.https}/`;
    const { stdout } = await run(["curl", "-s", "--http2", "-w", version, ...trust, url]);
    assertEquals(stdout, "127.0.0.11.1 ");
    const plain = `http://127.0.0.1:${victim.http}/`;
    assertEquals((await run(["curl", "-s", "--http2-prior-knowledge", plain])).code !== 0, true);
    assertEquals(await curl("--http2", plain), "200 127.0.0.1");
    assert(!/^(?!\d{4}-)/m.test(victim.program.log().trimEnd()), victim.program.log());
  });
});

Deno.test("a trusted proxy's connection is kept, and its half is closed after the answer", async () => {
  const settings = 'min_interval = 0\ntrusted_proxies = ["127.0.0.1"]';
  await withVictim(async (victim) => {
    for (const scheme of SCHEMES) {
      const url = `${scheme}://127.0.0.1:${victim[scheme]}/`;
      const { stderr } = await run([
        "curl",
        "-sv",
        "--cacert",
        `${victim.folder}/cert.pem`,
        "-H",
        "X-Forwarded-For: 192.0.2.1",
        url,
        `${url}${KEY}`,
        `${url}nobody`,
      ]);
      assertEquals(
        stderr.match(/Re-using existing (http: |https: )?connection/g)?.length,
        2,
        stderr,
      );
      const conn = await open(victim, scheme);
      await send(conn, `GET /${KEY} HTTP/1.1\r\nX-Forwarded-For: 192.0.2.9\r\n\r\n`);
      await conn.closeWrite();
      assertMatch(await within(receive(conn), "an answer"), /\r\n\r\n(OK|UPTODATE)$/);
    }
    assertEquals(await victim.named.dig("host.dyn.example", "A"), ["192.0.2.9"]);
  }, { settings });
});
