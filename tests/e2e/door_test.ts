/** What sftdyn says of the zone is so: everything that made it say otherwise, caused for real. */

import { assert, assertEquals } from "@std/assert";
import { type Named, startNamed } from "../../tools/named.ts";
import { farNameserver } from "./far_nameserver.ts";
import { at, type Hosts, withHosts } from "./hosts.ts";
import { run, until, withFolder } from "./sftdyn.ts";

async function withNamed(
  options: Parameters<typeof startNamed>[0],
  body: (named: Named) => Promise<void>,
): Promise<void> {
  const named = await startNamed(options);
  try {
    await body(named);
  } finally {
    await named.stop();
  }
}

/** Changes the zone by hand. */
async function nsupdate(named: Named, ...lines: string[]): Promise<void> {
  await withFolder(async (folder) => {
    const script = [`server 127.0.0.1 ${named.port}`, ...lines, "send", ""].join("\n");
    await Deno.writeTextFile(`${folder}/script`, script);
    const { code, stderr } = await run(["nsupdate", "-k", named.keyFile, `${folder}/script`]);
    assertEquals(code, 0, stderr);
  });
}

const serial = async (named: Named) => (await named.dig("dyn.example", "SOA"))[0]!.split(" ")[2];

async function ttlOf(named: Named, name: string): Promise<string | undefined> {
  const port = `${named.port}`;
  const words = ["+noall", "+answer", "+tcp", name, "A"];
  const { stdout } = await run(["dig", "@127.0.0.1", "-p", port, ...words]);
  return stdout.split(/\s+/)[1];
}

/** A TSIG key called sftdyn, and the line that makes a nameserver know it. */
async function makeKey(folder: string): Promise<{ keyFile: string; include: string }> {
  const { code, stdout } = await run(["tsig-keygen", "-a", "hmac-sha256", "sftdyn"]);
  assertEquals(code, 0);
  const keyFile = `${folder}/sftdyn.key`;
  await Deno.writeTextFile(keyFile, stdout);
  return { keyFile, include: `include "${keyFile}";\n` };
}

async function writeZone(folder: string, zone: string, more = ""): Promise<string> {
  const file = `${folder}/${zone}.own`;
  await Deno.writeTextFile(
    file,
    `$TTL 60\n@ IN SOA ns.${zone}. admin.${zone}. 1 3600 600 86400 60\n` +
      `@ IN NS ns.${zone}.\nns IN A 127.0.0.1\n${more}`,
  );
  return file;
}

Deno.test("a host whose address was replaced by an alias by hand is FAIL, and the log says so", async () => {
  await withNamed({}, async (named) => {
    await withHosts(at(named), ["h.dyn.example"], async ({ update, program }) => {
      assertEquals(await update("h.dyn.example", "192.0.2.1"), "OK");
      await nsupdate(
        named,
        "update delete h.dyn.example. A",
        "update add h.dyn.example. 60 CNAME www.dyn.example.",
      );
      assertEquals(await update("h.dyn.example", "192.0.2.2"), "FAIL");
      assertEquals(await update("h.dyn.example", "192.0.2.2"), "FAIL");
      await program.logged(
        /error: h\.dyn\.example A could not be set to 192\.0\.2\.2: this name is an alias \(CNAME\)/,
      );
    });
  });
});

