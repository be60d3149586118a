/** The files in contrib, each tried with the program that it is for. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { HELP } from "../../lib/cli.ts";
import { createLog } from "../../lib/log.ts";
import { ROOT } from "../../tools/deno.ts";
import { type Ran, run, type RunOptions, withFolder } from "./sftdyn.ts";

const CONTRIB = `${ROOT}/contrib`;
const COMPLETIONS = `${CONTRIB}/completions`;

/** The Debian packages of the programs that are run here. */
const PACKAGES: Record<string, string> = {
  "bash": "bash",
  "curl": "curl",
  "fail2ban-client": "fail2ban",
  "fail2ban-regex": "fail2ban",
  "fish": "fish",
  "mandoc": "mandoc",
  "systemd-analyze": "systemd",
  "zsh": "zsh",
};

/** Runs a program; one that is missing fails the test with what to install. */
async function tool(command: [string, ...string[]], options?: RunOptions): Promise<Ran> {
  try {
    return await run(command, options);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    const [name] = command;
    throw new Error(`${name} is missing: apt-get install ${PACKAGES[name]}`, { cause: error });
  }
}

function assertSilent({ code, stdout, stderr }: Ran): void {
  assertEquals({ code, output: stdout + stderr }, { code: 0, output: "" });
}

/** The options of HELP, or of the manual page's text, as `-l --http LISTEN`. */
function optionsIn(text: string): string[] {
  return [...text.matchAll(/^ +(?:(-\w), )?(--\w+)(?: ([A-Z]+))?(?= {2}|$)/gm)]
    .map(([, ...parts]) => parts.filter((part) => part !== undefined).join(" "));
}

const OPTIONS = optionsIn(HELP);
const LONG = [...HELP.matchAll(/^ +(?:-\w, )?--(\w+)/gm)].map(([, name]) => name!);
const COMMANDS = [...HELP.matchAll(/^ {2}sftdyn (\w+) /gm)].map(([, name]) => name!);

Deno.test("HELP is read as it is meant", () => {
  assertEquals(OPTIONS.length, LONG.length);
  assert(OPTIONS.includes("-l --http LISTEN") && OPTIONS.includes("--nskeyfile FILE"));
  assertEquals(COMMANDS, ["check", "key", "status", "why", "import"]);
});

