/** dyndns2 with a BIND and curl. */

import { assertEquals, assertMatch } from "@std/assert";
import { withServed } from "./served.ts";
import { curl, raw, run, sftdyn } from "./sftdyn.ts";

const KEY = "qqqsecret-of-the-router";
const OWN = "qqqsecret-own";
const CLIENTS = `[clients]
"${KEY}" = { host = ["home.dyn.example", "nas.dyn.example", "x.elsewhere.example"], address = "request" }
"${OWN}" = "own.dyn.example"
`;

Deno.test("dyndns2 by curl: good and nochg, over HTTP and HTTPS and both families", async () => {
  await withServed(`dyndns2 = true\n${CLIENTS}`, async ({ named, folder, http, https }) => {
    const trust = ["--cacert", `${folder}/cert.pem`];
    const bases = [`http://127.0.0.1:${http}`, `http://[::1]:${http}`, `https://[::1]:${https}`];
    for (const [i, base] of bases.entries()) {
      for (const path of ["/nic/update", "/v3/update"]) {
        const ask = (password: string, query: string) =>
          curl(...trust, "-u", `anybody:${password}`, `${base}${path}?${query}`);
        const own = base.includes("[") ? "::1" : "127.0.0.1";
        const type = base.includes("[") ? "AAAA" : "A";
        assertMatch(
          await ask(OWN, "hostname=own.dyn.example&myip=192.0.2.99"),
          new RegExp(`^200 (good|nochg) ${own}$`),
        );
        assertEquals(await named.dig("own.dyn.example", type), [own]);
        const number = 10 * (i + 1) + (path === "/nic/update" ? 1 : 2);
        const named4 = `192.0.2.${number}`, named6 = `2001:db8::${number}`;
        const query = `hostname=home.dyn.example,nas.dyn.example&myip=${named4},${named6}`;
        const both = (word: string) => `${word} ${named4},${named6}`;
        assertEquals(await ask(KEY, query), `200 ${both("good")}\n${both("good")}`);
        for (const host of ["home", "nas"]) {
          assertEquals(await named.dig(`${host}.dyn.example`, "A"), [named4]);
          assertEquals(await named.dig(`${host}.dyn.example`, "AAAA"), [named6]);
        }
        assertEquals(await ask(KEY, query), `200 ${both("nochg")}\n${both("nochg")}`);
      }
    }
  });
});

Deno.test("dyndns2 by curl: every other word, and nothing changed", async () => {
  await withServed(`dyndns2 = true\n${CLIENTS}`, async ({ named, program, http }) => {
    const url = `http://127.0.0.1:${http}/nic/update`;
    const ask = (password: string, query: string) => curl("-u", `u:${password}`, `${url}?${query}`);
    const one = "hostname=home.dyn.example";
    assertEquals(await ask(`${KEY}x`, one), "401 badauth");
    await program.logged(/^\S+ warning: unknown key from 127\.0\.0\.1$/m);
    assertEquals(await curl(`${url}?${one}`), "401 badauth");
    assertEquals(program.count(/unknown key/g), 1);
    assertMatch(await curl("-i", `${url}?${one}`), /^www-authenticate: Basic realm="sftdyn"\r$/im);
    // A client that waits for that, and then says who it is.
    assertEquals(await curl("--anyauth", "-u", `u:${OWN}`, `${url}?${one}`), "200 nohost");
    assertEquals(await ask(KEY, "hostname=nodots"), "200 notfqdn");
    assertEquals(await ask(KEY, "myip=192.0.2.1"), "200 notfqdn");
    const many = Array.from({ length: 1000 }, (_, i) => `h${i}.ab`).join(",");
    assertEquals(await ask(KEY, `hostname=${many}`), "200 numhost");
    assertEquals(await ask(KEY, `${one}&myip=192.0.2.0/24`), "200 dnserr");
    for (const method of ["HEAD", "POST", "PUT", "DELETE"]) {
      const options = method === "HEAD" ? ["-I"] : ["-X", method];
      assertMatch(await curl(...options, "-u", `u:${KEY}`, `${url}?${one}`), /^405/);
    }
    for (const host of ["home", "nas", "own"]) {
      assertEquals(await named.dig(`${host}.dyn.example`, "ANY"), [], host);
    }
    // Some fail: line by line. All fail: once more, later.
    assertEquals(
      await ask(KEY, `${one},x.elsewhere.example,y.dyn.example&myip=192.0.2.1`),
      "200 good 192.0.2.1\ndnserr\nnohost",
    );
    assertEquals(await ask(KEY, "hostname=x.elsewhere.example&myip=192.0.2.1"), "500 911");
    assertEquals(await ask(KEY, `${one}&offline=YES`), "200 good");
    assertEquals(await named.dig("home.dyn.example", "A"), []);
    await named.killed();
    assertEquals(await ask(KEY, `${one}&myip=192.0.2.2`), "500 911");
    await named.restart();
    assertEquals(await ask(KEY, `${one}&myip=192.0.2.2`), "200 good 192.0.2.2");
  });
});