Deno.test("a zone that is split while sftdyn runs: the next addresses go into the child", async () => {
  await withNamed({}, async (named) => {
    const hosts = [
      "pc.home.dyn.example",
      "nas.home.dyn.example",
      "h.dyn.example",
      "own.dyn.example",
    ];
    await withHosts(at(named), hosts, async ({ update }) => {
      for (const host of hosts) assertEquals(await update(host, "192.0.2.1"), "OK");
      let zones = "";
      for (const zone of ["home.dyn.example", "own.dyn.example"]) {
        const file = await writeZone(named.folder, zone);
        zones += `zone "${zone}" { type master; file "${file}"; update-policy local; };\n`;
      }
      await Deno.writeTextFile(`${named.folder}/named.conf`, zones, { append: true });
      await named.rndc("reconfig");
      await until(
        "both are loaded",
        async () =>
          (await named.dig("own.dyn.example", "NS"))[0] === "ns.own.dyn.example." &&
          (await named.dig("home.dyn.example", "NS"))[0] === "ns.home.dyn.example.",
      );
      // What was found of dyn.example before holds for 100 ms.
      await new Promise((resolve) => setTimeout(resolve, 150));
      // The apex of the new zone first: of the zone of its neighbours, it may count as one.
      assertEquals(await update("own.dyn.example", "192.0.2.2"), "OK");
      const others = hosts.filter((host) => host !== "own.dyn.example");
      const answers = await Promise.all(others.map((host) => update(host, "192.0.2.2")));
      assertEquals(answers, ["OK", "OK", "OK"]);
      for (const host of hosts) assertEquals(await named.dig(host, "A"), ["192.0.2.2"], host);
      // And away again, with what was in them.
      const conf = await Deno.readTextFile(`${named.folder}/named.conf`);
      await Deno.writeTextFile(`${named.folder}/named.conf`, conf.replace(zones, ""));
      await named.rndc("reconfig");
      await until(
        "both are gone",
        async () => (await named.dig("home.dyn.example", "NS")).length === 0,
      );
      for (const host of hosts) assertEquals(await update(host, "192.0.2.3"), "OK");
      for (const host of hosts) assertEquals(await named.dig(host, "A"), ["192.0.2.3"], host);
    });
  });
});

Deno.test("a wildcard alias in the zone does not keep a new host from its address", async () => {
  await withNamed({}, async (named) => {
    await nsupdate(named, "update add *.dyn.example. 60 CNAME www.dyn.example.");
    await withHosts(at(named), ["new.dyn.example"], async ({ update }) => {
      assertEquals(await update("new.dyn.example", "192.0.2.1"), "OK");
      assertEquals(await named.dig("new.dyn.example", "A"), ["192.0.2.1"]);
      assertEquals(await update("new.dyn.example", "192.0.2.1"), "UPTODATE");
    });
  });
});

Deno.test("of two views, the one that the key sees is what counts", async () => {
  await withFolder(async (folder) => {
    const { keyFile, include } = await makeKey(folder);
    const zone = (file: string, more: string) =>
      `zone "dyn.example" { type master; file "${file}"; ${more} };`;
    const written = await writeZone(folder, "dyn.example", "h IN A 192.0.2.9\n");
    const inner = `${folder}/inner.zone`;
    await Deno.copyFile(await writeZone(folder, "dyn.example"), inner);
    await Deno.writeTextFile(`${folder}/outer.zone`, await Deno.readTextFile(written));
    await writeZone(folder, "dyn.example", "h IN A 192.0.2.1\n");
    const extra = `${include}
view "inner" { match-clients { key sftdyn; }; ${
      zone(inner, "update-policy { grant sftdyn zonesub ANY; };")
    } };
view "outer" { match-clients { any; }; ${zone(written, "")} };`;
    await withNamed({ zones: [], extra }, async (named) => {
      const settings = at({ port: named.port, keyFile });
      await withHosts(settings, ["h.dyn.example"], async ({ update }) => {
        // The outer view has it already, which does not matter.
        assertEquals(await named.dig("h.dyn.example", "A"), ["192.0.2.1"]);
        assertEquals(await update("h.dyn.example", "192.0.2.1"), "OK");
        const words = ["-k", keyFile, "-p", `${named.port}`, "+short", "h.dyn.example", "A"];
        assertEquals((await run(["dig", "@127.0.0.1", ...words])).stdout, "192.0.2.1\n");
        assertEquals(await update("h.dyn.example", "192.0.2.1"), "UPTODATE");
      });
    });
  });
});

Deno.test("a zone in the key's view alone, or that only the key may ask: OK, as with nsupdate", async () => {
  await withFolder(async (folder) => {
    const { keyFile, include } = await makeKey(folder);
    const file = await writeZone(folder, "dyn.example");
    const grant = "update-policy { grant sftdyn zonesub ANY; };";
    const cases = [
      `view "inner" { match-clients { key sftdyn; };
        zone "dyn.example" { type master; file "${file}"; ${grant} }; };
      view "outer" { match-clients { any; }; };`,
      `zone "dyn.example" { type master; file "${file}"; ${grant} allow-query { key sftdyn; }; };`,
    ];
    for (const extra of cases) {
      await withNamed({ zones: [], extra: include + extra }, async (named) => {
        const settings = at({ port: named.port, keyFile });
        await withHosts(settings, ["h.dyn.example"], async ({ update }) => {
          assertEquals(await update("h.dyn.example", "192.0.2.1"), "OK");
          assertEquals(await update("h.dyn.example", "192.0.2.1"), "UPTODATE");
        });
      });
      await Deno.remove(`${file}.jnl`).catch(() => {});
    }
  });
});

