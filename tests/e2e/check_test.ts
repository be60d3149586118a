/** `sftdyn check` against a real BIND, real certificates and real files. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { freePort, type Named, type NamedOptions, startNamed } from "../../tools/named.ts";
import { makeCertificate, PROGRAM, type Ran, run, Sftdyn, sftdyn, withFolder } from "./sftdyn.ts";

const KEY = "0123456789abcdef-secret";
const HTTP = `http = "127.0.0.1:${freePort()}"`;
const IS_ROOT = Deno.uid() === 0;
/** Whether this machine lets tests have mounts of their own. */
const CAN_MOUNT = IS_ROOT &&
  (await run(["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/run"])).code === 0;
if (!CAN_MOUNT) {
  console.log("NOT TESTED: check with another /run or /etc/resolv.conf (needs root and unshare)");
}

interface Parts {
  named: Named;
  folder: string;
  /** Writes a configuration, for this nameserver if the settings name none; its file. */
  write: (settings: string, clients?: string) => Promise<string>;
  /** Runs check on a configuration; its lines and its exit code. */
  check: (settings: string, clients?: string) => Promise<Checked>;
}

interface Checked {
  code: number;
  /** All but the last. */
  lines: string[];
  /** How many errors and warnings there are. */
  last: string;
}

async function withParts(
  body: (parts: Parts) => Promise<void>,
  options: NamedOptions = {},
): Promise<void> {
  const named = await startNamed({
    extra: 'zone "broken.example" { type master; file "missing.zone"; };',
    ...options,
  });
  try {
    await withFolder(async (folder) => {
      await makeCertificate(folder);
      const write = async (settings: string, clients = `"${KEY}" = "host.dyn.example"`) => {
        const file = `${folder}/sftdyn.toml`;
        const server = /^nameserver/m.test(settings)
          ? ""
          : `nameserver = "127.0.0.1:${named.port}"\n`;
        const nskeyfile = /^nskeyfile|^nameserver/m.test(settings)
          ? ""
          : `nskeyfile = "${named.keyFile}"\n`;
        await Deno.writeTextFile(
          file,
          `${server}${nskeyfile}${settings}\n[clients]\n${clients}\n`,
        );
        await Deno.chmod(file, 0o600);
        return file;
      };
      const check = async (settings: string, clients?: string) =>
        understood(await sftdyn(["check", await write(settings, clients)]));
      await body({ named, folder, write, check });
    });
  } finally {
    await named.stop();
  }
}

/** What check printed, if it is in its form and says nothing that it must not. */
function understood({ code, stdout, stderr }: Ran): Checked {
  assertEquals(stderr, "");
  assert(!stdout.includes(KEY), "the key is in the output");
  const lines = stdout.trimEnd().split("\n");
  const last = lines.pop()!;
  for (const line of lines) assertMatch(line, /^(ok|warning|error|note): /);
  const number = (level: string) => lines.filter((line) => line.startsWith(`${level}: `)).length;
  const counted = (noun: string) =>
    number(noun) === 1 ? `1 ${noun}` : `${number(noun) || "no"} ${noun}s`;
  const warnings = number("warning") === 0 ? "" : `, ${counted("warning")}`;
  assertEquals(last, `${counted("error")}${warnings}`);
  assertEquals(code, number("error") === 0 ? 0 : 1, stdout);
  return { code, lines, last };
}

/** The only error. */
function errorIn({ lines }: Checked): string {
  const errors = lines.filter((line) => line.startsWith("error: "));
  assertEquals(errors.length, 1, lines.join("\n"));
  return errors[0]!;
}

function assertLine(lines: string[], pattern: RegExp): void {
  assert(lines.some((line) => pattern.test(line)), `no ${pattern} in:\n${lines.join("\n")}`);
}

/** A client for each host. */
function clientsOf(hosts: string[]): string {
  return hosts.map((host, i) => `"${KEY}${i}" = "${host}"`).join("\n");
}