/** How many of the lines fail2ban's filter matches, and the addresses. */
async function banned(lines: string[]): Promise<{ matched: number; addresses: string[] }> {
  let found: { matched: number; addresses: string[] } | undefined;
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/log`, lines.map((line) => `${line}\n`).join(""));
    const filter = `${CONTRIB}/fail2ban/filter.d/sftdyn.conf`;
    const { stdout, stderr } = await tool(["fail2ban-regex", `${folder}/log`, filter]);
    const [, total, matched, missed] =
      /^Lines: (\d+) lines, 0 ignored, (\d+) matched, (\d+) missed$/m.exec(stdout)?.map(Number) ??
        [];
    assertEquals(total, lines.length, stdout + stderr);
    assertEquals(matched! + missed!, total);
    const addresses = await tool(["fail2ban-regex", "--out", "ip", `${folder}/log`, filter]);
    found = { matched: matched!, addresses: addresses.stdout.split("\n").filter((line) => line) };
  });
  return found!;
}

/** A warning as JSON; a request cannot make the address another, or end the string. */
function asJson(message: string): string {
  const lines: string[] = [];
  const log = createLog({ format: () => "json", write: (line) => lines.push(line.trimEnd()) });
  const address = /^unknown key from ([\da-f.:]+)$/.exec(message)?.[1];
  log.warning(message, { event: address === undefined ? "proxy_fault" : "unknown_key", address });
  return lines[0]!;
}

/** The forms in which fail2ban gets a warning: a log file, syslog's files, the journal. */
const FORMS: Record<string, (message: string) => string> = {
  "a log of its own, as JSON": asJson,
  "the journal as fail2ban reads it, as JSON": (message) =>
    `server sftdyn[4711]: ${asJson(message)}`,
  "syslog, as JSON": (message) => `Jan  1 00:00:00 server sftdyn[4711]: ${asJson(message)}`,
  "a log of its own": (message) => `2026-01-01T00:00:00.000Z warning: ${message}`,
  "the journal's messages": (message) => message,
  "the journal as fail2ban reads it": (message) => `server sftdyn[4711]: ${message}`,
  "syslog": (message) => `Jan  1 00:00:00 server sftdyn[4711]: ${message}`,
  "syslog with ISO times": (message) => `2026-01-01T00:00:00.000000+01:00 server deno: ${message}`,
};

for (const [name, form] of Object.entries(FORMS)) {
  Deno.test(`fail2ban's filter finds who has no key in ${name}`, async () => {
    const addresses = ["203.0.113.9", "2001:db8::9", "2001:db8:1:2:3:4:5:6", "::1", "2001:db8::"];
    const lines = addresses.map((address) => form(`unknown key from ${address}`));
    assertEquals(await banned(lines), { matched: addresses.length, addresses });
  });

  Deno.test(`fail2ban's filter finds nobody else in ${name}`, async () => {
    const lines = [
      "unknown key from a client behind 203.0.113.9",
      "unknown key from a client behind 2001:db8::9",
      "unknown key from a client behind an unknown address",
      "12 more requests were refused just now",
      "the proxy 203.0.113.9 did not say, in X-Forwarded-For, whom it asks for",
      "the proxy 203.0.113.9 sent something else than an address in X-Forwarded-For",
      "the proxy 203.0.113.9 does not know whom it asks for: it sent for=unknown in Forwarded",
      "home.dyn.example A 198.51.100.4 -> 203.0.113.9",
      "unknown key from 203.0.113.9 unknown key from 203.0.113.8",
      "unknown key from 203.0.113.9\\x0aunknown key from 203.0.113.8",
      "warning: warning: unknown key from 203.0.113.9",
      "/: unknown key from 203.0.113.9",
      "server sshd[1]: unknown key from 203.0.113.9",
    ].map(form);
    assertEquals(await banned(lines), { matched: 0, addresses: [] });
  });
}

Deno.test("fail2ban takes the jail", async () => {
  await withFolder(async (folder) => {
    // Debian's configuration without Debian's own jail, which wants sshd's log.
    const copied = await tool(["cp", "-r", "/etc/fail2ban", `${folder}/fail2ban`]).catch(() => {});
    assertEquals(copied?.code, 0, "no /etc/fail2ban: apt-get install fail2ban");
    await Deno.remove(`${folder}/fail2ban/jail.d`, { recursive: true });
    assertSilent(
      await tool([
        "cp",
        "-r",
        `${CONTRIB}/fail2ban/filter.d`,
        `${CONTRIB}/fail2ban/jail.d`,
        `${folder}/fail2ban`,
      ]),
    );
    const { code, stdout, stderr } = await tool([
      "fail2ban-client",
      "-c",
      `${folder}/fail2ban`,
      "-d",
    ]);
    assertEquals(code, 0, stderr);
    assertStringIncludes(stdout, "['add', 'sftdyn', 'systemd']");
    assertStringIncludes(stdout, "['start', 'sftdyn']");
    assertStringIncludes(stdout, "'_SYSTEMD_UNIT=sftdyn.service'");
  });
});

const UNITS = ["service", "timer"].map((kind) => `${CONTRIB}/sftdynupdate.${kind}`);

Deno.test("systemd has nothing to say about the client's units", async () => {
  assertSilent(await tool(["systemd-analyze", "verify", ...UNITS]));
});

