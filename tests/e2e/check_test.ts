/** `sftdyn check` against a real BIND, real certificates and real files. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { freePort, type Named, startNamed } from "../../tools/named.ts";
import { makeCertificate, run, sftdyn, withFolder } from "./sftdyn.ts";

const KEY = "0123456789abcdef-secret";

interface Parts {
  named: Named;
  folder: string;
  /** Runs check on a configuration; its lines and its exit code. */
  check: (settings: string, clients?: string) => Promise<{ code: number; lines: string[] }>;
}

async function withParts(body: (parts: Parts) => Promise<void>): Promise<void> {
  const named = await startNamed({
    extra: 'zone "broken.example" { type master; file "missing.zone"; };',
  });
  try {
    await withFolder(async (folder) => {
      await makeCertificate(folder);
      const check = async (settings: string, clients = `"${KEY}" = "host.dyn.example"`) => {
        const file = `${folder}/sftdyn.toml`;
        const server = /^nameserver/m.test(settings)
          ? ""
          : `nameserver = "127.0.0.1:${named.port}"\n`;
        await Deno.writeTextFile(file, `${server}${settings}\n[clients]\n${clients}\n`);
        await Deno.chmod(file, 0o600);
        const { code, stdout, stderr } = await sftdyn(["check", file]);
        assertEquals(stderr, "");
        assert(!stdout.includes(KEY), "the key is in the output");
        const lines = stdout.trimEnd().split("\n");
        for (const line of lines) assertMatch(line, /^(ok|warning|error): /);
        assertEquals(code, lines.some((line) => line.startsWith("error: ")) ? 1 : 0);
        return { code, lines };
      };
      await body({ named, folder, check });
    });
  } finally {
    await named.stop();
  }
}

function assertLine(lines: string[], pattern: RegExp): void {
  assert(lines.some((line) => pattern.test(line)), `no ${pattern} in:\n${lines.join("\n")}`);
}

Deno.test("check says ok of everything that is good, one line each", async () => {
  await withParts(async ({ named, check }) => {
    const { code, lines } = await check(
      `http = "8080"\nhttps = "4443"\ncert = "cert.pem"\nkey = "key.pem"\nnskeyfile = "${named.keyFile}"`,
    );
    assertEquals(code, 0, lines.join("\n"));
    assertEquals(lines.filter((line) => !line.startsWith("ok: ")), []);
    assertLine(lines, /: http 8080, https 4443; 1 client$/);
    assertLine(lines, /^ok: certificate: .*DNS:localhost.*, valid until \d{4}-\d\d-\d\d$/);
    assertLine(lines, /^ok: nskeyfile: key "local-ddns", hmac-sha256, 256 bits$/);
    assertLine(lines, /^ok: nsupdate \d+\.\d+\.\d+/);
    assertLine(lines, /^ok: host\.dyn\.example: zone dyn\.example, A none, AAAA none$/);
  });
});

Deno.test("check says what address a host has now", async () => {
  await withParts(async ({ named, folder, check }) => {
    const script = `server 127.0.0.1 ${named.port}
update add host.dyn.example. 60 A 203.0.113.7
update add host.dyn.example. 60 AAAA 2001:db8::7
update add alias.dyn.example. 60 CNAME host.dyn.example.
send
`;
    await Deno.writeTextFile(`${folder}/script`, script);
    const { code, stderr } = await run(["nsupdate", "-k", named.keyFile, `${folder}/script`]);
    assertEquals(code, 0, stderr);
    const clients = `"${KEY}" = "host.dyn.example"\n"${KEY}2" = "alias.dyn.example"`;
    const { lines } = await check('http = "8080"', clients);
    assertLine(
      lines,
      /^ok: host\.dyn\.example: zone dyn\.example, A 203\.0\.113\.7, AAAA 2001:db8::7$/,
    );
    assertLine(lines, /^error: alias\.dyn\.example: .*this name is an alias \(CNAME\) there/);
  });
});

Deno.test("check finds a host that the nameserver has no authority for", async () => {
  await withParts(async ({ check }) => {
    const clients = `"${KEY}1" = "host.elsewhere.example"\n"${KEY}2" = "host.broken.example"`;
    const { lines } = await check('http = "8080"', clients);
    assertLine(
      lines,
      /^error: host\.elsewhere\.example: nameserver 127\.0\.0\.1:\d+: it says REFUSED$/,
    );
    assertLine(
      lines,
      /^error: host\.broken\.example: nameserver 127\.0\.0\.1:\d+: it says SERVFAIL$/,
    );
  });
});