Deno.test("check says ok of everything that is good, one line each", async () => {
  await withParts(async ({ named, check }) => {
    const serial = await named.dig("dyn.example", "SOA");
    const [http, https] = [freePort(), freePort()];
    const { code, lines, last } = await check(
      `http = "${http}"\nhttps = "${https}"\ncert = "cert.pem"\nkey = "key.pem"`,
      clientsOf(["host.dyn.example", "*.host.dyn.example", "_acme.dyn.example", "dyn.example"]),
    );
    assertEquals(code, 0, lines.join("\n"));
    assertEquals(lines.filter((line) => !/^(ok|note): /.test(line)), []);
    assertLine(lines, new RegExp(`: http ${http}, https ${https}; 4 clients$`));
    assertLine(lines, /^ok: certificate: .*DNS:localhost.*, valid until \d{4}-\d\d-\d\d$/);
    assertLine(lines, /^ok: nskeyfile: ".*": key "local-ddns", hmac-sha256, 256 bits$/);
    assertLine(lines, /^ok: nsupdate \d+\.\d+\.\d+/);
    assertEquals(
      lines.filter((line) => line.endsWith(": zone dyn.example, A and AAAA can be set")),
      [
        "ok: host.dyn.example: zone dyn.example, A and AAAA can be set",
        "ok: *.host.dyn.example: zone dyn.example, A and AAAA can be set",
        "ok: _acme.dyn.example: zone dyn.example, A and AAAA can be set",
        "ok: dyn.example: zone dyn.example, A and AAAA can be set",
      ],
    );
    assertEquals(last, "no errors");
    assertEquals(await named.dig("dyn.example", "SOA"), serial);
  });
});

Deno.test("check finds an alias, where no address can be set", async () => {
  await withParts(async ({ named, folder, check }) => {
    const script = `server 127.0.0.1 ${named.port}
update add alias.dyn.example. 60 CNAME host.dyn.example.
update add away.dyn.example. 60 CNAME host.elsewhere.example.
send
`;
    await Deno.writeTextFile(`${folder}/script`, script);
    const { code, stderr } = await run(["nsupdate", "-k", named.keyFile, `${folder}/script`]);
    assertEquals(code, 0, stderr);
    const clients = clientsOf(["host.dyn.example", "alias.dyn.example", "away.dyn.example"]);
    const checked = await check(HTTP, clients);
    assertMatch(
      errorIn(checked),
      /^error: alias\.dyn\.example, away\.dyn\.example: nameserver .*: this name is an alias \(CNAME\) there/,
    );
    assertLine(checked.lines, /^ok: host\.dyn\.example: zone dyn\.example/);
  });
});

Deno.test("check finds a host that the nameserver has no authority for", async () => {
  await withParts(async ({ check }) => {
    const clients = clientsOf(["host.elsewhere.example", "host.broken.example"]);
    const { lines } = await check(HTTP, clients);
    assertLine(
      lines,
      /^error: host\.elsewhere\.example: nameserver 127\.0\.0\.1:\d+: REFUSED: it is not authoritative/,
    );
    assertLine(
      lines,
      /^error: host\.broken\.example: nameserver 127\.0\.0\.1:\d+: SERVFAIL: see the nameserver's log/,
    );
  });
});

Deno.test("check finds a nameserver that is not there, once for all hosts", async () => {
  await withParts(async ({ named, check }) => {
    const clients = clientsOf(["a.dyn.example", "b.dyn.example", "c.dyn.example"]);
    for (const zones of ["", '[zones."dyn.example"]']) {
      const port = freePort();
      const server = `nameserver = "127.0.0.1:${port}"\nnskeyfile = "${named.keyFile}"`;
      const checked = await check(`${HTTP}\n${server}\n${zones}`, clients);
      assertMatch(
        errorIn(checked),
        new RegExp(
          `^error: a\\.dyn\\.example and 2 more hosts: .*127\\.0\\.0\\.1:${port} cannot be reached`,
        ),
      );
    }
  });
});

