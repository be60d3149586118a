/** What sftdyn promises, with each nameserver that it is tried with: BIND, Knot, PowerDNS. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { freePort } from "../../tools/named.ts";
import { type Nameserver, startBind, startKnot, startPowerdns } from "./nameservers.ts";
import { at, type Client, type Hosts, withHosts, writeConfig } from "./hosts.ts";
import { type Ran, sftdyn, withFolder } from "./sftdyn.ts";

const MAKES = { BIND: startBind, Knot: startKnot, PowerDNS: startPowerdns };
/** Each host has its name as its key. */
async function withSftdyn(
  nameserver: Pick<Nameserver, "port" | "keyFile">,
  settings: string,
  clients: Client[],
  body: (hosts: Hosts) => Promise<void>,
): Promise<void> {
  const { secret } = await readKey(nameserver.keyFile);
  await withHosts(`${at(nameserver)}\n${settings}`, clients, body, {
    ended: (log) => assert(!log.includes(secret), "the log holds the TSIG key's secret"),
  });
}

async function readKey(file: string): Promise<{ text: string; secret: string }> {
  const text = await Deno.readTextFile(file);
  return { text, secret: /secret "([^"]+)"/.exec(text)![1]! };
}

/** What `sftdyn check` says of these hosts. */
async function check(nameserver: Nameserver, hosts: string[]): Promise<Ran> {
  let ran: Ran | undefined;
  await withFolder(async (folder) => {
    const file = `${folder}/sftdyn.toml`;
    await writeConfig(file, freePort(), at(nameserver), hosts);
    ran = await sftdyn(["check", file]);
  });
  assert(!ran!.stdout.includes(nameserver.secret), "the output holds the TSIG key's secret");
  return ran!;
}

async function withServer<T extends Nameserver>(
  start: Promise<T>,
  body: (nameserver: T) => Promise<void>,
): Promise<void> {
  const nameserver = await start;
  try {
    await body(nameserver);
  } finally {
    await nameserver.stop();
  }
}

