/**
 * `sftdyn why` with each link broken for real. Nameservers listen on port 53, so
 * all of this is on a machine of its own, which root makes with unshare(1): a
 * primary, a secondary, the zones above with a resolver, and sftdyn.
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { copyProgram } from "../../tools/named.ts";
import { ServerProcess } from "../../tools/server_process.ts";
import { PROGRAM, type Ran, run, Sftdyn, until } from "./sftdyn.ts";

const canUnshare = Deno.uid() === 0 &&
  (await run(["unshare", "--net", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/run"])).code === 0;
if (!canUnshare) {
  console.log("NOT TESTED: sftdyn why where a link is broken (needs root and unshare)");
}

const PRIMARY = "127.0.0.1", SECONDARY = "127.0.0.2", ABOVE = "127.0.0.3", RESOLVER = "127.0.0.4";
/** On that machine, nothing leads there. */
const FAR = "2001:db8::2";
const HOST = "host.dyn.example", KEY = "0123456789abcdef", KEY_ID = "9f9f5111";

/** Three kinds of names, updated together. */
const HOSTS = [HOST, "*.wild.dyn.example", "dyn.example"];
const MISSING = "host.missing.example";

const SECRET = btoa("0123456789abcdef0123456789abcdef");
const keyText = (name: string, secret = SECRET) =>
  `key "${name}" { algorithm hmac-sha256; secret "${secret}"; };\n`;

/** Records of the zones; NS records of dyn.example are added. */
const SOA = "$TTL 60\n@ IN SOA ns1.dyn.example. admin.dyn.example. 1 3600 600 86400 60\n";
const ZONE = `${SOA}@ IN NS ns1
@ IN NS ns2
ns1 IN A ${PRIMARY}
ns2 IN A ${SECONDARY}
ns2 IN AAAA ${FAR}
`;
const ROOT = `${SOA}@ IN NS ns.above.
ns.above. IN A ${ABOVE}
example. IN NS ns.above.
`;
const EXAMPLE = `${SOA}@ IN NS ns.above.\n`;
const DELEGATION = `dyn IN NS ns1.dyn
dyn IN NS ns2.dyn
ns1.dyn IN A ${PRIMARY}
ns2.dyn IN A ${SECONDARY}
`;

/** A nameserver's configuration, with rndc for its own address. */
function namedConf(folder: string, name: string, address: string, text: string): string {
  return `${keyText("rndc")}
controls { inet ${address} port 953 allow { any; } keys { "rndc"; }; };
options {
  directory "${folder}";
  pid-file "${folder}/${name}.pid";
  session-keyfile "${folder}/${name}.session";
  listen-on-v6 { none; };
  dnssec-validation no;
  notify no;
  ${text}`;
}

function secondaryConf(folder: string): string {
  return namedConf(
    folder,
    "secondary",
    SECONDARY,
    `listen-on { ${SECONDARY}; }; recursion no; };
zone "dyn.example" { type secondary; primaries { ${PRIMARY}; }; file "copy.zone"; };\n`,
  );
}

class World {
  readonly servers = new Map<string, ServerProcess>();

  constructor(readonly folder: string, readonly machine: Deno.ChildProcess) {}

