/** What can be wrong around sftdyn, each caused for real: a clear line, the right exit code or FAIL. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { freePort, type Named, startNamed } from "../../tools/named.ts";
import { findProgram } from "../../tools/setup.ts";
import { V1_CERTIFICATE, V1_KEY } from "../v1_certificate.ts";
import {
  curl,
  makeCertificate,
  PROGRAM,
  run,
  Sftdyn,
  sftdyn,
  until,
  withFolder,
} from "./sftdyn.ts";

const KEY = "0123456789abcdef-secret";

/** sftdyn without root's rights to read any file and to open any port; for others, as it is. */
function withoutRights(...args: string[]): [string, ...string[]] {
  const rights = "-dac_override,-dac_read_search,-net_bind_service";
  if (Deno.uid() !== 0) return [...PROGRAM, ...args];
  return ["setpriv", `--bounding-set=${rights}`, ...PROGRAM, ...args];
}

Deno.test("a bad configuration stops the start with status 2 and says where and why", async () => {
  await withFolder(async (folder) => {
    const cases: [name: string, content: string | Uint8Array, said: RegExp[]][] = [
      ["empty", "", [/nothing to listen on: set http = "8080"/]],
      ["binary", Deno.readFileSync("/bin/true"), [/: not a text file/]],
      ["NUL", 'http = "8080"\n\0', [/: not a text file: byte 0x00 in line 2/]],
      ["syntax", 'http = "8080\nttl 5\n', [
        /line 1: a quote \("\) is not closed/,
        /line 2: expected NAME = VALUE/,
      ]],
      ["typo", 'http = "8080"\nnskeyfil = "x"\n', [
        /line 2: unknown name, did you mean "nskeyfile"\?/,
      ]],
      ["type", 'http = true\nttl = "30"\n', [
        /line 1: http: .*8080, got true/,
        /line 2: ttl: expected a whole number/,
      ]],
      ["cert alone", 'https = "4443"\ncert = "c.pem"\n', [/line 2: cert: key is missing/]],
      [
        "twice",
        `http = "8080"\n[clients]\n"${KEY}" = "a.dyn.example"\n"${KEY}" = "b.dyn.example"\n`,
        [
          /line 4: clients: this key is already in line 3/,
        ],
      ],
      [
        "hosts",
        `http = "8080"\n[clients]\n"${KEY}" = "a.dyn.example\\nserver evil"\n"k2" = ";"\n"k3" = "$INCLUDE"\n`,
        [
          /line 3: clients: not a host name/,
          /line 4: clients: not a host name/,
          /line 5: clients: not a host name/,
        ],
      ],
    ];
    for (const [name, content, said] of cases) {
      const file = `${folder}/sftdyn.toml`;
      const data = typeof content === "string" ? new TextEncoder().encode(content) : content;
      await Deno.writeFile(file, data);
      for (const args of [[file], ["check", file]]) {
        const { code, stdout, stderr } = await sftdyn(args);
        const output = stdout + stderr;
        assertEquals(code, args.length === 1 ? 2 : 1, `${name}: ${output}`);
        for (const pattern of said) assertMatch(output, pattern, name);
        assertStringIncludes(output, file);
        assert(!output.includes(KEY), `${name}: the key is in the output`);
        assert(!/^ +at /m.test(output), `${name}: a stack trace`);
      }
    }
  });
});

Deno.test("a configuration that is missing, a folder or unreadable is named", async () => {
  await withFolder(async (folder) => {
    const file = `${folder}/sftdyn.toml`;
    const missing = await sftdyn([file]);
    assertEquals([missing.code, missing.stderr.includes(`${file}: no such file`)], [2, true]);
    const directory = await sftdyn([folder]);
    assertEquals([directory.code, directory.stderr.includes("it is a directory")], [2, true]);
    await Deno.writeTextFile(file, 'http = "8080"');
    await Deno.chmod(file, 0o000);
    const unreadable = await run(withoutRights(file));
    assertEquals(unreadable.code, 2, unreadable.stderr);
    assertStringIncludes(unreadable.stderr, `${file}: permission denied`);
  });
});

Deno.test("a certificate that cannot serve is told apart", async () => {
  await withFolder(async (folder) => {
    await makeCertificate(folder);
    await run(["cp", `${folder}/key.pem`, `${folder}/good.key`]);
    const port = freePort();
    const file = `${folder}/sftdyn.toml`;
    await Deno.writeTextFile(
      file,
      `https = "127.0.0.1:${port}"\ncert = "cert.pem"\nkey = "key.pem"\n`,
    );
    const said = async (pattern: RegExp) => {
      const { code, stderr } = await sftdyn([file]);
      assertEquals(code, 2, stderr);
      assertMatch(stderr, pattern);
    };
    await run(["openssl", "genrsa", "-out", `${folder}/key.pem`, "2048"]);
    await said(/line 3: key: ".*key\.pem" is not the key of ".*cert\.pem"/);
    await Deno.writeTextFile(`${folder}/key.pem`, V1_KEY);
    await Deno.writeTextFile(`${folder}/cert.pem`, V1_CERTIFICATE);
    await said(/line 2: cert: ".*" is an X\.509 v1 certificate.*openssl req -x509/);
    await Deno.writeTextFile(`${folder}/cert.pem`, "junk");
    await said(/line 2: cert: ".*cert\.pem" holds no certificate/);
    await Deno.remove(`${folder}/cert.pem`);
    await said(/line 2: cert: cannot read ".*cert\.pem": no such file/);
  });
});

Deno.test("a port in use, or one that needs a right, ends the start with status 1", async () => {
  await withFolder(async (folder) => {
    const file = `${folder}/sftdyn.toml`;
    const taken = Deno.listen({ hostname: "0.0.0.0", port: 0 });
    const { port } = taken.addr as Deno.NetAddr;
    for (const listen of [`${port}`, `127.0.0.1:${port}`]) {
      await Deno.writeTextFile(file, `http = "${listen}"\n`);
      const { code, stderr } = await sftdyn([file]);
      assertEquals(code, 1, stderr);
      assertMatch(stderr, new RegExp(`http .*:${port}: already in use by another program`));
    }
    taken.close();
    await Deno.writeTextFile(file, 'http = "192.0.2.99:8080"\n');
    const elsewhere = await sftdyn([file]);
    assertEquals(elsewhere.code, 1);
    assertMatch(elsewhere.stderr, /http 192\.0\.2\.99:8080: this machine has no such address/);

    const firstFree = Number(
      await Deno.readTextFile("/proc/sys/net/ipv4/ip_unprivileged_port_start"),
    );
    if (firstFree < 2) console.log("NOT TESTED: no port of this machine needs a right");
    else {
      await Deno.writeTextFile(file, 'http = "127.0.0.1:1"\n');
      const privileged = await run(withoutRights(file));
      assertEquals(privileged.code, 1, privileged.stderr);
      assertMatch(privileged.stderr, /http 127\.0\.0\.1:1: .*CAP_NET_BIND_SERVICE/);
    }
  });
});

Deno.test("usage faults end with status 2 and name the nearest option", async () => {
  const cases: [args: string[], said: RegExp][] = [
    [["--htpp", "8080"], /^sftdyn: unknown option --htpp, did you mean --http\?$/m],
    [["-x"], /^sftdyn: unknown option -x, sftdyn --help lists all$/m],
    [["--http"], /--http needs a value/],
    [["--http", "80800", "/dev/null"], /--http: 80800 is no port: expected 1 to 65535/],
    [["a.toml", "b.toml"], /too many arguments: b\.toml/],
    [["key", "not a host"], /not a host name/],
  ];
  for (const [args, said] of cases) {
    const { code, stdout, stderr } = await sftdyn(args);
    assertEquals(code, 2, stderr);
    assertMatch(stderr, said);
    assertEquals(stdout, "");
  }
});

Deno.test("help, version and key go to stdout with status 0", async () => {
  const help = await sftdyn(["--help"]);
  assertEquals([help.code, help.stderr], [0, ""]);
  assertMatch(help.stdout, /^Usage:/);
  const version = await sftdyn(["-V"]);
  assertEquals(version.code, 0);
  assertMatch(version.stdout, /^sftdyn \d+\.\d+\.\d+ \(.*Deno \d+\.\d+\.\d+\)$/m);
  const key = await sftdyn(["key", "Host.dyn.example."]);
  assertEquals(key.code, 0);
  const [, plain] = /^"([0-9a-f]{40})" = "host\.dyn\.example"$/m.exec(key.stdout)!;
  assertMatch(key.stdout, new RegExp(`^# .*curl .*/${plain}$`, "m"));
  assert((await sftdyn(["key"])).stdout !== key.stdout);
});

Deno.test("what key prints may be appended to the configuration that says where it serves", async () => {
  await withFolder(async (folder) => {
    const file = `${folder}/sftdyn.toml`;
    await Deno.writeTextFile(file, 'http = "192.0.2.1:8080"\n[clients]\n', { mode: 0o600 });
    for (const options of [[], ["--digest"]]) {
      const key = await sftdyn(["key", ...options, `h${options.length}.dyn.example`, file]);
      assertEquals(key.code, 0, key.stderr);
      await Deno.writeTextFile(file, key.stdout, { append: true });
      const [, plain] = /curl -fsS http:\/\/192\.0\.2\.1:8080\/([0-9a-f]{40})$/m
        .exec(key.stdout + key.stderr)!;
      assertEquals(key.stdout.includes(plain!), options.length === 0);
      const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(plain));
      const sha = new Uint8Array(digest).toHex();
      assertEquals(key.stdout.includes(`"sha256:${sha}" = "h1.dyn.example"`), options.length === 1);
    }
    const { stdout } = await sftdyn(["check", file]);
    assertMatch(stdout, /^ok: .*: http 192\.0\.2\.1:8080; 2 clients$/m);

    // A configuration that is named must be a good one.
    await Deno.writeTextFile(file, "oops", { append: true });
    const refused = await sftdyn(["key", "h.dyn.example", file]);
    assertEquals([refused.code, refused.stdout], [2, ""]);
    assertMatch(refused.stderr, /^sftdyn: .*sftdyn\.toml: line \d+: /);
  });
});