/** Each is wrong for BIND; nothing of the secret is told. */
const KEY_FILES: [name: string, spoil: (key: string) => string, said: RegExp[]][] = [
  ["secret", (key) => key.replace(/secret "....../, 'secret "abcdef'), [
    /^error: host\.dyn\.example: .*: BADSIG: the TSIG key's secret is not the one/,
  ]],
  ["name", (key) => key.replace("local-ddns", "somebody"), [
    /^error: host\.dyn\.example: .*BADKEY: it does not know the key's name or algorithm/,
  ]],
  ["algorithm", (key) => key.replace("hmac-sha256", "hmac-sha512"), [
    /^error: host\.dyn\.example: .*BADKEY: .*algorithm/,
  ]],
  ["two keys", (key) => key + key.replace("local-ddns", "somebody"), [
    /^error: nskeyfile: .*: more than one key in it/,
    /^error: host\.dyn\.example: .*: nsupdate cannot use the key file/,
  ]],
  ["clause", (key) => `${key}options { directory "/"; };\n`, [
    /^error: nskeyfile: .*: something besides the key in it/,
    /^error: host\.dyn\.example: .*: nsupdate cannot use the key file/,
  ]],
  ["byte order mark", (key) => `\ufeff${key}`, [
    /^error: nskeyfile: .*: it begins with a byte order mark/,
    /^error: host\.dyn\.example: .*: nsupdate cannot use the key file/,
  ]],
];

Deno.test("check finds key files that BIND or nsupdate does not accept", async () => {
  await withParts(async ({ named, folder, check }) => {
    const good = await Deno.readTextFile(named.keyFile);
    for (const [name, spoil, said] of KEY_FILES) {
      await Deno.writeTextFile(`${folder}/spoilt.key`, spoil(good), { mode: 0o600 });
      const { lines } = await check(`${HTTP}\nnskeyfile = "spoilt.key"`);
      for (const pattern of said) assertLine(lines, pattern);
      assertEquals([name, lines.filter((line) => line.startsWith("error")).length], [
        name,
        said.length,
      ]);
      const secret = /secret "([^"]*)"/.exec(spoil(good))![1]!;
      assert(!lines.join("\n").includes(secret), "the secret is in the output");
    }
  });
});

/** A key that may do what its zone's policy says, and another. */
const POLICY = {
  policy: `update-policy {
  grant sftdyn subdomain good.dyn.example. A AAAA;
  grant sftdyn subdomain ipv4.dyn.example. A;
  grant sftdyn subdomain ipv6.dyn.example. AAAA;
  grant other subdomain other.dyn.example. ANY;
};`,
  extra: `key "sftdyn" { algorithm hmac-sha256; secret "${btoa("x".repeat(32))}"; };
key "other" { algorithm hmac-sha256; secret "${btoa("y".repeat(32))}"; };
zone "static.example" { type master; file "dyn.example.zone"; };
`,
};
const POLICY_KEY = POLICY.extra.split("\n")[0]!;

Deno.test("check finds an update-policy that is missing, or for another key, name or type", async () => {
  await withParts(async ({ named, folder, check }) => {
    await Deno.writeTextFile(`${folder}/sftdyn.key`, POLICY_KEY, { mode: 0o600 });
    const settings = `${HTTP}\nnskeyfile = "sftdyn.key"`;
    const serial = await named.dig("dyn.example", "SOA");
    const grant = "REFUSED: see named's log; the zone's update-policy must grant this key, and " +
      "the zone must not be frozen (rndc thaw)";
    const server = `nameserver 127.0.0.1:${named.port}`;
    const table: [host: string, line: string][] = [
      ["a.good.dyn.example", "ok: a.good.dyn.example: zone dyn.example, A and AAAA can be set"],
      ["a.static.example", `error: a.static.example: ${server}: ${grant}`],
      ["a.other.dyn.example", `error: a.other.dyn.example: ${server}: ${grant}`],
      ["a.dyn.example", `error: a.dyn.example: ${server}: ${grant}`],
      [
        "a.ipv4.dyn.example",
        `warning: a.ipv4.dyn.example: ${server}: AAAA cannot be set: ${grant}`,
      ],
      ["a.ipv6.dyn.example", `warning: a.ipv6.dyn.example: ${server}: A cannot be set: ${grant}`],
    ];
    for (const [host, line] of table) {
      const { lines } = await check(settings, clientsOf([host]));
      assertEquals(lines.filter((line) => line.includes(`: ${host}: `)), [line]);
    }
    assertEquals(await named.dig("dyn.example", "SOA"), serial);
  }, POLICY);
});

