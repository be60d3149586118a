/** Update clients that people have, configured as contrib/clients.md says, with a BIND. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { ROOT } from "../../tools/deno.ts";
import { statusOf } from "../../tools/program.ts";
import { within } from "../support.ts";
import { blocksOf } from "./readme.ts";
import { SECRET, type Served, withServed } from "./served.ts";
import { type Ran, run, until } from "./sftdyn.ts";

const KEY = `${SECRET}0123456789abcdef`;
const CONFIG = `dyndns2 = true
[clients]
"${KEY}" = { host = ["home.dyn.example", "nas.dyn.example"], address = "request" }
`;
const PAGE = await Deno.readTextFile(`${ROOT}/contrib/clients.md`);
const SCHEMES = ["http", "https"] as const;
type Scheme = typeof SCHEMES[number];

/** The page's recipe that has these words, for this server. */
function recipe({ http, https, folder }: Served, scheme: Scheme, ...words: string[]): string {
  const found = blocksOf(PAGE).filter((text) => words.every((word) => text.includes(word)));
  assertEquals(found.length, 1, `blocks of contrib/clients.md with ${words}`);
  return found[0]!
    .replaceAll("dyn.example:4443", `localhost:${scheme === "http" ? http : https}`)
    .replaceAll("https://", `${scheme}://`)
    .replace("curl -fsS", `curl -fsS --cacert ${folder}/cert.pem`)
    .replaceAll("KEY", KEY);
}

const two = {
  ddclient: (text: string) =>
    text.replace(/^home\.dyn\.example$/m, "home.dyn.example,nas.dyn.example"),
  inadyn: (text: string) =>
    text.replace(
      /hostname( +)= home\.dyn\.example/,
      'hostname$1= { "home.dyn.example", "nas.dyn.example" }',
    ),
};

/** ddclient takes no name without a dot. */
function ddclientConf(served: Served, scheme: Scheme, use: "web" | "cmd"): string {
  const text = recipe(served, scheme, "protocol=dyndns2", `use=${use}`)
    .replace(/^(server=|use=web.*)localhost/gm, "$1127.0.0.1");
  return scheme === "http" ? text.replace("ssl=yes", "ssl=no") : text;
}

/** Runs ddclient once; without what it remembers, unless that is kept. */
async function ddclient({ folder }: Served, text: string, keep = false): Promise<string> {
  const file = `${folder}/ddclient.conf`;
  await Deno.writeTextFile(file, text, { mode: 0o600 });
  if (!keep) await Deno.remove(`${folder}/ddclient.cache`).catch(() => {});
  const files = ["-file", file, "-cache", `${folder}/ddclient.cache`];
  const options = ["-daemon=0", "-foreground", "-verbose", "-noquiet"];
  const trust = ["-ssl_ca_file", `${folder}/cert.pem`];
  const ran = await run(["ddclient", ...files, ...options, ...trust], { env: { no_proxy: "*" } });
  return ran.stdout + ran.stderr;
}

for (const scheme of SCHEMES) {
  Deno.test(`ddclient over ${scheme}: good, nochg, two hosts, both families`, async () => {
    await withServed(CONFIG, async (served) => {
      const { named } = served;
      const conf = ddclientConf(served, scheme, "web");
      assertMatch(
        await ddclient(served, conf),
        /SUCCESS: +updating home\.dyn\.example: good: IP(?:v[46])? address set to 127\.0\.0\.1/,
      );
      assertEquals(await named.dig("home.dyn.example", "A"), ["127.0.0.1"]);
      // It has forgotten what it sent.
      assertMatch(await ddclient(served, conf), /updating home\.dyn\.example: nochg: /);
      const both = await ddclient(served, two.ddclient(conf));
      // Later versions tell of several hosts in one line.
      assertMatch(both, /updating home\.dyn\.example\S*: nochg: /);
      assertMatch(
        both,
        /updating \S*nas\.dyn\.example: good: IP(?:v[46])? address set to 127\.0\.0\.1/,
      );
      assertEquals(await named.dig("nas.dyn.example", "A"), ["127.0.0.1"]);
      const ipv6 = ddclientConf(served, scheme, "cmd");
      assertMatch(
        await ddclient(served, ipv6),
        /updating home\.dyn\.example: good: IP(?:v[46])? address set to ::1/,
      );
      assertEquals(await named.dig("home.dyn.example", "AAAA"), ["::1"]);
      assertEquals(await named.dig("home.dyn.example", "A"), ["127.0.0.1"]);
    });
  });

  Deno.test(`ddclient over ${scheme}: a wrong key, and a nameserver that is down`, async () => {
    await withServed(CONFIG, async (served) => {
      const { named, program } = served;
      const conf = `min-error-interval=0\n${ddclientConf(served, scheme, "web")}`;
      const wrong = await ddclient(served, conf.replace(KEY, `${KEY}x`));
      assertMatch(wrong, /FAILED: +updating home\.dyn\.example: auth(?:oriz|entic)ation failed/);
      await program.logged(/warning: unknown key from (127\.0\.0\.1|::1)\n/);
      const unknown = await ddclient(served, conf.replace(/^home\./m, "other."));
      assertMatch(unknown, /FAILED: +updating other\.dyn\.example: nohost: /);
      assertEquals(await named.dig("home.dyn.example", "ANY"), []);
      await named.killed();
      const down = await ddclient(served, conf);
      assert(!/SUCCESS|: good|: nochg/.test(down), down);
      await named.restart();
      assertMatch(
        await ddclient(served, conf, true),
        /home\.dyn\.example: good: IP(?:v[46])? address set/,
      );
      assertEquals(await named.dig("home.dyn.example", "A"), ["127.0.0.1"]);
      // It remembers.
      assert(!/updating/.test((await ddclient(served, conf, true)).replace(/^.*CACHE.*$/gm, "")));
    });
  });
}