Deno.test("the client's service requests the URL in root's file over both families, and does not show it", async () => {
  const unit = await Deno.readTextFile(UNITS[0]!);
  const command = /^ExecStart=(.*)$/m.exec(unit)![1]!;
  const [, write, file] = /^# +(umask 077; echo .* > (\S+))$/m.exec(unit)!;
  assertStringIncludes(unit, `\nLoadCredential=url:${file}\n`);
  assert(!command.includes("http"));
  const requested: string[] = [];
  const answer = (request: Request) => {
    requested.push(request.url);
    return new Response("OK");
  };
  const ipv4 = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, answer);
  const { port } = ipv4.addr;
  const ipv6 = Deno.serve({ hostname: "::1", port, onListen: () => {} }, answer);
  try {
    await withFolder(async (folder) => {
      const url = `http://localhost:${port}/?a={b,c}[1-2]&d=%20`;
      const script = write!.replace(/https:[^"]*/, url).replace(file!, `${folder}/url`);
      assertSilent(await tool(["bash", "-c", script]));
      assertEquals((await Deno.stat(`${folder}/url`)).mode! & 0o777, 0o600);
      const [, shell, path] = /^sh -c '([^']*)' (\S+)$/.exec(
        command.replaceAll("%d", folder).replaceAll("$$", "$"),
      )!;
      const once = () => tool(["sh", "-c", shell!, path!], { env: { no_proxy: "*" } });
      assertEquals(await once(), { code: 0, stdout: "OKOK", stderr: "" });
      assertEquals(requested, [new Request(url).url, new Request(url).url]);
      await ipv6.shutdown();
      const one = await once();
      assertEquals([one.code, one.stdout], [0, "OK"]);
      await ipv4.shutdown();
      const none = await once();
      assertEquals([none.code, none.stdout], [1, ""]);
    });
  } finally {
    await ipv4.shutdown();
    await ipv6.shutdown();
  }
});

/** The manual page's sections, as text without bold and underlined letters. */
async function manual(): Promise<Map<string, string>> {
  const { code, stdout, stderr } = await tool(["mandoc", "-Tascii", `${CONTRIB}/sftdyn.8`]);
  assertEquals(code, 0, stderr);
  // deno-lint-ignore no-control-regex
  const text = stdout.replace(/.\x08/g, "");
  return new Map(
    text.split(/^(?=[A-Z])/m).map((section): [string, string] => {
      const end = section.indexOf("\n");
      return [section.slice(0, end), section.slice(end + 1)];
    }),
  );
}

Deno.test("the manual page is faultless mdoc", async () => {
  assertSilent(await tool(["mandoc", "-Tlint", "-W", "warning", `${CONTRIB}/sftdyn.8`]));
});

Deno.test("the manual page has the options and commands of --help, and no others", async () => {
  const page = await manual();
  assertEquals(optionsIn(page.get("OPTIONS")!), OPTIONS);
  const usage = [...HELP.matchAll(/^ {2}(sftdyn .*?)(?: {2,}.*)$/gm)].map(([, form]) => form);
  assertEquals(page.get("SYNOPSIS")!.trim().split(/\n +/), usage);
});