for (const [make, start] of Object.entries(MAKES)) {
  Deno.test(`${make} holds what sftdyn says it does`, async (t) => {
    await withServer(start({ zones: ["dyn.example", "wild.example"] }), async (nameserver) => {
      const hosts: Client[] = [
        "new.dyn.example",
        "six.dyn.example",
        ["two", ["a.dyn.example", "b.dyn.example"]],
        "edited.dyn.example",
        "second.dyn.example",
        "alias.dyn.example",
        "host.wild.example",
        "host.outside.example",
      ];
      await withSftdyn(nameserver, "recheck = 0", hosts, async ({ program, update }) => {
        const assertAddresses = async (host: string, a: string[], aaaa: string[] = []) => {
          assertEquals(await nameserver.dig(host, "A"), a);
          assertEquals(await nameserver.dig(host, "AAAA"), aaaa);
        };

        await t.step("a new host is OK, then UPTODATE, and OK with a new address", async () => {
          const host = "new.dyn.example";
          assertEquals(await update(host, "192.0.2.1"), "OK");
          await assertAddresses(host, ["192.0.2.1"]);
          const serial = await nameserver.serial("dyn.example");
          assertEquals(await update(host, "192.0.2.1"), "UPTODATE");
          assertEquals(await nameserver.serial("dyn.example"), serial);
          assertEquals(await update(host, "192.0.2.2"), "OK");
          await assertAddresses(host, ["192.0.2.2"]);
        });

        await t.step("A and AAAA are apart", async () => {
          const host = "six.dyn.example";
          assertEquals(await update(host, "192.0.2.1"), "OK");
          assertEquals(await update(host, "2001:db8::1"), "OK");
          await assertAddresses(host, ["192.0.2.1"], ["2001:db8::1"]);
          assertEquals(await update(host, "2001:db8::2"), "OK");
          await assertAddresses(host, ["192.0.2.1"], ["2001:db8::2"]);
          assertEquals(await update(host, "192.0.2.1"), "UPTODATE");
        });

        await t.step("two hosts of one key are both set", async () => {
          assertEquals(await update("two", "192.0.2.1"), "OK");
          await assertAddresses("a.dyn.example", ["192.0.2.1"]);
          await assertAddresses("b.dyn.example", ["192.0.2.1"]);
          assertEquals(await update("two", "192.0.2.1"), "UPTODATE");
        });

        await t.step("a record that was changed by hand is OK again, not UPTODATE", async () => {
          const host = "edited.dyn.example";
          assertEquals(await update(host, "192.0.2.1"), "OK");
          await nameserver.change(
            `update delete ${host}. A`,
            `update add ${host}. 30 A 203.0.113.99`,
          );
          assertEquals(await update(host, "192.0.2.1"), "OK");
          await assertAddresses(host, ["192.0.2.1"]);
          await nameserver.change(`update delete ${host}. A`);
          assertEquals(await update(host, "192.0.2.1"), "OK");
          await assertAddresses(host, ["192.0.2.1"]);
        });

        await t.step("a second address beside the host's own goes", async () => {
          const host = "second.dyn.example";
          assertEquals(await update(host, "192.0.2.1"), "OK");
          await nameserver.change(`update add ${host}. 30 A 203.0.113.99`);
          assertEquals(await update(host, "192.0.2.1"), "OK");
          await assertAddresses(host, ["192.0.2.1"]);
        });

        await t.step("a host that became an alias is FAIL, and the log says why", async () => {
          const host = "alias.dyn.example";
          assertEquals(await update(host, "192.0.2.1"), "OK");
          await nameserver.change(`update delete ${host}. A`);
          await nameserver.change(`update add ${host}. 30 CNAME ns.dyn.example.`);
          assertEquals(await update(host, "192.0.2.2"), "FAIL");
          await program.logged(/alias\.dyn\.example A .*192\.0\.2\.2.* alias /);
          assertEquals(await nameserver.dig(host, "CNAME"), ["ns.dyn.example."]);
          await nameserver.change(`update delete ${host}. CNAME`);
          assertEquals(await update(host, "192.0.2.2"), "OK");
          await assertAddresses(host, ["192.0.2.2"]);
        });

        await t.step("a host that a wildcard alias covers gets a record of its own", async () => {
          await nameserver.change("update add *.wild.example. 60 CNAME ns.wild.example.");
          assertEquals(await nameserver.dig("host.wild.example", "CNAME"), ["ns.wild.example."]);
          assertEquals(await update("host.wild.example", "192.0.2.1"), "OK");
          await assertAddresses("host.wild.example", ["192.0.2.1"]);
          assertEquals(await update("host.wild.example", "192.0.2.1"), "UPTODATE");
        });

        await t.step("a host outside every zone is FAIL, and the others are not", async () => {
          assertEquals(await update("host.outside.example", "192.0.2.1"), "FAIL");
          await program.logged(/error: host\.outside\.example A .*192\.0\.2\.1/);
          assertMatch(await update("new.dyn.example", "192.0.2.3"), /^OK$/);
        });
      });
    });
  });

  Deno.test(`${make}: a wildcard, an underscore and the zone's own name are hosts`, async () => {
    await withServer(start(), async (nameserver) => {
      const hosts = ["*.home.dyn.example", "_acme.dyn.example", "dyn.example"];
      await withSftdyn(nameserver, "recheck = 0", hosts, async ({ update }) => {
        for (const host of hosts) {
          assertEquals(await update(host, "192.0.2.1"), "OK", host);
          assertEquals(await nameserver.dig(host, "A"), ["192.0.2.1"], host);
          assertEquals(await update(host, "192.0.2.1"), "UPTODATE", host);
        }
        assertEquals(await nameserver.dig("any.home.dyn.example", "A"), ["192.0.2.1"]);
        assertEquals(await nameserver.dig("dyn.example", "NS"), ["ns.dyn.example."]);
      });
    });
  });

  Deno.test(`${make}: an unchanged host is UPTODATE after a restart of sftdyn`, async () => {
    await withServer(start(), async (nameserver) => {
      const hosts = ["h.dyn.example", "six.dyn.example"];
      await withSftdyn(nameserver, "", hosts, async ({ update, restart }) => {
        assertEquals(await update("h.dyn.example", "192.0.2.1"), "OK");
        assertEquals(await update("six.dyn.example", "2001:db8::1"), "OK");
        const serial = await nameserver.serial("dyn.example");
        await restart();
        assertEquals(await update("h.dyn.example", "192.0.2.1"), "UPTODATE");
        assertEquals(await update("six.dyn.example", "2001:db8::1"), "UPTODATE");
        assertEquals(await nameserver.serial("dyn.example"), serial);
        assertEquals(await update("h.dyn.example", "192.0.2.2"), "OK");
      });
    });
  });

  Deno.test(`${make} stopped is FAIL after timeout, killed at once, and OK when it is back`, async () => {
    await withServer(start(), async (nameserver) => {
      const host = "h.dyn.example";
      await withSftdyn(nameserver, "timeout = 3", [host], async ({ program, update }) => {
        assertEquals(await update(host, "192.0.2.1"), "OK");
        nameserver.kill("SIGSTOP");
        assertEquals(await update(host, "192.0.2.2"), "FAIL");
        await program.logged(/could not be set to 192\.0\.2\.2: no answer in 3 s/);
        nameserver.kill("SIGCONT");
        // What it was asked meanwhile comes first.
        await nameserver.serial("dyn.example");
        assertEquals(await update(host, "192.0.2.3"), "OK");
        assertEquals(await nameserver.dig(host, "A"), ["192.0.2.3"]);

        await nameserver.killed();
        assertEquals(await update(host, "192.0.2.4"), "FAIL");
        await program.logged(
          /could not be set to 192\.0\.2\.4: 127\.0\.0\.1:\d+ cannot be reached: connection refused/,
        );
        await nameserver.restart();
        assertEquals(await update(host, "192.0.2.5"), "OK");
        assertEquals(await nameserver.dig(host, "A"), ["192.0.2.5"]);
      });
    });
  });

  Deno.test(`${make}: with a wrong TSIG secret it is FAIL, and the log holds no secret`, async () => {
    await withServer(start(), async (nameserver) => {
      await withFolder(async (folder) => {
        const { text, secret } = await readKey(nameserver.keyFile);
        const keyFile = `${folder}/key`;
        const wrong = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(64))));
        await Deno.writeTextFile(keyFile, text.replace(secret, wrong), { mode: 0o600 });
        const { port } = nameserver;
        await withSftdyn({ port, keyFile }, "", ["h.dyn.example"], async ({ program, update }) => {
          assertEquals(await update("h.dyn.example", "192.0.2.1"), "FAIL");
          await program.logged(/error: h\.dyn\.example A .*192\.0\.2\.1/);
          // That of the wrong key is looked for wherever sftdyn ran.
          assert(!program.log().includes(secret), "the log holds the right secret");
        });
        assertEquals(await nameserver.dig("h.dyn.example", "A"), []);
      });
    });
  });

  Deno.test(`${make}: check says ok of hosts that can be updated, and changes nothing`, async () => {
    await withServer(start(), async (nameserver) => {
      await nameserver.change("update add there.dyn.example. 30 A 192.0.2.1");
      const serial = await nameserver.serial("dyn.example");
      const hosts = ["new.dyn.example", "there.dyn.example", "dyn.example"];
      const { code, stdout } = await check(nameserver, hosts);
      assertEquals(code, 0, stdout);
      for (const host of hosts) {
        assert(stdout.includes(`\nok: ${host}: zone dyn.example`), `${host} is not ok:\n${stdout}`);
      }
      assertEquals(await nameserver.serial("dyn.example"), serial);
      assertEquals(await nameserver.dig("new.dyn.example", "A"), []);
      assertEquals(await nameserver.dig("there.dyn.example", "A"), ["192.0.2.1"]);
    });
  });
}