Deno.test("curl from a crontab: the key is in a file of its user's, and in no command line", async () => {
  await withServed(CONFIG, async (served) => {
    const { folder, named } = served;
    const sh = async (script: string) => {
      const ran = await run(["sh", "-c", script], { env: { HOME: folder, no_proxy: "*" } });
      assertEquals(ran, { code: 0, stdout: "", stderr: "" });
    };
    await sh(recipe(served, "https", "umask 077"));
    assertEquals((await Deno.stat(`${folder}/.sftdyn.curl`)).mode! & 0o777, 0o600);
    const line = /^\*\/10 \* \* \* \* (.*)$/m.exec(recipe(served, "https", "*/10 *"))![1]!;
    assert(!line.includes(KEY) && !line.includes("https:"), line);
    await sh(line);
    assertEquals(await named.dig("home.dyn.example", "A"), ["127.0.0.1"]);
    assertEquals(await named.dig("home.dyn.example", "AAAA"), []);
    await sh(line.replace("-4", "-6"));
    assertEquals(await named.dig("home.dyn.example", "AAAA"), ["::1"]);
  });
});

/** Settings of every inadyn: it takes no address of this machine for a client's, else. */
function inadynConf(served: Served, scheme: Scheme, ...words: string[]): string {
  const text = recipe(served, scheme, "custom home@dyn.example", ...words);
  return `verify-address = false\nca-trust-file = "${served.folder}/cert.pem"\n` +
    (scheme === "http"
      ? text.replace("{\n", "{\n    ssl = false\n    checkip-ssl = false\n")
      : text);
}

function inadynCommand(folder: string): [string, ...string[]] {
  const own = ["--no-pidfile", `--cache-dir=${folder}/inadyn`, "-f", `${folder}/inadyn.conf`];
  return ["inadyn", "--foreground", "--loglevel=info", ...own];
}

async function writeInadyn(folder: string, text: string): Promise<void> {
  await Deno.mkdir(`${folder}/inadyn`, { recursive: true });
  await Deno.writeTextFile(`${folder}/inadyn.conf`, text, { mode: 0o600 });
}

/** Runs inadyn once, as if it had never run before. */
async function inadyn({ folder }: Served, text: string): Promise<Ran> {
  await Deno.remove(`${folder}/inadyn`, { recursive: true }).catch(() => {});
  await writeInadyn(folder, text);
  const [program, ...args] = inadynCommand(folder);
  const ran = await run([program, "--once", ...args]);
  return { ...ran, stderr: ran.stdout + ran.stderr };
}

const INADYN = [["dyndns2", "nic/update"], ["the secret URL", "/%p"]] as const;