  static async make(): Promise<World> {
    const folder = await Deno.makeTempDir({ prefix: "sftdyn-why-" });
    await Deno.chmod(folder, 0o755);
    await Deno.writeTextFile(`${folder}/resolv.conf`, `nameserver ${RESOLVER}\n`);
    // named listens only where the machine says that an address is its own.
    const script = `ip link set lo up && for address in ${SECONDARY} ${ABOVE} ${RESOLVER}; do
      ip address add $address/32 dev lo || exit; done && mount --bind "$1/resolv.conf" /etc/resolv.conf &&
      touch "$1/ready" && exec sleep 600`;
    const machine = new Deno.Command("unshare", {
      args: ["--net", "--mount", "sh", "-c", script, "sh", folder],
      stdin: "null",
    }).spawn();
    const world = new World(folder, machine);
    await until("a machine", () => Deno.stat(`${folder}/ready`).then(() => true, () => false));
    await world.write("root.zone", ROOT);
    await world.write("example.zone", EXAMPLE + DELEGATION);
    await world.write("dyn.zone", ZONE);
    await world.write("key", keyText("sftdyn"));
    await world.write("wrong", keyText("sftdyn", btoa("another secret of the same name!")));
    await world.write("rndc.key", keyText("rndc"));
    const program = await copyProgram("named", folder);
    const confs = {
      primary: namedConf(
        folder,
        "primary",
        PRIMARY,
        `listen-on { ${PRIMARY}; }; recursion no; };
${keyText("sftdyn")}
zone "dyn.example" {
  type primary; file "dyn.zone"; allow-transfer { any; };
  update-policy { grant sftdyn zonesub ANY; };
};\n`,
      ),
      secondary: secondaryConf(folder),
      above: namedConf(
        folder,
        "above",
        ABOVE,
        `listen-on { ${ABOVE}; ${RESOLVER}; }; };
view "above" {
  match-destinations { ${ABOVE}; };
  recursion no;
  zone "." { type primary; file "root.zone"; };
  zone "example" { type primary; file "example.zone"; };
};
view "resolver" {
  recursion yes;
  max-cache-ttl 0; max-ncache-ttl 0;
  zone "." { type hint; file "hints"; };
};\n`,
      ),
    };
    await world.write("hints", `. 60 IN NS ns.above.\nns.above. 60 IN A ${ABOVE}\n`);
    for (const [name, text] of Object.entries(confs)) {
      await world.write(`${name}.conf`, text);
      const args = ["-g", "-n", "1", "-c", `${folder}/${name}.conf`];
      world.servers.set(
        name,
        new ServerProcess(world.#inside([program, ...args]), / running\n/),
      );
    }
    const config = (key: string, host: string) =>
      `nameserver = "${PRIMARY}"\nnskeyfile = "${key}"\n[clients]\n"${KEY}" = ${host}\n`;
    await world.write(
      "sftdyn.toml",
      `http = "8080"\nstatus = "127.0.0.1:9053"\n${config("key", JSON.stringify(HOSTS))}`,
    );
    await world.write("wrong.toml", `http = "8080"\n${config("wrong", `"${HOST}"`)}`);
    await world.write(
      "limits.toml",
      `http = "8080"\nstatus = "127.0.0.1:9054"\n${
        config(
          "key",
          `{ host = "${HOST}", ttl = 300, networks = ["192.0.2.0/24"], families = ["ipv4"] }`,
        )
      }`,
    );
    await world.write(
      "zone.toml",
      `http = "8080"\n[zones."dyn.example"]\n${config("key", `"${HOST}"`)}`,
    );
    await world.write("missing.toml", `http = "8080"\n${config("key", `"${MISSING}"`)}`);
    return world;
  }

  write(name: string, text: string): Promise<void> {
    return Deno.writeTextFile(`${this.folder}/${name}`, text);
  }

  /** A command on that machine. */
  #inside(command: readonly string[]): [string, ...string[]] {
    return ["nsenter", `--target=${this.machine.pid}`, "--net", "--mount", "--wd=/", ...command];
  }