Deno.test("check finds a nameserver that is not there, once for all hosts", async () => {
  await withParts(async ({ check }) => {
    const clients = `"${KEY}1" = "a.dyn.example"\n"${KEY}2" = ["b.dyn.example", "c.dyn.example"]`;
    const settings = `http = "8080"\nnameserver = "127.0.0.1:${freePort()}"`;
    const { lines } = await check(settings, clients);
    assertEquals(lines.filter((line) => line.startsWith("error: ")).length, 1);
    assertLine(
      lines,
      /^error: a\.dyn\.example and 2 more hosts: .*: nothing answers at 127\.0\.0\.1:\d+$/,
    );
  });
});

Deno.test("check finds a nameserver that accepts and does not answer", async () => {
  await withParts(async ({ named, check }) => {
    named.kill("SIGSTOP");
    const { lines } = await check('http = "8080"');
    named.kill("SIGCONT");
    assertLine(lines, /^error: host\.dyn\.example: .*: no answer in 1 s$/);
  });
});

Deno.test("check finds certificates that have expired, soon will, or are not pairs", async () => {
  await withParts(async ({ folder, check }) => {
    const https = 'https = "4443"\ncert = "cert.pem"\nkey = "key.pem"';
    await makeCertificate(folder, 5);
    assertLine(
      (await check(https)).lines,
      /^warning: certificate: it expires on .*, in [45] days$/,
    );
    await makeOldCertificate(folder);
    assertLine((await check(https)).lines, /^error: certificate: it expired on 2020-02-01$/);
    await run(["openssl", "genrsa", "-out", `${folder}/key.pem`, "2048"]);
    assertLine((await check(https)).lines, /^error: .*: line 4: key: .* is not the key of /);
  });
});

/** One whose time is over: only `openssl ca` takes dates in the past. */
async function makeOldCertificate(folder: string): Promise<void> {
  await Deno.writeTextFile(
    `${folder}/ca.conf`,
    `[ca]
default_ca = old
[old]
database = ${folder}/index
serial = ${folder}/serial
new_certs_dir = ${folder}
default_md = sha256
policy = any
x509_extensions = names
[any]
commonName = supplied
[names]
subjectAltName = DNS:localhost
`,
  );
  await Deno.writeTextFile(`${folder}/index`, "");
  await Deno.writeTextFile(`${folder}/serial`, "01\n");
  const key = `${folder}/key.pem`;
  const request = ["-key", key, "-subj", "/CN=localhost", "-out", `${folder}/request`];
  await run(["openssl", "req", "-new", ...request]);
  const dates = ["-startdate", "20200101000000Z", "-enddate", "20200201000000Z"];
  const files = ["-keyfile", key, "-in", `${folder}/request`, "-out", `${folder}/cert.pem`];
  const words = ["-config", `${folder}/ca.conf`, "-selfsign", "-batch", "-notext"];
  const { code, stderr } = await run(["openssl", "ca", ...words, ...dates, ...files]);
  assertEquals(code, 0, stderr);
}

Deno.test("check warns of short keys, no clients, and files that others can read", async () => {
  await withParts(async ({ folder, check }) => {
    const short = await check(
      'http = "8080"',
      `"${KEY}" = "a.dyn.example"\n"short" = "b.dyn.example"`,
    );
    assertLine(short.lines, /^warning: .*: line 5: the key has fewer than 16 characters/);
    const none = await check('http = "8080"', "");
    assertLine(none.lines, /^warning: .*: no clients: nobody can update anything$/);
    await Deno.writeTextFile(
      `${folder}/open.toml`,
      `http = "8080"\n[clients]\n"${KEY}" = "a.b.example"\n`,
    );
    await Deno.chmod(`${folder}/open.toml`, 0o644);
    const { stdout } = await sftdyn(["check", `${folder}/open.toml`]);
    assertMatch(
      stdout,
      /^warning: .*everybody on this machine can read the keys in it: chmod o-r /m,
    );
  });
});

Deno.test("check finds a key file that is none, and a missing nsupdate", async () => {
  await withParts(async ({ folder, check }) => {
    await Deno.writeTextFile(`${folder}/bad.key`, "secret-of-nobody");
    const { lines } = await check('http = "8080"\nnskeyfile = "bad.key"');
    assertLine(
      lines,
      /^error: nskeyfile: ".*bad\.key": no key in it: expected what tsig-keygen writes/,
    );
    assert(!lines.join("\n").includes("secret-of-nobody"));
    const { code, stdout } = await sftdyn(["check", `${folder}/sftdyn.toml`], {
      env: { PATH: folder },
    });
    assertEquals(code, 1);
    assertMatch(stdout, /^error: nsupdate .*Debian: bind9-dnsutils/m);
  });
});