/** Runs sftdyn with a client for this host, and a function that requests its update. */
async function withClient(
  named: Named,
  settings: string,
  body: (
    update: (key?: string, source?: string) => Promise<string>,
    program: Sftdyn,
  ) => Promise<void>,
  options: Deno.CommandOptions = {},
): Promise<void> {
  await withFolder(async (folder) => {
    const port = freePort();
    const file = `${folder}/sftdyn.toml`;
    await Deno.writeTextFile(
      file,
      `http = "127.0.0.1:${port}"
nameserver = "127.0.0.1:${named.port}"
nskeyfile = "${named.keyFile}"
min_interval = 0
${settings}
[clients]
"${KEY}" = "host.dyn.example"
"elsewhere" = "host.elsewhere.example"
"forbidden" = "forbidden.dyn.example"
"broken" = "host.broken.example"
`,
    );
    const program = await Sftdyn.start([file], options);
    try {
      await body(
        (key = KEY, source = "127.0.0.1") =>
          curl("--interface", source, `http://127.0.0.1:${port}/${key}`),
        program,
      );
    } finally {
      assertEquals(await program.stop(), 0);
      assert(!program.log().includes(KEY), "the key is in the log");
      assert(!/^ +at /m.test(program.log()), `a stack trace: ${program.log()}`);
    }
  });
}