  run(...command: string[]): Promise<Ran> {
    return run(this.#inside(command), { env: { no_proxy: "*" } });
  }

  async rndc(address: string, ...command: string[]): Promise<void> {
    const ran = await this.run(
      "rndc",
      ...["-s", address, "-p", "953", "-k", `${this.folder}/rndc.key`, ...command],
    );
    assertEquals(ran.code, 0, ran.stderr);
  }

  /** What nsupdate is told with the right key. */
  async update(...lines: string[]): Promise<void> {
    await this.write("script", [`server ${PRIMARY}`, ...lines, "send", ""].join("\n"));
    const ran = await this.run("nsupdate", "-k", `${this.folder}/key`, `${this.folder}/script`);
    assertEquals(ran.code, 0, ran.stderr);
  }

  /** Waits until a nameserver has so many records of the host, or none. */
  async untilAt(address: string, name: string, type: string, wanted: string): Promise<void> {
    await until(`${name} ${type} ${wanted} at ${address}`, async () => {
      const { stdout } = await this.run("dig", `@${address}`, "+short", "+norec", name, type);
      return stdout.trim().startsWith(wanted);
    });
  }

  start(file = "sftdyn.toml"): Promise<Sftdyn> {
    return Sftdyn.start([`${this.folder}/${file}`], {}, this.#inside(PROGRAM));
  }

  /** What `sftdyn why` prints, and its status. */
  async why(host: string, file = "sftdyn.toml"): Promise<{ code: number; lines: string[] }> {
    const ran = await this.run(...PROGRAM, "why", host, `${this.folder}/${file}`);
    assertEquals(ran.stderr, "");
    return { code: ran.code, lines: ran.stdout.trimEnd().split("\n") };
  }

  /** The last line names the first broken link. */
  async broken(expected: RegExp, host = HOST, file?: string): Promise<string[]> {
    const { code, lines } = await this.why(host, file);
    assertEquals(code, 1, lines.join("\n"));
    const last = lines.at(-1)!;
    assertMatch(last, /^the first broken link: /, lines.join("\n"));
    assertMatch(last, expected, lines.join("\n"));
    assertStringIncludes(lines.join("\n"), `error: ${last.replace(/^.*? link: /, "")}`);
    return lines;
  }

  async end(): Promise<void> {
    await Promise.all([...this.servers.values()].map((server) => server.stop()));
    this.machine.kill("SIGKILL");
    await this.machine.status;
    await Deno.remove(this.folder, { recursive: true });
  }
}

Deno.test("why finds what is broken", { ignore: !canUnshare }, async (t) => {
  const world = await World.make();
  const { folder } = world;
  // After a failure, the next would fail too.
  const step = async (name: string, body: () => Promise<void>) => {
    assert(await t.step(name, body), name);
  };
  const server = (name: string) => world.servers.get(name)!;
  const secondaryIs = async (zone: string) => {
    const text = secondaryConf(folder).replace(/zone .*/, "") + zone;
    await world.write("secondary.conf", text);
    await world.rndc(SECONDARY, "reconfig");
  };
  let serial = 1;
  const delegate = async (text: string) => {
    await world.write("example.zone", EXAMPLE.replace(" 1 3600", ` ${++serial} 3600`) + text);
    await world.rndc(ABOVE, "reload", "example", "IN", "above");
    await world.untilAt(ABOVE, "example", "SOA", `ns1.dyn.example. admin.dyn.example. ${serial} `);
  };
  const transfer = async () => {
    await world.rndc(SECONDARY, "retransfer", "dyn.example");
    await world.untilAt(SECONDARY, HOST, "A", PRIMARY);
  };
  try {
    await Promise.all([...world.servers.values()].map((each) => each.start()));
    const sftdyn = await world.start();

    await step("nobody has called yet", async () => {
      const lines = await world.broken(
        /: host\.dyn\.example has neither A nor AAAA: no client has/,
      );
      assertMatch(lines[1]!, /^note: last call: none since 20/);
    });

    await step("all is well", async () => {
      const { stdout } = await world.run("curl", "-sS", `http://${PRIMARY}:8080/${KEY}`);
      assertEquals(stdout, "OK");
      await transfer();
      const text = `A ${PRIMARY}, no AAAA`;
      await Promise.all(HOSTS.map(async (host) => {
        const { code, lines } = await world.why(host);
        assertEquals(code, 0, lines.join("\n"));
        assertMatch(lines[1]!, /^ok: last call: .* ago, 20.* UTC, from 127\.0\.0\.1: OK$/);
        assertEquals(lines.toSpliced(1, 1).map((line) => line.replace(/serial \d+/, "serial N")), [
          `ok: client: ${folder}/sftdyn.toml: line 6: key ${KEY_ID}`,
          `ok: ${host}: zone dyn.example, A and AAAA can be set`,
          `ok: nameserver ${PRIMARY}:53: ${host} has ${text}; serial N`,
          `ok: nameserver ns1.dyn.example (${PRIMARY}): ${text}; serial N`,
          `ok: nameserver ns2.dyn.example (${SECONDARY}): ${text}; serial N`,
          `note: nameserver ns2.dyn.example (${FAR}): not asked: this machine has no way to it ` +
          "(Network is unreachable (os error 101))",
          "ok: delegation: zone example, as ns.above says it: ns1.dyn.example, ns2.dyn.example",
          "note: ttl: resolvers may cache an older address for 30 seconds, and that there was none " +
          "for 60 seconds",
          "no link is broken",
        ]);
      }));
    });

    await step("no client has the host", async () => {
      await world.broken(
        /: client: no client has hots\.dyn\.example; did you mean host\.dyn\.example\?$/,
        "hots.dyn.example",
      );
    });

    await step("the client's limits are told, and another TTL", async () => {
      const { code, lines } = await world.why(HOST, "limits.toml");
      assertEquals(code, 0, lines.join("\n"));
      assertMatch(lines[0]!, /: key 9f9f5111: only from 192\.0\.2\.0\/24; only IPv4$/);
      assertMatch(lines[1]!, /^warning: last call: not known: nobody listens on 127\.0\.0\.1:9054/);
      assertEquals(lines[2], `ok: ${HOST}: zone dyn.example, A can be set`);
      assertMatch(lines.at(-2)!, /for 30 seconds \(sftdyn sets 300 at the next change\)/);
    });

    await step("the key is wrong", async () => {
      const lines = await world.broken(/nameserver 127\.0\.0\.1:53: .*BADSIG/, HOST, "wrong.toml");
      assertEquals(lines[1], "note: last call: not known: status is not configured");
      assertMatch(lines.at(-3)!, /^ok: delegation: /);
    });

    await step("the nameserver has no such zone", async () => {
      const broken = /host\.missing\.example: nameserver 127\.0\.0\.1:53: .*not authoritative/;
      await world.broken(broken, MISSING, "missing.toml");
    });

    await step("somebody else has changed the record", async () => {
      await world.update(`update delete ${HOST} A`, `update add ${HOST} 30 A 192.0.2.1`);
      await world.broken(
        / has A 192\.0\.2\.1, no AAAA, but sftdyn has left it with A 127\.0\.0\.1/,
      );
    });

    await step("a secondary is behind", async () => {
      const broken =
        /: nameserver ns2\.dyn\.example \(127\.0\.0\.2\): A 127\.0\.0\.1, no AAAA, instead of A 192\.0\.2\.1, no AAAA: its serial \d+ is older than \d+: see/;
      await world.broken(broken, HOST, "limits.toml");
      const { code, lines } = await world.why("dyn.example");
      assertEquals(code, 0, lines.join("\n"));
      assertMatch(
        lines.join("\n"),
        /^warning: nameserver ns2.*as it should, but its serial \d+ is /m,
      );
      await world.update(`update delete ${HOST} A`, `update add ${HOST} 30 A ${PRIMARY}`);
    });

    await step("a secondary has another zone of that name", async () => {
      await world.write("other.zone", ZONE.replace(" 1 3600", " 9 3600"));
      await secondaryIs('zone "dyn.example" { type primary; file "other.zone"; };');
      await world.broken(
        /ns2\.dyn\.example .*: neither A nor AAAA, instead of A 127.*: its serial is 9: it has another zone/,
      );
    });

    await step("a secondary is lame", async () => {
      await secondaryIs("");
      await world.broken(
        /ns2\.dyn\.example \(127\.0\.0\.2\): lame: it answers REFUSED for dyn\.example/,
      );
    });

    await step("a secondary is down", async () => {
      await server("secondary").killed();
      await world.broken(
        /ns2\.dyn\.example \(127\.0\.0\.2\): it does not answer over TCP: connection refused/,
      );
      await world.write("secondary.conf", secondaryConf(folder));
      await server("secondary").start();
      await transfer();
    });

    const delegations: [string, string, RegExp][] = [
      [
        "names other nameservers",
        DELEGATION.replace(/dyn IN NS ns2.*/, "dyn IN NS ns3.dyn"),
        /: other NS records than dyn\.example has itself: without ns2\.dyn\.example and with ns3\.dyn/,
      ],
      [
        "has an older address of a nameserver",
        DELEGATION.replace(`ns2.dyn IN A ${SECONDARY}`, "ns2.dyn IN A 192.0.2.2"),
        /: ns2\.dyn\.example has the address 192\.0\.2\.2 there \(glue\), but 127\.0\.0\.2, 2001:db8::2 in/,
      ],
      [
        "has no address of a nameserver",
        DELEGATION.replace(/ns2.dyn IN A.*/, ""),
        /: no address \(glue\) with ns2\.dyn\.example$/,
      ],
      [
        "does not delegate the zone",
        "",
        /: zone example, as ns\.above says it: it has no NS records of dyn\.example: resolvers do not/,
      ],
    ];
    for (const [what, text, broken] of delegations) {
      await step(`the zone above ${what}`, async () => {
        await delegate(text);
        await world.broken(broken);
      });
    }

    await step("the primary is down", async () => {
      await delegate(DELEGATION);
      await server("primary").killed();
      const lines = await world.broken(
        /: host\.dyn\.example: nameserver 127\.0\.0\.1:53: .*refused/,
      );
      assertMatch(
        lines.join("\n"),
        /^note: nameservers and delegation: not asked: the zone is not/m,
      );
      // Where the configuration names the zone, the others can still be asked.
      const more = await world.broken(/127\.0\.0\.1:53: .*refused/, HOST, "zone.toml");
      assertMatch(more.join("\n"), /^error: nameserver ns1\.dyn\.example .*connection refused$/m);
      assertMatch(
        more.join("\n"),
        /^ok: nameserver ns2\.dyn\.example .*: A 127\.0\.0\.1, no AAAA/m,
      );
    });
    assertEquals(await sftdyn.stop(), 0);
  } finally {
    await world.end();
  }
});