Deno.test("a nameserver 1.2 s away is waited for", async () => {
  await withNamed({}, async (named) => {
    const far = await farNameserver(named.port, 600);
    try {
      await withHosts(
        `${at({ port: far.port, keyFile: named.keyFile })}\ntimeout = 10`,
        ["h.dyn.example"],
        async ({ update }) => {
          assertEquals(await update("h.dyn.example", "192.0.2.1"), "OK");
          assertEquals(await named.dig("h.dyn.example", "A"), ["192.0.2.1"]);
          assertEquals(await update("h.dyn.example", "192.0.2.2"), "OK");
          assertEquals(await named.dig("h.dyn.example", "A"), ["192.0.2.2"]);
        },
      );
    } finally {
      await far.stop();
    }
  });
});

const SILENT_TIMEOUT = 4;

Deno.test("one zone's primary is silent: the hosts of other zones are OK at once", async () => {
  await withFolder(async (folder) => {
    const { keyFile, include } = await makeKey(folder);
    const grant = "update-policy { grant sftdyn zonesub ANY; };";
    const primaryZone = await writeZone(folder, "silent.example");
    const primaryConf = `${include}
zone "silent.example" { type master; file "${primaryZone}"; ${grant} };`;
    await withNamed({ zones: [], extra: primaryConf }, async (primary) => {
      const own = await writeZone(folder, "dyn.example");
      // A child of the silent zone that is not silent itself.
      const child = await writeZone(folder, "child.silent.example");
      const extra = `${include}
zone "silent.example" { type secondary; primaries { 127.0.0.1 port ${primary.port}; };
  file "silent.copy"; allow-update-forwarding { any; }; };
zone "dyn.example" { type master; file "${own}"; ${grant} };
zone "child.silent.example" { type master; file "${child}"; ${grant} };`;
      await withNamed({ zones: [], extra }, async (named) => {
        await until(
          "it is transferred",
          async () => (await named.dig("silent.example", "SOA")).length > 0,
        );
        const good = Array.from({ length: 12 }, (_, i) => `h${i}.dyn.example`);
        const children = ["pc.child.silent.example", "nas.child.silent.example"];
        const silent = Array.from({ length: 40 }, (_, i) => `s${i}.silent.example`);
        const settings = `${at({ port: named.port, keyFile })}
timeout = ${SILENT_TIMEOUT}`;
        await withHosts(settings, [...good, ...children, ...silent], async ({ update }) => {
          // Forwarding itself works.
          assertEquals(await update("s0.silent.example", "192.0.2.1"), "OK");
          primary.kill("SIGSTOP");
          for (const address of ["192.0.2.2", "192.0.2.3"]) {
            let isSilent = true;
            const failing = Promise.all(silent.map((host) => update(host, address)))
              .finally(() => isSilent = false);
            const answers = await Promise.all(
              [...good, ...children].map((host) => update(host, address)),
            );
            assert(isSilent, "the others waited for the silent ones");
            assertEquals(new Set(answers), new Set(["OK"]));
            assertEquals(new Set(await failing), new Set(["FAIL"]));
          }
          primary.kill("SIGCONT");
          await until(
            "it answers again",
            async () => await update("s1.silent.example", "192.0.2.4") !== "FAIL",
          );
          const port = `${primary.port}`;
          const { stdout } = await run([
            "dig",
            "@127.0.0.1",
            "-p",
            port,
            "+short",
            "s1.silent.example",
            "A",
          ]);
          assertEquals(stdout, "192.0.2.4\n");
        });
      });
    });
  });
});