for (const scheme of SCHEMES) {
  for (const [protocol, path] of INADYN) {
    Deno.test(`inadyn over ${scheme} with ${protocol}: first, again, two hosts`, async () => {
      await withServed(CONFIG, async (served) => {
        const { named, program } = served;
        const conf = inadynConf(served, scheme, path);
        for (let i = 0; i < 2; i++) {
          const { code, stderr } = await inadyn(served, conf);
          assertEquals(code, 0, stderr);
          assertMatch(stderr, /Successful alias table update for home\.dyn\.example => new IP# /);
          assertEquals(
            program.count(/info: home\.dyn\.example A none|info: home\.dyn\.example A \?/g),
            1,
          );
        }
        assertEquals(await named.dig("home.dyn.example", "A"), ["127.0.0.1"]);
        const { code, stderr } = await inadyn(served, two.inadyn(conf));
        assertEquals(code, 0, stderr);
        assertMatch(stderr, /Successful alias table update for nas\.dyn\.example/);
        assertEquals(await named.dig("nas.dyn.example", "A"), ["127.0.0.1"]);
      });
    });

    Deno.test(`inadyn over ${scheme} with ${protocol}: a wrong key ends it`, async () => {
      await withServed(CONFIG, async (served) => {
        const conf = inadynConf(served, scheme, path).replace(KEY, `${KEY}x`);
        const { code, stderr } = await inadyn(served, conf);
        assert(code !== 0, stderr);
        assertMatch(stderr, /Authentication failure|403 Forbidden/);
        await served.program.logged(/warning: unknown key from (127\.0\.0\.1|::1)\n/);
        assertEquals(await served.named.dig("home.dyn.example", "ANY"), []);
      });
    });

    Deno.test(`inadyn over ${scheme} with ${protocol}: it outlives a nameserver that is down`, async () => {
      await withServed(CONFIG, async (served) => {
        const { named, folder } = served;
        await writeInadyn(folder, inadynConf(served, scheme, path));
        await named.killed();
        const [program, ...args] = inadynCommand(folder);
        const daemon = new Deno.Command(program, {
          args,
          stdin: "null",
          stdout: "null",
          stderr: "piped",
        }).spawn();
        let said = "";
        const reading = (async () => {
          for await (const text of daemon.stderr.pipeThrough(new TextDecoderStream())) said += text;
        })();
        try {
          await until("it will try again", () => /Will retry again in/.test(said));
          await named.restart();
          // What waiting would do.
          daemon.kill("SIGUSR1");
          await until("it succeeds", () => /Successful alias table update/.test(said));
          assertEquals(await named.dig("home.dyn.example", "A"), ["127.0.0.1"]);
        } finally {
          daemon.kill("SIGTERM");
          await statusOf(daemon, () => said);
          await within(reading, "the end of its log");
        }
      });
    });
  }

  Deno.test(`inadyn over ${scheme}: both families`, async () => {
    await withServed(CONFIG, async (served) => {
      const check = recipe(served, scheme, "checkip-command");
      const ipv4 = inadynConf(served, scheme, "nic/update");
      const ipv6 = inadynConf(served, scheme, "nic/update")
        .replace(/^[^]*?custom home@/, "custom home6@")
        .replace(/ *checkip-server.*\n *checkip-path.*\n/, check);
      const { code, stderr } = await inadyn(served, `allow-ipv6 = true\n${ipv4}${ipv6}`);
      assertEquals(code, 0, stderr);
      assertEquals(await served.named.dig("home.dyn.example", "A"), ["127.0.0.1"]);
      assertEquals(await served.named.dig("home.dyn.example", "AAAA"), ["::1"]);
    });
  });
}

/** Where its plugin for dyndns2 finds the server that it was made for: at port 80 of that name. */
const DYNDNS = { hostname: "127.9.9.9", port: 80 };

/** Whether one process can be told another address of a name, and that port is free. */
async function canStandIn(): Promise<boolean> {
  if (Deno.uid() !== 0 || (await run(["unshare", "--mount", "true"])).code !== 0) return false;
  try {
    Deno.listen(DYNDNS).close();
    return true;
  } catch {
    return false;
  }
}

Deno.test({
  name: "inadyn's own plugin for dyndns2, which routers have: first, again, a wrong key",
  ignore: !await canStandIn(),
  async fn() {
    const place = `${DYNDNS.hostname}:${DYNDNS.port}`;
    await withServed(CONFIG, async ({ named, folder, program }) => {
      const names = "members.dyndns.org checkip.dyndns.org";
      await Deno.writeTextFile(`${folder}/hosts`, `${DYNDNS.hostname} ${names}\n`);
      const ask = async (password: string) => {
        await Deno.remove(`${folder}/inadyn`, { recursive: true }).catch(() => {});
        await writeInadyn(
          folder,
          `verify-address = false
provider dyndns.org {
    ssl      = false
    username = home
    password = ${password}
    hostname = home.dyn.example
}
`,
        );
        const script = 'mount --bind "$0/hosts" /etc/hosts && exec "$@" --once';
        const command = ["sh", "-c", script, folder, ...inadynCommand(folder)];
        const ran = await run(["unshare", "--mount", ...command]);
        return `${ran.stdout}${ran.stderr}exit ${ran.code}`;
      };
      for (let i = 0; i < 2; i++) {
        const said = await ask(KEY);
        assertMatch(said, /Successful alias table update for home\.dyn\.example[^]*exit 0$/);
        assertEquals(program.count(/info: home\.dyn\.example A /g), 1);
      }
      assertEquals(await named.dig("home.dyn.example", "A"), ["127.0.0.1"]);
      assertMatch(await ask(`${KEY}x`), /Authentication failure\nexit [1-9]/);
    }, [place]);
  },
});
