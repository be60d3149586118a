/** The protocol of the secret URL, with a real BIND and a real curl. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { freePort, type Named, startNamed } from "../../tools/named.ts";
import { curl, makeCertificate, raw, Sftdyn, withFolder } from "./sftdyn.ts";

const SECRET = "0123456789abcdef-secret";
const CLIENTS = `[clients]
"${SECRET}" = "host.dyn.example"
"two-hosts-of-one-key" = ["a.dyn.example", "b.dyn.example"]
"one-good-one-bad" = ["c.dyn.example", "host.elsewhere.example"]
"?hostname=h&password=p" = "query.dyn.example"
"a%2Cb" = "escaped.dyn.example"
"x,y" = "plain.dyn.example"
"grün" = "utf8.dyn.example"
"with/slash/" = "slash.dyn.example"
"../up" = "up.dyn.example"
"ends?" = "ends.dyn.example"
"with#hash" = "hash.dyn.example"
`;

interface Parts {
  named: Named;
  program: Sftdyn;
  folder: string;
  http: number;
  https: number;
}

async function withSftdyn(settings: string, body: (parts: Parts) => Promise<void>): Promise<void> {
  const named = await startNamed();
  try {
    await withFolder(async (folder) => {
      await makeCertificate(folder);
      const [http, https] = [freePort(), freePort()];
      await Deno.writeTextFile(
        `${folder}/sftdyn.toml`,
        `http = "${http}"
https = ["127.0.0.1:${https}", "[::1]:${https}"]
cert = "cert.pem"
key = "key.pem"
nameserver = "127.0.0.1:${named.port}"
nskeyfile = "${named.keyFile}"
min_interval = 0
${settings}
${CLIENTS}`,
      );
      const program = await Sftdyn.start([`${folder}/sftdyn.toml`], { listeners: 3 });
      try {
        await body({ named, program, folder, http, https });
      } finally {
        assertEquals(await program.stop(), 0);
        assertEquals(program.count(new RegExp(SECRET, "g")), 0, "a key is in the log");
        assertEquals(program.count(/^ +at /gm), 0, `a stack trace is in the log: ${program.log()}`);
      }
    });
  } finally {
    await named.stop();
  }
}

Deno.test("a known key sets A over IPv4 and AAAA over IPv6, over HTTP and HTTPS", async () => {
  await withSftdyn("", async ({ named, program, folder, http, https }) => {
    const host = "host.dyn.example";
    const tls = ["--cacert", `${folder}/cert.pem`];
    const url = `http://127.0.0.1:${http}/${SECRET}`;
    assertEquals(await curl(url), "200 OK");
    assertEquals(await named.dig(host, "A"), ["127.0.0.1"]);
    assertEquals(await named.dig(host, "AAAA"), []);
    assertEquals(await curl(url), "200 UPTODATE");

    assertEquals(await curl(`http://[::1]:${http}/${SECRET}`), "200 OK");
    assertEquals(await named.dig(host, "AAAA"), ["::1"]);
    assertEquals(await named.dig(host, "A"), ["127.0.0.1"]);
    assertEquals(await curl(`http://[::1]:${http}/${SECRET}`), "200 UPTODATE");
    assertEquals(await curl(url), "200 UPTODATE");

    assertEquals(await curl("--interface", "127.0.0.2", url), "200 OK");
    assertEquals(await named.dig(host, "A"), ["127.0.0.2"]);
    await program.logged(/info: host\.dyn\.example A 127\.0\.0\.1 -> 127\.0\.0\.2/);

    assertEquals(await curl(...tls, `https://127.0.0.1:${https}/${SECRET}`), "200 OK");
    assertEquals(await named.dig(host, "A"), ["127.0.0.1"]);
    assertEquals(await curl(...tls, `https://[::1]:${https}/${SECRET}`), "200 UPTODATE");
    assertEquals(
      await curl(...tls, "--http1.1", `https://[::1]:${https}/${SECRET}`),
      "200 UPTODATE",
    );
  });
});

Deno.test("every row of the protocol's table is answered", async () => {
  await withSftdyn("", async ({ named, program, folder, http, https }) => {
    const tls = ["--cacert", `${folder}/cert.pem`];
    for (
      const [base, ...options] of [
        [`http://127.0.0.1:${http}`],
        [`http://[::1]:${http}`],
        [`https://127.0.0.1:${https}`, ...tls],
        [`https://127.0.0.1:${https}`, "--http1.1", ...tls],
      ] as const
    ) {
      const own = base.includes("[") ? "::1" : "127.0.0.1";
      assertEquals(await curl(...options, `${base}/`), `200 ${own}`);
      assertEquals(await curl(...options, `${base}/?`), `200 ${own}`);
      assertEquals(await curl(...options, `${base}//`), `200 ${own}`);
      assertEquals(await curl(...options, `${base}/nobody-has-this`), "403 BADKEY");
      for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"]) {
        const answer = await curl(...options, "-i", "-X", method, `${base}/${SECRET}`);
        assertMatch(answer, /^405 /);
        assertMatch(answer, /^allow: GET\r$/im, `${method}: ${answer}`);
      }
      const head = await curl(...options, "-I", `${base}/${SECRET}`);
      assertMatch(head, /^405 /);
      assertMatch(head, /^allow: GET\r$/im);
      for (const path of ["", "nobody-has-this"]) {
        const answer = await curl(...options, "-i", `${base}/${path}`);
        assertMatch(answer, /^cache-control: no-store\r$/im);
        assertMatch(answer, /^content-type: text\/plain/im);
      }
    }
    assertEquals(await named.dig("host.dyn.example", "ANY"), [], "another method changed DNS");

    const url = `http://127.0.0.1:${http}`;
    assertEquals(await curl(`${url}/two-hosts-of-one-key`), "200 OK");
    assertEquals(await named.dig("a.dyn.example", "A"), ["127.0.0.1"]);
    assertEquals(await named.dig("b.dyn.example", "A"), ["127.0.0.1"]);
    assertEquals(await curl(`${url}/one-good-one-bad`), "500 FAIL");
    assertEquals(await named.dig("c.dyn.example", "A"), ["127.0.0.1"], "the other host suffered");
    await program.logged(/error: host\.elsewhere\.example A could not be set to 127\.0\.0\.1: /);
    await program.logged(/warning: unknown key from 127\.0\.0\.1\n/);
  });
});

Deno.test("the key is the raw request target", async () => {
  await withSftdyn("", async ({ named, http }) => {
    const hosts: [target: string, host: string | undefined][] = [
      ["/a%2Cb", "escaped.dyn.example"],
      ["/x%2Cy", "plain.dyn.example"],
      ["/x,y", "plain.dyn.example"],
      ["/X,y", undefined],
      ["/?hostname=h&password=p", "query.dyn.example"],
      ["/%3Fhostname=h&password=p", "query.dyn.example"],
      ["/gr%C3%BCn", "utf8.dyn.example"],
      ["/grün", "utf8.dyn.example"],
      ["/with/slash/", "slash.dyn.example"],
      ["//with/slash/", "slash.dyn.example"],
      ["/with/slash", undefined],
      ["/with//slash/", undefined],
      ["/../up", "up.dyn.example"],
      ["/up", undefined],
      ["/ends?", "ends.dyn.example"],
      ["/ends", undefined],
      ["/x,y?", "plain.dyn.example"],
      ["/x%2Cy?", "plain.dyn.example"],
      ["/x,y??", undefined],
      ["/with%23hash", "hash.dyn.example"],
      [`http://somewhere.example/${SECRET}`, "host.dyn.example"],
      [`HTTP://somewhere.example:99//${SECRET}`, "host.dyn.example"],
      ["/gr%FCn", undefined],
      ["/%", undefined],
      ["/%zz", undefined],
      ["/" + "k".repeat(16_000), undefined],
    ];
    for (const [target, host] of hosts) {
      const request = `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`;
      const answer = await raw(http, request);
      const name = target.slice(0, 80);
      if (host === undefined) assertMatch(answer, /^HTTP\/1\.1 403 [^]*BADKEY$/, name);
      else {
        assertMatch(answer, /^HTTP\/1\.1 200 [^]*(OK|UPTODATE)$/, name);
        assertEquals(await named.dig(host, "A"), ["127.0.0.1"], name);
      }
    }
  });
});

Deno.test("hostile requests get a proper answer", async () => {
  await withSftdyn("", async ({ http, https }) => {
    const known = /^HTTP\/1\.[01] 200 [^]*(OK|UPTODATE)$/;
    const unknown = /^HTTP\/1\.[01] 403 [^]*BADKEY$/;
    const refused = /^HTTP\/1\.[01] (400|404|405|413|414|431) /;
    const own = /^HTTP\/1\.[01] 200 [^]*127\.0\.0\.1$/;
    const close = "Connection: close\r\n\r\n";
    const requests: [request: string | Uint8Array, answer: RegExp][] = [
      [`GET /${SECRET} HTTP/1.0\r\n\r\n`, known],
      [`GET /${SECRET} HTTP/1.1\r\nHost: a/b\r\n${close}`, known],
      [`GET /${SECRET} HTTP/1.1\r\nHost: a/b?c#d\r\n${close}`, known],
      [`GET /${SECRET} HTTP/1.1\r\nHost:\r\n${close}`, known],
      [`GET /${SECRET} HTTP/1.1\r\nHost: ${"h".repeat(5000)}\r\n${close}`, known],
      [`GET /${SECRET} HTTP/1.1\r\nHost: http://x/\r\n${close}`, known],
      [`GET http://x/${SECRET} HTTP/1.1\r\nHost: a/b\r\n${close}`, known],
      [`GET http://u:p@x:9/${SECRET} HTTP/1.1\r\nHost: y\r\n${close}`, known],
      [`GET http://x/ HTTP/1.1\r\nHost: y\r\n${close}`, own],
      [`GET http://x HTTP/1.1\r\nHost: y\r\n${close}`, own],
      [`GET http://x?hostname=h&password=p HTTP/1.1\r\nHost: y\r\n${close}`, known],
      // The Host header must not be able to supply a part of the key.
      [`GET /abcdef-secret HTTP/1.1\r\nHost: x/0123456789\r\n${close}`, unknown],
      [`GET /slash/ HTTP/1.1\r\nHost: x/with\r\n${close}`, unknown],
      [bytes("GET /gr", 0xfc, "n HTTP/1.1\r\nHost: x\r\n" + close), refused],
      [`GET ${SECRET} HTTP/1.1\r\nHost: x\r\n${close}`, refused],
      [`OPTIONS * HTTP/1.1\r\nHost: x\r\n${close}`, refused],
      [`GET /${"k".repeat(70_000)} HTTP/1.1\r\nHost: x\r\n${close}`, /^(HTTP\/1\.[01] 4|$)/],
      [`FOO /${SECRET} HTTP/1.1\r\nHost: x\r\n${close}`, refused],
      ["\x16\x03\x01\x00\x05hello\r\n\r\n", refused],
    ];
    for (const [request, answer] of requests) {
      const name = typeof request === "string" ? request.slice(0, 80) : "invalid UTF-8";
      assertMatch(await raw(http, request), answer, name);
    }
    // Plain HTTP to the HTTPS port: TLS hangs up; others are served.
    assert(!(await raw(https, `GET / HTTP/1.1\r\nHost: x\r\n\r\n`)).startsWith("HTTP/1.1 200"));
    assertEquals(await curl(`http://127.0.0.1:${http}/`), "200 127.0.0.1");
  });
});

function bytes(before: string, byte: number, after: string): Uint8Array {
  const encoder = new TextEncoder();
  return new Uint8Array([...encoder.encode(before), byte, ...encoder.encode(after)]);
}

Deno.test("an address that no one can reach is refused, with the reason in the log", async () => {
  const settings = 'trusted_proxies = ["127.0.0.1", "::1"]';
  await withSftdyn(settings, async ({ named, program, http }) => {
    const addresses: [address: string, reason: string][] = [
      ["169.254.1.1", "link-local"],
      ["fe80::1", "link-local"],
      ["fe80::1%eth0", "link-local"],
      ["2001:db8::1%eth0", "with a zone id"],
      ["224.0.0.1", "multicast"],
      ["ff02::1", "multicast"],
      ["0.0.0.0", "unspecified"],
      ["::", "unspecified"],
    ];
    for (const [address, reason] of addresses) {
      const header = `X-Forwarded-For: ${address}`;
      assertEquals(
        await curl("-H", header, `http://127.0.0.1:${http}/${SECRET}`),
        "500 FAIL",
        address,
      );
      await program.logged(new RegExp(`warning: key [0-9a-f]{8}: .* refused \\(${reason}\\)`));
    }
    assertEquals(await named.dig("host.dyn.example", "A"), []);
    assertEquals(await named.dig("host.dyn.example", "AAAA"), []);
  });
});

Deno.test("a trusted proxy tells the address, nobody else does", async () => {
  const settings = 'trusted_proxies = ["127.0.0.1", "10.0.0.0/8", "fd00::/8"]';
  await withSftdyn(settings, async ({ named, program, http }) => {
    const from = async (header: string, ...options: string[]) =>
      await curl("-H", header, ...options, `http://127.0.0.1:${http}/`);
    const rows: [header: string, address: string][] = [
      ["X-Forwarded-For: 203.0.113.7", "203.0.113.7"],
      ["X-Forwarded-For: 198.51.100.1, 203.0.113.7", "203.0.113.7"],
      ["X-Forwarded-For: 203.0.113.7, 10.1.2.3", "203.0.113.7"],
      ["X-Forwarded-For: 203.0.113.7, fd00::7,10.1.2.3 ", "203.0.113.7"],
      ["X-Forwarded-For: 2001:DB8:0::1", "2001:db8::1"],
      ["X-Forwarded-For: [2001:db8::1]:4711", "2001:db8::1"],
      ["X-Forwarded-For: 203.0.113.7:4711", "203.0.113.7"],
      ["X-Forwarded-For: ::ffff:203.0.113.7", "203.0.113.7"],
    ];
    for (const [header, address] of rows) {
      assertEquals(await from(header), `200 ${address}`, header);
    }
    const faults = [
      "X-Real-IP: 203.0.113.9",
      "Forwarded: for=203.0.113.9",
      "X-Forwarded-For;",
      "X-Forwarded-For: 10.9.9.9, 10.1.2.3",
      "X-Forwarded-For: unknown",
      "X-Forwarded-For: 203.0.113.7, junk",
      "X-Forwarded-For: junk, 10.1.2.3",
    ];
    for (const header of faults) {
      assertEquals(await from(header), "500 FAIL", header);
      const update = await curl("-H", header, `http://127.0.0.1:${http}/${SECRET}`);
      assertEquals(update, "500 FAIL", header);
    }
    const reason = "did not say, in X-Forwarded-For, whom it asks for";
    await program.logged(new RegExp(`warning: the proxy 127\\.0\\.0\\.1 ${reason}`));
    assertEquals(await named.dig("host.dyn.example", "A"), []);
    const stranger = ["--interface", "127.0.0.2"];
    assertEquals(await from("X-Forwarded-For: 203.0.113.7", ...stranger), "200 127.0.0.2");

    const update = ["-H", "X-Forwarded-For: 2001:db8::5", `http://127.0.0.1:${http}/${SECRET}`];
    assertEquals(await curl(...update), "200 OK");
    assertEquals(await named.dig("host.dyn.example", "AAAA"), ["2001:db8::5"]);
  });
});

Deno.test("X-Real-IP is read if it is the proxy header", async () => {
  const settings = 'trusted_proxies = ["127.0.0.1"]\nproxy_header = "X-Real-IP"';
  await withSftdyn(settings, async ({ http }) => {
    const url = `http://127.0.0.1:${http}/`;
    assertEquals(await curl("-H", "X-Real-IP: 203.0.113.7", url), "200 203.0.113.7");
    assertEquals(await curl("-H", "X-Real-IP: nonsense", url), "500 FAIL");
    assertEquals(await curl("-H", "X-Real-IP: 127.0.0.1", url), "500 FAIL");
    assertEquals(await curl("-H", "X-Forwarded-For: 203.0.113.7", url), "500 FAIL");
  });
});

Deno.test("a flood of unknown keys is summed up in the log", async () => {
  await withSftdyn("", async ({ program, http }) => {
    const started = Date.now();
    // No more at a time than one address may have connections.
    let sent = 0;
    await Promise.all(Array.from({ length: 16 }, async () => {
      while (sent < 200) {
        const response = await fetch(`http://127.0.0.1:${http}/flood-${sent++}`);
        assertEquals(await response.text(), "BADKEY");
      }
    }));
    await program.logged(/\d+ more requests were refused just now/);
    const seconds = Math.ceil((Date.now() - started) / 1000);
    const lines = program.count(/unknown key|were refused just now/g);
    assert(lines <= 10 * (seconds + 1), `${lines} lines in ${seconds} s`);
  });
});