Deno.test("300 refused hosts, 40 ms away, do not keep a healthy one waiting", async () => {
  const policy = "update-policy { grant local-ddns name good.dyn.example. ANY; " +
    "grant local-ddns name late.dyn.example. ANY; };";
  await withNamed({ policy }, async (named) => {
    const far = await farNameserver(named.port, 20);
    const refused = Array.from({ length: 300 }, (_, i) => `r${i}.dyn.example`);
    try {
      const hosts = [...refused, "good.dyn.example", "late.dyn.example"];
      await withHosts(
        at({ port: far.port, keyFile: named.keyFile }),
        hosts,
        async ({ update, program }) => {
          for (const healthy of ["good.dyn.example", "late.dyn.example"]) {
            const failing = refused.map((host) => update(host, "192.0.2.1"));
            let refusals = 0;
            for (const answer of failing) void answer.then(() => refusals++);
            const answer = update(healthy, "192.0.2.1");
            // Those that were refused before it came did not keep it.
            await program.logged(new RegExp(`${healthy} A will be set`));
            const before = refusals;
            assertEquals(await answer, "OK");
            const meanwhile = refusals - before;
            console.log(`${healthy}: ${meanwhile} refused meanwhile`);
            // Of those that all come for the first time at once, nobody can know who is healthy.
            const most = healthy === "late.dyn.example" ? refused.length / 2 : refused.length;
            assert(meanwhile <= most, `${healthy} waited for ${meanwhile} refused ones`);
            assertEquals(new Set(await Promise.all(failing)), new Set(["FAIL"]));
          }
        },
      );
    } finally {
      await far.stop();
    }
  });
});

Deno.test("a changed ttl is set at the next call, and kept where the record was found so", async () => {
  await withNamed({}, async (named) => {
    await nsupdate(named, "update add found.dyn.example. 77 A 192.0.2.1");
    const hosts = ["h.dyn.example", "found.dyn.example"];
    await withHosts(`${at(named)}\nttl = 30`, hosts, async ({ update, program, configure }) => {
      assertEquals(await update("h.dyn.example", "192.0.2.1"), "OK");
      assertEquals(await update("found.dyn.example", "192.0.2.1"), "UPTODATE");
      await configure(`${at(named)}\nttl = 300`);
      assertEquals(await update("h.dyn.example", "192.0.2.1"), "OK");
      assertEquals(await ttlOf(named, "h.dyn.example"), "300");
      assertEquals(await update("h.dyn.example", "192.0.2.1"), "UPTODATE");
      await program.logged(/h\.dyn\.example A 192\.0\.2\.1 -> 192\.0\.2\.1 \(ttl 300\)/);
      assertEquals(await update("found.dyn.example", "192.0.2.1"), "UPTODATE");
      assertEquals(await ttlOf(named, "found.dyn.example"), "77");
      assertEquals(await update("found.dyn.example", "192.0.2.2"), "OK");
      assertEquals(await ttlOf(named, "found.dyn.example"), "300");
    });
  });
});

Deno.test("nsupdate that ends after the update was sent: the log has its reason", async () => {
  await withNamed({}, async (named) => {
    await withFolder(async (bin) => {
      // A fault that no nameserver causes at will: its own words, its own end.
      await Deno.writeTextFile(
        `${bin}/nsupdate`,
        `#!/bin/sh
echo 'Found zone name: dyn.example' >&2
echo 'Sending update to 127.0.0.1#53' >&2
echo 'dns_request_getresponse: unexpected end of input' >&2
exit 1
`,
        { mode: 0o755 },
      );
      await withHosts(at(named), ["h.dyn.example"], async ({ update, program }) => {
        assertEquals(await update("h.dyn.example", "192.0.2.1"), "FAIL");
        await program.logged(
          /could not be set to 192\.0\.2\.1: nsupdate ended: dns_request_getresponse: unexpected end of input/,
        );
      }, { env: { PATH: bin } });
    });
  });
});

Deno.test("a record that was changed by hand is set again, after recheck", async () => {
  await withNamed({}, async (named) => {
    await withHosts(`${at(named)}\nrecheck = 0`, ["h.dyn.example"], async ({ update }) => {
      assertEquals(await update("h.dyn.example", "192.0.2.1"), "OK");
      await nsupdate(named, "update add h.dyn.example. 60 A 192.0.2.99");
      assertEquals(
        await update("h.dyn.example", "192.0.2.1"),
        "OK",
        "a second address stood beside it",
      );
      assertEquals(await named.dig("h.dyn.example", "A"), ["192.0.2.1"]);
      assertEquals(await update("h.dyn.example", "192.0.2.1"), "UPTODATE");
      await nsupdate(named, "update delete h.dyn.example. A");
      assertEquals(await update("h.dyn.example", "192.0.2.1"), "OK");
    });
  });
});