Deno.test("the manual page has every name of the example configuration, and no others", async () => {
  const example = await Deno.readTextFile(`${ROOT}/sftdyn.toml.example`);
  // Some are in a zone of its own once more.
  const names = new Set(
    [...example.matchAll(/^#?([a-z0-9_]+) = |^#?\[(clients|zones)\b.*\]$/gm)]
      .map(([, name, table]) => name ?? table!),
  );
  const tags = [...(await manual()).get("CONFIGURATION")!.matchAll(
    /^ {5}((?:[a-z0-9_]+, )*(?:[a-z0-9_]+|\[(?:clients|zones)\b\S*\]))(?: {2}|$)/gm,
  )].flatMap(([, tag]) => tag!.replace(/\[(\w+).*\]/, "$1").split(", "));
  assertEquals(tags, [...names]);
});

Deno.test("the manual page has the defaults of the example configuration", async () => {
  const example = await Deno.readTextFile(`${ROOT}/sftdyn.toml.example`);
  const text = (await manual()).get("CONFIGURATION")!;
  const numbers = [...example.matchAll(/^([a-z_]+) = (\d+)$/gm)];
  assert(numbers.length >= 4);
  for (const [, name, value] of numbers) {
    assertMatch(text, new RegExp(`^ {5}${name}\\s(?:(?!\\n\\n)[^])*default is ${value}\\.`, "m"));
  }
});

const SHELLS = { bash: "sftdyn.bash", zsh: "_sftdyn", fish: "sftdyn.fish" };

for (const [shell, file] of Object.entries(SHELLS)) {
  Deno.test(`the completion for ${shell} is of its grammar`, async () => {
    assertSilent(await tool([shell, "-n", `${COMPLETIONS}/${file}`]));
  });

  Deno.test(`the completion for ${shell} names every option and command, and no others`, async () => {
    const text = await Deno.readTextFile(`${COMPLETIONS}/${file}`);
    const options = shell === "fish" ? / -l (\w+)/g : /(?<![\w-])--(\w+)/g;
    const named = new Set([...text.matchAll(options)].map(([, name]) => name!));
    assertEquals([...named].sort(), LONG.toSorted());
    for (const command of COMMANDS) assertMatch(text, new RegExp(`\\b${command}\\b`));
  });
}

/** What bash offers for the last of the words. */
async function completeInBash(...words: string[]): Promise<string[]> {
  const script = `
    . "$1"; shift
    [[ $(complete -p sftdyn) =~ -F\\ ([^ ]+) ]]
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
    "\${BASH_REMATCH[1]}" "$1" "\${@: -1}" "\${@: -2:1}"
    (IFS=$'\\n'; echo "\${COMPREPLY[*]}")`;
  const { code, stdout, stderr } = await tool(
    ["bash", "--norc", "-uc", script, "bash", `${COMPLETIONS}/sftdyn.bash`, "sftdyn", ...words],
  );
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  return stdout.split("\n").filter((word) => word !== "");
}

Deno.test("bash completes options and commands", async () => {
  const cases: [words: string[], offered: string[]][] = [
    [["--ht"], ["--http", "--https"]],
    [["ch"], ["check"]],
    [["im"], ["import"]],
    [[""], ["check", "key", "status", "why", "import"]],
    [["check", "--nsk"], ["--nskeyfile"]],
    [["check", ""], []],
    [["key", ""], []],
    [["why", ""], []],
    [["import", ""], []],
    [["status", ""], []],
    [["status", "--st"], ["--stale"]],
    [["status", "--stale", ""], []],
    [["--http", ""], []],
    [["--cert", "--"], []],
    [["--cert", "=", "fi"], []],
    [["--cert", "="], []],
  ];
  for (const [words, offered] of cases) {
    assertEquals(await completeInBash(...words), offered, words.join(" "));
  }
  assertEquals((await completeInBash("--")).toSorted(), LONG.map((name) => `--${name}`).toSorted());
});

Deno.test("fish completes options and commands", async () => {
  await withFolder(async (folder) => {
    const cases: [line: string, offered: string[]][] = [
      ["sftdyn --ht", ["--http", "--https"]],
      ["sftdyn ch", ["check"]],
      ["sftdyn im", ["import"]],
      ["sftdyn status --js", ["--json"]],
      ["sftdyn status --stale 1", ["12h", "1d"]],
      ["sftdyn key ", []],
      ["sftdyn wh", ["why"]],
      ["sftdyn why ", []],
    ];
    for (const [line, offered] of cases) {
      const { stdout, stderr } = await tool(
        ["fish", "--no-config", "-c", 'source $argv[1]; complete -C "$argv[2]"'].concat(
          `${COMPLETIONS}/sftdyn.fish`,
          line,
        ) as [string, ...string[]],
        { cwd: folder, env: { HOME: folder, XDG_DATA_HOME: folder } },
      );
      assertEquals(stderr, "");
      const words = stdout.split("\n").filter((word) => word).map((word) => word.split("\t")[0]);
      assertEquals(words, offered, line);
    }
  });
});