Deno.test("one host that Knot's acl does not grant FAILs, 40 others at the same time are OK", async () => {
  const names = Array.from({ length: 40 }, (_, i) => `h${i}.dyn.example`);
  await withServer(startKnot({ names }), async (knot) => {
    const hosts = [...names, "denied.dyn.example"];
    await withSftdyn(knot, "", hosts, async ({ program, update }) => {
      const answers = await Promise.all(hosts.map((host) => update(host, "192.0.2.1")));
      assertEquals(answers.pop(), "FAIL");
      assertEquals(answers.filter((answer) => answer !== "OK"), []);
      for (const name of names) assertEquals(await knot.dig(name, "A"), ["192.0.2.1"], name);
      assertEquals(await knot.dig("denied.dyn.example", "A"), []);
      await program.logged(/denied\.dyn\.example A .*192\.0\.2\.1/);
      assertMatch(
        program.log(),
        /denied\.dyn\.example A .*NOTAUTH, unsigned: the server does not accept this key or this change/,
      );
      assertEquals(program.count(/ error: /g), 1, program.log());
    });
  });
});

Deno.test("check says which host Knot's acl does not grant", async () => {
  await withServer(startKnot({ names: ["h.dyn.example"] }), async (knot) => {
    const { code, stdout } = await check(knot, ["h.dyn.example", "denied.dyn.example"]);
    assertEquals(code, 1, stdout);
    assertMatch(stdout, /^ok: h\.dyn\.example: zone dyn\.example/m);
    assertMatch(stdout, /^error: denied\.dyn\.example: .*NOTAUTH/m);
  });
});

Deno.test("a zone that Knot has frozen is FAIL, a thawed one OK", async () => {
  await withServer(startKnot(), async (knot) => {
    await withSftdyn(knot, "timeout = 3", ["h.dyn.example"], async ({ update }) => {
      assertEquals(await update("h.dyn.example", "192.0.2.1"), "OK");
      await knot.setFrozen("dyn.example", true);
      assertEquals(await update("h.dyn.example", "192.0.2.2"), "FAIL");
      await knot.setFrozen("dyn.example", false);
      // Knot 3.4 has made it at the thaw.
      assert(["OK", "UPTODATE"].includes(await update("h.dyn.example", "192.0.2.2")));
      assertEquals(await knot.dig("h.dyn.example", "A"), ["192.0.2.2"]);
    });
  });
});