Deno.test("a nameserver that refuses or fails is FAIL with its word, and serving goes on", async () => {
  const named = await startNamed({
    policy: "update-policy { deny local-ddns name forbidden.dyn.example; " +
      "grant local-ddns zonesub any; };",
    // A zone that cannot be loaded is SERVFAIL.
    extra: 'zone "broken.example" { type master; file "missing.zone"; update-policy local; };',
  });
  try {
    await withClient(named, "", async (update, program) => {
      assertEquals(await update("elsewhere"), "500 FAIL");
      assertEquals(await update("forbidden"), "500 FAIL");
      await program.logged(/error: forbidden\.dyn\.example A could not be set to .*REFUSED/);
      assertEquals(await update("broken"), "500 FAIL");
      await program.logged(/error: host\.broken\.example A could not be set to .*/);
      assertEquals(await update(), "200 OK");

      await named.rndc("freeze", "dyn.example");
      assertEquals(await update(KEY, "127.0.0.2"), "500 FAIL");
      await program.logged(
        /error: host\.dyn\.example A could not be set to 127\.0\.0\.2: .*REFUSED/,
      );
      await named.rndc("thaw", "dyn.example");
      assertEquals(await update(KEY, "127.0.0.2"), "200 OK");
      assertEquals(await named.dig("host.dyn.example", "A"), ["127.0.0.2"]);
    });
  } finally {
    await named.stop();
  }
});

Deno.test("a nameserver that is gone is FAIL, and OK again when it is back", async () => {
  const named = await startNamed();
  try {
    await withClient(named, "", async (update, program) => {
      assertEquals(await update(), "200 OK");
      await named.killed();
      assertEquals(await update(KEY, "127.0.0.2"), "500 FAIL");
      await program.logged(/error: host\.dyn\.example A could not be set to 127\.0\.0\.2: /);
      await named.restart();
      assertEquals(await update(KEY, "127.0.0.2"), "200 OK");
      assertEquals(await named.dig("host.dyn.example", "A"), ["127.0.0.2"]);
    });
  } finally {
    await named.stop();
  }
});

Deno.test("a nameserver that does not answer is FAIL after the timeout", async () => {
  const named = await startNamed();
  try {
    await withClient(named, "timeout = 3", async (update, program) => {
      assertEquals(await update(), "200 OK");
      named.kill("SIGSTOP");
      assertEquals(await update(KEY, "127.0.0.2"), "500 FAIL");
      await program.logged(/could not be set to 127\.0\.0\.2: no answer in 3 s/);
      named.kill("SIGCONT");
      // What it was asked meanwhile comes first.
      await named.dig("dyn.example", "SOA");
      assertEquals(await update(KEY, "127.0.0.3"), "200 OK");
      assertEquals(await named.dig("host.dyn.example", "A"), ["127.0.0.3"]);
    });
  } finally {
    await named.stop();
  }
});