Deno.test("after a restart, 1,000 unchanged hosts are UPTODATE, and the zone's serial is as it was", async () => {
  await withNamed({}, async (named) => {
    const hosts = Array.from({ length: 1000 }, (_, i) => `h${i}.dyn.example`);
    const all = ({ update }: Hosts) => Promise.all(hosts.map((host) => update(host, "192.0.2.1")));
    await withHosts(at(named), hosts, async (hosts) => {
      assertEquals(new Set(await all(hosts)), new Set(["OK"]));
    });
    const before = await serial(named);
    const zones = `${at(named)}\n[zones."dyn.example"]`;
    for (const settings of [at(named), zones]) {
      await withHosts(settings, hosts, async (hosts) => {
        const started = performance.now();
        assertEquals(new Set(await all(hosts)), new Set(["UPTODATE"]));
        console.log(`1,000 hosts after a restart: ${(performance.now() - started).toFixed(0)} ms`);
      });
    }
    assertEquals(await serial(named), before);
  });
});

Deno.test("two nameservers, one for each zone: killed or silent, the other one's hosts notice nothing", async () => {
  await withNamed({ zones: ["a.example"] }, async (a) => {
    await withNamed({ zones: ["b.example", "deep.a.example"] }, async (b) => {
      const settings = `timeout = ${SILENT_TIMEOUT}
[zones."a.example"]
${at(a)}
ttl = 77
[zones."b.example"]
${at(b)}
[zones."deep.a.example"]
${at(b)}
`;
      const hosts = [
        "h.a.example",
        "a.example",
        "h.b.example",
        "x.deep.a.example",
        "notdeep.a.example",
      ];
      await withHosts(settings, hosts, async ({ update }) => {
        for (const host of hosts) assertEquals(await update(host, "192.0.2.1"), "OK", host);
        for (const host of ["h.a.example", "a.example", "notdeep.a.example"]) {
          assertEquals(await a.dig(host, "A"), ["192.0.2.1"], host);
        }
        for (const host of ["h.b.example", "x.deep.a.example"]) {
          assertEquals(await b.dig(host, "A"), ["192.0.2.1"], host);
        }
        assertEquals(await ttlOf(a, "h.a.example"), "77");
        assertEquals(await ttlOf(b, "h.b.example"), "30");

        a.kill("SIGSTOP");
        let isSilent = true;
        const silent = update("h.a.example", "192.0.2.2").finally(() => isSilent = false);
        assertEquals(await update("h.b.example", "192.0.2.2"), "OK");
        assertEquals(await update("x.deep.a.example", "192.0.2.2"), "OK");
        assert(isSilent, "it waited for the silent one");
        assertEquals(await silent, "FAIL");
        await a.killed();
        await a.restart();
        await b.killed();
        assertEquals(await update("h.b.example", "192.0.2.3"), "FAIL");
        assertEquals(await update("h.a.example", "192.0.2.3"), "OK");
        await b.restart();
        assertEquals(await update("h.b.example", "192.0.2.4"), "OK");
      });
    });
  });
});

Deno.test("wildcards, underscores and a zone's apex are hosts like any other", async () => {
  // BIND itself takes no address for a name with an underscore, unless it is told to.
  const policy = "update-policy local; check-names ignore;";
  await withNamed({ policy }, async (named) => {
    const hosts = [
      "*.home.dyn.example",
      "home.dyn.example",
      "_acme-challenge.dyn.example",
      "dyn.example",
    ];
    await withHosts(at(named), hosts, async ({ update }) => {
      for (const host of hosts) assertEquals(await update(host, "192.0.2.1"), "OK", host);
      for (const host of hosts) assertEquals(await update(host, "192.0.2.1"), "UPTODATE", host);
      assertEquals(await named.dig("anything.home.dyn.example", "A"), ["192.0.2.1"]);
      // What the wildcard answers for is not what a name of its own has.
      assertEquals(await named.dig("dyn.example", "A"), ["192.0.2.1"]);
    });
    await withHosts(at(named), ["x.home.dyn.example"], async ({ update }) => {
      assertEquals(
        await update("x.home.dyn.example", "192.0.2.1"),
        "OK",
        "only the wildcard answers so",
      );
    });
  });
});