Deno.test("check finds the 3 of 300 hosts that the policy does not grant", async () => {
  await withParts(async ({ named, folder, check }) => {
    await Deno.writeTextFile(`${folder}/sftdyn.key`, POLICY_KEY, { mode: 0o600 });
    const hosts = Array.from(
      { length: 300 },
      (_, i) => i % 120 === 20 ? `h${i}.dyn.example` : `h${i}.good.dyn.example`,
    );
    for (const zones of ["", '\n[zones."dyn.example"]']) {
      const checked = await check(`${HTTP}\nnskeyfile = "sftdyn.key"${zones}`, clientsOf(hosts));
      assertMatch(
        errorIn(checked),
        /^error: h20\.dyn\.example, h140\.dyn\.example, h260\.dyn\.example: nameserver .*: REFUSED/,
      );
      assertLine(checked.lines, /^ok: zone dyn\.example: 297 hosts, A and AAAA can be set$/);
    }
    // Updates still work.
    assertEquals((await named.dig("dyn.example", "SOA")).length, 1);
  }, POLICY);
});

const MANY = Deno.env.get("SFTDYN_HOSTILE") === "full" ? 1_000_000 : 20_000;

Deno.test(`check probes ${MANY} hosts in few messages`, async () => {
  await withParts(async ({ named, check }) => {
    const serial = await named.dig("dyn.example", "SOA");
    const hosts = Array.from({ length: MANY }, (_, i) => `h${i}.dyn.example`);
    const { lines, last } = await check(HTTP, clientsOf(hosts));
    assertLine(lines, new RegExp(`^ok: zone dyn\\.example: ${MANY} hosts, A and AAAA can be set$`));
    assertLine(lines, /: zones were found for 1 host; the other \d+ are taken to be in their/);
    assertEquals(last, "no errors");
    assertEquals(await named.dig("dyn.example", "SOA"), serial);
  });
});

Deno.test("check finds a zone that is frozen", async () => {
  await withParts(async ({ named, check }) => {
    await named.rndc("freeze", "dyn.example");
    assertMatch(errorIn(await check(HTTP)), /^error: host\.dyn\.example: .*frozen \(rndc thaw\)$/);
    await named.rndc("thaw", "dyn.example");
    assertEquals((await check(HTTP)).last, "no errors");
  });
});

Deno.test("check finds a silent nameserver without waiting for each of its hosts", async () => {
  await withParts(async ({ named, check }) => {
    const hosts = Array.from({ length: 50 }, (_, i) => `h${i}.d${i % 7}.dyn.example`);
    named.kill("SIGSTOP");
    const started = performance.now();
    const checked = await check(`${HTTP}\ntimeout = 3`, clientsOf(hosts));
    const seconds = (performance.now() - started) / 1000;
    named.kill("SIGCONT");
    assertMatch(
      errorIn(checked),
      /^error: h0\.d0\.dyn\.example and 49 more hosts: .*: no answer in 3 s$/,
    );
    // Two timeouts; one host after the other would take 50.
    assert(seconds < 20, `${seconds} s`);
  });
});

Deno.test("check does not let one nameserver's silence hide another's hosts", async () => {
  await withParts(async ({ named, check }) => {
    const silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = silent.addr as Deno.NetAddr;
    const zone = `[zones."other.example"]\nnameserver = "127.0.0.1:${port}"`;
    const hosts = ["a.other.example", "a.dyn.example", "b.other.example"];
    const settings = `${HTTP}\ntimeout = 1\nnskeyfile = "${named.keyFile}"`;
    const checked = await check(
      `nameserver = "127.0.0.1:${named.port}"\n${settings}\n${zone}\nnskeyfile = "${named.keyFile}"`,
      clientsOf(hosts),
    );
    silent.close();
    assertMatch(errorIn(checked), /^error: a\.other\.example and 1 more host: nameserver/);
    assertLine(checked.lines, /^ok: a\.dyn\.example: zone dyn\.example/);
  });
});