Deno.test("a missing nsupdate is FAIL with the packages that have it", async () => {
  const named = await startNamed();
  try {
    await withFolder(async (empty) => {
      await withClient(named, "", async (update, program) => {
        assertEquals(await update(), "500 FAIL");
        await program.logged(/nsupdate .*Debian: bind9-dnsutils, Fedora: bind-utils, Arch: bind/);
        assertEquals(await update("nobody"), "403 BADKEY");
      }, { env: { PATH: empty } });
    });
  } finally {
    await named.stop();
  }
});

Deno.test("nsupdate installed after the start: FAIL with the word to restart, and OK after that", async () => {
  const named = await startNamed();
  try {
    await withFolder(async (bin) => {
      const options = { env: { PATH: bin } };
      await withClient(named, "", async (update, program) => {
        await Deno.symlink((await findProgram("nsupdate"))!, `${bin}/nsupdate`);
        assertEquals(await update(), "500 FAIL");
        await program.logged(
          /could not be set to 127\.0\.0\.1: nsupdate was not installed when sftdyn started: .*bind9-dnsutils.*, then restart sftdyn\n/,
        );
      }, options);
      await withClient(named, "", async (update) => {
        assertEquals(await update(), "200 OK");
      }, options);
    });
    assertEquals(await named.dig("host.dyn.example", "A"), ["127.0.0.1"]);
  } finally {
    await named.stop();
  }
});

Deno.test("a wrong TSIG key is FAIL with BIND's word for it", async () => {
  const named = await startNamed();
  try {
    await withFolder(async (folder) => {
      const { stdout } = await run(["tsig-keygen", "local-ddns"]);
      await Deno.writeTextFile(`${folder}/other.key`, stdout);
      const settings = (await Deno.readTextFile(named.keyFile)).match(/secret "(.*)"/)!;
      const other = { ...named, port: named.port, keyFile: `${folder}/other.key` } as Named;
      await withClient(other, "", async (update, program) => {
        assertEquals(await update(), "500 FAIL");
        await program.logged(/could not be set to .*(BADSIG|tsig indicates error)/);
        assert(!program.log().includes(settings[1]!), "a secret is in the log");
      });
    });
  } finally {
    await named.stop();
  }
});

Deno.test("SIGTERM and SIGINT finish what was accepted, take nothing new, and exit 0", async () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const named = await startNamed();
    try {
      await withFolder(async (folder) => {
        const port = freePort();
        await Deno.writeTextFile(
          `${folder}/sftdyn.toml`,
          `http = "127.0.0.1:${port}"\nnameserver = "127.0.0.1:${named.port}"
nskeyfile = "${named.keyFile}"\nmin_interval = 3600\n[clients]\n"${KEY}" = "host.dyn.example"\n`,
        );
        const program = await Sftdyn.start(["-v", `${folder}/sftdyn.toml`]);
        const url = `http://127.0.0.1:${port}/${KEY}`;
        assertEquals(await curl(url), "200 OK");
        // This one waits for the interval, which is made short by the end.
        const answer = curl("--interface", "127.0.0.2", url);
        named.kill("SIGSTOP");
        await until(
          "the request is accepted",
          async () =>
            (await run(["ss", "-Htn", "state", "established", `sport = :${port}`])).stdout
              .includes("127.0.0.2"),
        );
        program.kill(signal);
        await program.logged(new RegExp(`${signal}: stopping`));
        await until("new connections are refused", async () => {
          try {
            (await Deno.connect({ hostname: "127.0.0.1", port })).close();
            return false;
          } catch {
            return true;
          }
        });
        named.kill("SIGCONT");
        assertEquals(await answer, "200 OK");
        assertEquals(await program.ended(), 0);
        assertEquals(await named.dig("host.dyn.example", "A"), ["127.0.0.2"]);
      });
    } finally {
      await named.stop();
    }
  }
});

Deno.test("many requests for one record are never reordered", async () => {
  const named = await startNamed();
  try {
    await withClient(named, "", async (update) => {
      const rounds = 8;
      for (let i = 0; i < rounds; i++) {
        const answers = await Promise.all([update(KEY, "127.0.0.4"), update(KEY, "127.0.0.5")]);
        for (const answer of answers) assertMatch(answer, /^200 (OK|UPTODATE)$/);
        const zone = await named.dig("host.dyn.example", "A");
        // Whatever order they arrived in: the zone and what is known agree.
        assertEquals(zone.length, 1);
        assertEquals(await update(KEY, zone[0]), "200 UPTODATE");
      }
    });
  } finally {
    await named.stop();
  }
});