Deno.test("dyndns2: heads of HTTP/1.0, and hostile ones, are answered", async () => {
  await withServed(`dyndns2 = { paths = ["/update"] }\n${CLIENTS}`, async ({ named, http }) => {
    const auth = `Authorization: Basic ${btoa(`u:${KEY}`)}\r\n`;
    const line = "GET /update?hostname=home.dyn.example&myip=192.0.2.1";
    const table: [request: string | Uint8Array, answer: RegExp][] = [
      [`${line} HTTP/1.0\r\n${auth}\r\n`, /^HTTP\/1\.1 200 [^]*\r\n\r\ngood 192\.0\.2\.1$/],
      [`${line} HTTP/1.0\r\n${auth}${auth}\r\n`, /^HTTP\/1\.1 401 [^]*\r\n\r\nbadauth$/],
      [
        `${line} HTTP/1.0\r\nAuthorization: Basic ${"A".repeat(12_000)}\r\n\r\n`,
        /^HTTP\/1\.1 401 /,
      ],
      [
        `${line} HTTP/1.0\r\nAuthorization: Basic ${"A".repeat(20_000)}\r\n\r\n`,
        /^HTTP\/1\.1 431 /,
      ],
      [`${line} HTTP/1.0\r\nAuthorization: Basic \xff\xfe\r\n\r\n`, /^HTTP\/1\.1 401 /],
      [`${line.replace("/update", "/nic/update")} HTTP/1.0\r\n${auth}\r\n`, /^HTTP\/1\.1 403 /],
    ];
    for (const [request, answer] of table) {
      assertMatch(await raw(http, request), answer, `${request}`.slice(0, 80));
    }
    assertEquals(await named.dig("home.dyn.example", "A"), ["192.0.2.1"]);
  });
});

Deno.test("what `sftdyn key --dyndns2` prints is a configuration and a request that work", async () => {
  const { code, stdout } = await sftdyn(["key", "--dyndns2", "home.dyn.example"]);
  assertEquals(code, 0);
  const [client] = /^"[0-9a-f]{40}" = .*$/m.exec(stdout)!;
  const [request] = /^curl .*$/m.exec(stdout)!;
  await withServed(`dyndns2 = true\n[clients]\n${client}`, async ({ named, folder, https }) => {
    const command = request.replace("SERVER", `127.0.0.1:${https}`)
      .replace("curl", `curl --cacert ${folder}/cert.pem`);
    const env = { no_proxy: "*" };
    assertEquals((await run(["sh", "-c", command], { env })).stdout, "good 127.0.0.1");
    assertEquals((await run(["sh", "-c", command], { env })).stdout, "nochg 127.0.0.1");
    assertEquals(await named.dig("home.dyn.example", "A"), ["127.0.0.1"]);
  });
});