/** Runs check on a machine that is this one but for what a script mounts. */
async function checkWith(script: string, file: string, command: string[] = []): Promise<Checked> {
  const machine = ["--mount", "sh", "-c", `${script}\nexec "$@"`, "sh"];
  return understood(await run(["unshare", ...machine, ...command, ...PROGRAM, "check", file]));
}

const SESSION_KEY = "mount -t tmpfs tmpfs /run && mkdir /run/named && cp";
const WITHOUT_RIGHTS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"];

Deno.test({
  name: "check finds a session key that there is none of, or that its user must not read",
  ignore: !CAN_MOUNT,
  fn: () =>
    withParts(async ({ named, write }) => {
      const file = await write(`${HTTP}\nnameserver = "127.0.0.1:${named.port}"`);
      const copy = `${SESSION_KEY} ${named.keyFile} /run/named/session.key`;
      const good = await checkWith(copy, file);
      assertEquals(good.last, "no errors", good.lines.join("\n"));
      assertMatch(
        errorIn(await checkWith(`${copy} && chmod 0 /run/named/session.key`, file, WITHOUT_RIGHTS)),
        /^error: host\.dyn\.example: .*: no session key: \/run\/named\/session\.key: permission denied: run sftdyn as named's user, or set nskeyfile$/,
      );
      assertMatch(
        errorIn(await checkWith("mount -t tmpfs tmpfs /run", file)),
        /^error: host\.dyn\.example: .*: no session key: .*: file not found: named is not running/,
      );
    }),
});

Deno.test({
  name: "check finds a resolv.conf that nsupdate ends of",
  ignore: !CAN_MOUNT,
  fn: () =>
    withParts(async ({ folder, write }) => {
      await Deno.writeTextFile(`${folder}/resolv.conf`, "nameserver nowhere\n");
      const mount = `mount --bind ${folder}/resolv.conf /etc/resolv.conf`;
      assertMatch(
        errorIn(await checkWith(mount, await write(HTTP))),
        /^error: host\.dyn\.example: .*: nsupdate ended: .*\/etc\/resolv\.conf/,
      );
    }),
});

Deno.test("check finds a port that another program has, and takes a running sftdyn for what it is", async () => {
  await withParts(async ({ folder, write, check }) => {
    const silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = silent.addr as Deno.NetAddr;
    assertMatch(
      errorIn(await check(`http = "127.0.0.1:${port}"`)),
      /^error: http 127\.0\.0\.1:\d+: in use by another program$/,
    );
    silent.close();
    const other = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      () => new Response("127.0.0.1"),
    );
    const tls = `cert = "cert.pem"\nkey = "key.pem"`;
    for (const scheme of ["http", "https"]) {
      const settings = `${scheme} = "127.0.0.1:${other.addr.port}"\n`;
      assertMatch(
        errorIn(await check(scheme === "http" ? settings : settings + tls)),
        /^error: https? 127\.0\.0\.1:\d+: in use by another program$/,
      );
    }
    await other.shutdown();
    const [http, https] = [freePort(), freePort()];
    const settings = `http = "${http}"\nhttps = "${https}"\n${tls}`;
    for (const proxies of ["", '\ntrusted_proxies = ["127.0.0.1"]']) {
      await makeCertificate(folder);
      const program = await Sftdyn.start([await write(settings + proxies)], { listeners: 2 });
      try {
        const running = await check(settings + proxies);
        assertEquals(running.last, "no errors", running.lines.join("\n"));
        assertLine(running.lines, new RegExp(`^ok: http ${http}: in use by a running sftdyn$`));
        assertLine(running.lines, new RegExp(`^ok: https ${https}: in use by a running sftdyn$`));
        // Renewed, self-signed, and not yet in use: it cannot be told.
        await makeCertificate(folder);
        const renewed = await check(settings + proxies);
        assertEquals(renewed.code, 0);
        assertLine(renewed.lines, new RegExp(`^(ok|warning): https ${https}: in use by `));
        // What is wrong with the log of a running sftdyn would be check's fault.
        assertEquals(program.count(/ (warning|error): /g), 0, program.log());
      } finally {
        assertEquals(await program.stop(), 0);
      }
    }
  });
});

