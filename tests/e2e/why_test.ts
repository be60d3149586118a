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
const HOST = "host.dyn.example", KEY = "0123456789abcdef", KEY_ID = "9f9f5111";

const SECRET = btoa("0123456789abcdef0123456789abcdef");
const keyText = (name: string, secret = SECRET) =>
  `key "${name}" { algorithm hmac-sha256; secret "${secret}"; };\n`;

/** Records of the zones; NS records of dyn.example are added. */
const SOA = "$TTL 60\n@ IN SOA ns1.dyn.example. admin.dyn.example. 1 3600 600 86400 60\n";
const ZONE = `${SOA}@ IN NS ns1
@ IN NS ns2
ns1 IN A ${PRIMARY}
ns2 IN A ${SECONDARY}
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
      primary: namedConf(folder, "primary", PRIMARY, `listen-on { ${PRIMARY}; }; recursion no; };
${keyText("sftdyn")}
zone "dyn.example" {
  type primary; file "dyn.zone"; allow-transfer { any; };
  update-policy { grant sftdyn zonesub ANY; };
};\n`),
      secondary: namedConf(
        folder,
        "secondary",
        SECONDARY,
        `listen-on { ${SECONDARY}; }; recursion no; };
zone "dyn.example" { type secondary; primaries { ${PRIMARY}; }; file "copy.zone"; };\n`,
      ),
      above: namedConf(folder, "above", ABOVE, `listen-on { ${ABOVE}; ${RESOLVER}; }; };
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
};\n`),
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
    await world.write(
      "sftdyn.toml",
      `http = "8080"\nstatus = "127.0.0.1:9053"\nnameserver = "${PRIMARY}"\nnskeyfile = "key"
[clients]\n"${KEY}" = "${HOST}"\n`,
    );
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
  const server = (name: string) => world.servers.get(name)!;
  try {
    await Promise.all([...world.servers.values()].map((each) => each.start()));
    const sftdyn = await world.start();

    await t.step("nobody has called yet", async () => {
      const lines = await world.broken(/: host\.dyn\.example has neither A nor AAAA: no client has/);
      assertMatch(lines[1]!, /^note: last call: none since sftdyn started, 20/);
    });

    await t.step("all is well", async () => {
      const { stdout } = await world.run("curl", "-sS", `http://${PRIMARY}:8080/${KEY}`);
      assertEquals(stdout, "OK");
      await world.rndc(SECONDARY, "refresh", "dyn.example");
      await world.untilAt(SECONDARY, HOST, "A", PRIMARY);
      const { code, lines } = await world.why(HOST);
      assertEquals(code, 0, lines.join("\n"));
      console.log(lines.join("\n"));
      const text = `A ${PRIMARY}, no AAAA`;
      assertMatch(lines[1]!, /^ok: last call: .* ago, 20.* UTC, from 127\.0\.0\.1: OK$/);
      assertEquals(lines.toSpliced(1, 1), [
        `ok: client: ${folder}/sftdyn.toml: line 6: key ${KEY_ID}`,
        `ok: ${HOST}: zone dyn.example, A and AAAA can be set`,
        `ok: nameserver ${PRIMARY}:53: ${HOST} has ${text}; serial 2`,
        `ok: nameserver ns1.dyn.example (${PRIMARY}): ${text}; serial 2`,
        `ok: nameserver ns2.dyn.example (${SECONDARY}): ${text}; serial 2`,
        "ok: delegation: zone example, as ns.above says it: ns1.dyn.example, ns2.dyn.example",
        "note: ttl: resolvers may go on with an older address for 30 seconds, and for " +
        "60 seconds that there was none",
        "no link is broken",
      ]);
    });
    assertEquals(await sftdyn.stop(), 0);
  } finally {
    await world.end();
  }
});