Deno.test("check finds listeners that need the same port, as a start does", async () => {
  await withParts(async ({ write, check }) => {
    const port = freePort();
    const table: [listen: string, isError: boolean][] = [
      [`["${port}", "127.0.0.1:${port}"]`, true],
      [`["127.0.0.1:${port}", "${port}"]`, true],
      [`["${port}", "[::1]:${port}"]`, true],
      [`["0.0.0.0:${port}", "127.0.0.1:${port}"]`, true],
      [`["127.0.0.1:${port}", "127.0.0.2:${port}"]`, false],
    ];
    for (const [listen, isError] of table) {
      const { lines, code } = await check(`http = ${listen}`);
      assertEquals([listen, code], [listen, isError ? 1 : 0]);
      if (!isError) continue;
      assertLine(lines, /^error: http \S+: http \S+ has the same port of the same address already/);
      const started = await sftdyn([await write(`http = ${listen}`)]);
      assertEquals([listen, started.code], [listen, 1], started.stderr);
    }
  });
});

Deno.test("check finds an address that this machine has not, and a port that needs a right", async () => {
  await withParts(async ({ write, check }) => {
    assertMatch(
      errorIn(await check('http = "192.0.2.1:8080"')),
      /^error: http 192\.0\.2\.1:8080: this machine has no such address$/,
    );
    const firstFree = Number(
      await Deno.readTextFile("/proc/sys/net/ipv4/ip_unprivileged_port_start").catch(() => "0"),
    );
    if (firstFree < 2) return console.log("NOT TESTED: no port of this machine needs a right");
    const command = IS_ROOT ? ["setpriv", "--bounding-set=-net_bind_service"] : [];
    const [program, ...args] = [
      ...command,
      ...PROGRAM,
      "check",
      await write('http = "127.0.0.1:1"'),
    ];
    const { code, lines } = understood(await run([program!, ...args]));
    assertEquals(code, 0);
    assertLine(lines, /^warning: http 127\.0\.0\.1:1: permission denied: .*sftdyn\.service gives$/);
  });
});

Deno.test("check warns of a key that is a whole URL", async () => {
  await withParts(async ({ check }) => {
    const { code, lines } = await check(HTTP, `"https://dyn.example/${KEY}" = "host.dyn.example"`);
    assertEquals(code, 0);
    assertLine(
      lines,
      /^warning: .*: line 5: the key looks like a whole URL; .*server's name and its slash/,
    );
  });
});

Deno.test("check warns of a certificate without the intermediate that issued it", async () => {
  await withParts(async ({ folder, check }) => {
    const openssl = async (words: string) => {
      const { code, stderr } = await run(["openssl", ...words.split(" ")], { cwd: folder });
      assertEquals(code, 0, stderr);
    };
    const key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    await openssl(`req -x509 ${key} -days 9 -subj /CN=issuing -keyout ca.key -out ca.pem`);
    await openssl(`req ${key} -subj /CN=localhost -keyout key.pem -out leaf.csr`);
    await Deno.writeTextFile(`${folder}/leaf.ext`, "subjectAltName=DNS:localhost\n");
    await openssl(
      "x509 -req -days 30 -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial " +
        "-extfile leaf.ext -out cert.pem",
    );
    const https = `https = "127.0.0.1:${freePort()}"\ncert = "cert.pem"\nkey = "key.pem"`;
    const { code, lines } = await check(https);
    assertEquals(code, 0);
    assertLine(lines, /^warning: certificate: .*CN=issuing.*use the full chain/);
  });
});

Deno.test("check tells root how to run it as the service's user, and nobody else", async () => {
  await withParts(async ({ folder, write }) => {
    const file = await write(HTTP);
    const { stdout } = await sftdyn(["check", file]);
    const note = new RegExp(`^note: root may .*: runuser -u \\w+ -- sftdyn check ${file}$`, "m");
    assertEquals(note.test(stdout), IS_ROOT);
    if (!IS_ROOT) return;
    await run(["chown", "-R", "65534", folder]);
    const nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    const ran = await run(["setpriv", ...nobody, ...PROGRAM, "check", file]);
    if (ran.stdout === "") return console.log("NOT TESTED: nobody must not run what is tested");
    assert(!/^note/m.test(ran.stdout), ran.stdout);
  });
});

Deno.test("check shows on a terminal how far it is, and never in a pipe", async () => {
  await withParts(async ({ named, folder, write }) => {
    const file = await write(`${HTTP}\ntimeout = 3`);
    named.kill("SIGSTOP");
    const command = [...PROGRAM, "check", file].map((word) => `'${word}'`).join(" ");
    const terminal = await run(["script", "-qec", command, `${folder}/typescript`], {
      env: { NO_COLOR: "1" },
    });
    const pipe = await sftdyn(["check", file]);
    named.kill("SIGCONT");
    // deno-lint-ignore no-control-regex
    assertMatch(terminal.stdout, /\r\x1b\[K0 of 1 host probed …\r\x1b\[K/);
    // deno-lint-ignore no-control-regex
    assertMatch(terminal.stdout, /\r\x1b\[Kerror: host\.dyn\.example: .*: no answer in 3 s\r\n/);
    // deno-lint-ignore no-control-regex
    assertEquals([pipe.stderr, /[\r\x1b]/.test(pipe.stdout)], ["", false]);
  });
});

Deno.test("check, errors and the log have colour on a terminal, unless NO_COLOR is set", async () => {
  await withParts(async ({ folder, write }) => {
    const file = await write(HTTP);
    await run(["cp", file, `${folder}/bad.toml`]);
    await Deno.writeTextFile(`${folder}/bad.toml`, "oops", { append: true });
    const cases: [args: string[], plain: RegExp][] = [
      [["check", file], /^(ok): .*: http /m],
      [["check", `${folder}/bad.toml`], /^(error): .*: line \d+: /m],
      [["chekc"], /^(sftdyn): unknown command/m],
      [[`${folder}/bad.toml`], /^\S+Z (error): .*: line \d+: /m],
    ];
    for (const [args, plain] of cases) {
      const command = [...PROGRAM, ...args].map((word) => `'${word}'`).join(" ");
      const onTerminal = async (script: string) =>
        (await run(["script", "-qec", script, `${folder}/typescript`])).stdout;
      const marked = new RegExp(
        plain.source.replace(/\((\w+)\)/, String.raw`\x1b\[3[12]m$1\x1b\[0m`),
        "m",
      );
      assertMatch(await onTerminal(`env -u NO_COLOR ${command}`), marked);
      const without = await onTerminal(`NO_COLOR=1 ${command}`);
      assertMatch(without, plain);
      // deno-lint-ignore no-control-regex
      assert(!/\x1b\[\d+m/.test(without), without);
      const piped = await run(["env", "-u", "NO_COLOR", ...PROGRAM, ...args]);
      assertMatch(piped.stdout + piped.stderr, plain);
      assert(!(piped.stdout + piped.stderr).includes("\x1b"), piped.stdout + piped.stderr);
    }
  });
});

Deno.test("check finds certificates that have expired, soon will, or are not pairs", async () => {
  await withParts(async ({ folder, check }) => {
    const https = `https = "127.0.0.1:${freePort()}"\ncert = "cert.pem"\nkey = "key.pem"`;
    await makeCertificate(folder, 5);
    assertLine(
      (await check(https)).lines,
      /^warning: certificate: it expires on .*, in [45] days$/,
    );
    await makeOldCertificate(folder);
    assertLine((await check(https)).lines, /^error: certificate: it expired on 2020-02-01$/);
    await run(["openssl", "genrsa", "-out", `${folder}/key.pem`, "2048"]);
    assertLine((await check(https)).lines, /^error: .*: line 5: key: .* is not the key of /);
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
      HTTP,
      `"${KEY}" = "a.dyn.example"\n"short" = "b.dyn.example"`,
    );
    assertLine(short.lines, /^warning: .*: line 6: the key has fewer than 16 characters/);
    const none = await check(HTTP, "");
    assertLine(none.lines, /^warning: .*: no clients: nobody can update anything$/);
    await Deno.writeTextFile(
      `${folder}/open.toml`,
      `${HTTP}\n[clients]\n"${KEY}" = "a.b.example"\n`,
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
    const { lines } = await check(`${HTTP}\nnskeyfile = "bad.key"`);
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
