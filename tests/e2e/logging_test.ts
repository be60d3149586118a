/** What can happen to the log while sftdyn serves: its reader goes away, its disk is full. */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { ROOT } from "../../tools/deno.ts";
import { freePort } from "../../tools/named.ts";
import { statusOf } from "../../tools/program.ts";
import { SECRET, withServed } from "./served.ts";
import { curl, PROGRAM, run, sftdyn, until, withFolder } from "./sftdyn.ts";

/**
 * Runs sftdyn by a shell, which decides first where stderr goes.
 *
 * @param body gets a function that asks with a wrong key, which is logged
 */
async function withLogAt(
  redirection: string,
  env: Record<string, string>,
  body: (guess: () => Promise<void>, pid: number) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const port = freePort();
    await Deno.writeTextFile(`${folder}/sftdyn.toml`, `http = "127.0.0.1:${port}"\n`);
    const process = new Deno.Command("bash", {
      args: ["-c", `${redirection}\nexec "$@"`, "bash", ...PROGRAM, `${folder}/sftdyn.toml`],
      env,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      await until("it answers", async () => {
        try {
          return await curl(`http://127.0.0.1:${port}/`) === "200 127.0.0.1";
        } catch {
          return false;
        }
      });
      const guess = async () =>
        assertEquals(await curl(`http://127.0.0.1:${port}/wrong`), "403 BADKEY");
      await body(guess, process.pid);
      for (let i = 0; i < 20; i++) await guess();
    } finally {
      process.kill("SIGTERM");
      assertEquals((await statusOf(process)).code, 0);
    }
  });
}

/** What a log's reader has read so far. */
class Reader {
  text = "";
  readonly ended: Promise<void>;

  constructor(readonly stream: Deno.FsFile | Deno.Conn) {
    this.ended = this.#read();
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    const chunk = new Uint8Array(16_384);
    try {
      for (let count; (count = await this.stream.read(chunk)) !== null;) {
        this.text += decoder.decode(chunk.subarray(0, count));
      }
    } catch {
      // Closed by us.
    }
  }
}

Deno.test("the log is a pipe whose reader goes away and comes back: the server goes on, and logs again", async () => {
  await withFolder(async (folder) => {
    const pipe = `${folder}/pipe`;
    assertEquals((await run(["mkfifo", pipe])).code, 0);
    const opened = Deno.open(pipe);
    let second: Reader | undefined;
    await withLogAt('exec 2>"$LOG"', { LOG: pipe }, async (guess) => {
      const first = await opened;
      const chunk = new Uint8Array(16_384);
      assert((await first.read(chunk))! > 0);
      first.close();
      for (let i = 0; i < 20; i++) await guess();
      const again = second = new Reader(await Deno.open(pipe));
      await until("it logs again", async () => {
        await guess();
        return again.text.includes("unknown key");
      });
    });
    await second!.ended;
    second!.stream.close();
  });
});

Deno.test("the log is the journal's, which is restarted: the server goes on", async () => {
  // The journal's end of its stream socket is what goes away; here it is a stream socket of ours.
  const journal = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = journal.addr as Deno.NetAddr;
  const accepted = journal.accept();
  const redirection = `exec 2>/dev/tcp/127.0.0.1/${port}
export JOURNAL_STREAM=$(stat -Lc %d:%i /dev/stderr)`;
  await withLogAt(redirection, {}, async (guess) => {
    const conn = await accepted;
    journal.close();
    // systemd keeps the socket while the journal starts: nobody reads, and nothing is lost.
    for (let i = 0; i < 20; i++) await guess();
    const reader = new Reader(conn);
    await until("what was not read comes", () => reader.text.includes("<4>unknown key"));
    conn.close();
    await reader.ended;
  });
});

Deno.test("the journal's variable is inherited, and the log is a file: lines have their time and level", async () => {
  await withFolder(async (folder) => {
    const log = `${folder}/log`;
    const env = { LOG: log, JOURNAL_STREAM: "8:1" };
    await withLogAt('exec 2>"$LOG"', env, async (guess) => await guess());
    const lines = (await Deno.readTextFile(log)).trimEnd().split("\n");
    for (const line of lines) assertMatch(line, /^\d{4}-\d\d-\d\dT[\d:.]+Z (info|warning): /);
    assert(lines.some((line) => line.endsWith(" warning: unknown key from 127.0.0.1")));
  });
});

Deno.test("the log's disk is full: the server goes on", async () => {
  await withLogAt("exec 2>/dev/full", {}, async (guess) => {
    for (let i = 0; i < 20; i++) await guess();
  });
});

const canMount =
  (await run(["unshare", "--mount", "mount", "-t", "tmpfs", "x", "/mnt"])).code === 0;
if (!canMount) console.log("NOT TESTED: a disk that is full for a while (needs root and unshare)");

Deno.test("the log's disk is full for a while: the server goes on, and logs again", {
  ignore: !canMount,
}, async () => {
  // Appended to, as systemd's StandardError=append: does.
  const script = 'mount -t tmpfs -o size=64k tmpfs /mnt && exec "$@" 2>>/mnt/log';
  await withLogAt(`set -- unshare --mount sh -c '${script}' sh "$@"`, {}, async (guess, pid) => {
    const log = `/proc/${pid}/root/mnt/log`;
    assertMatch(await Deno.readTextFile(log), /listening on/);
    const filling = Deno.writeFile(log, new Uint8Array(65_536), { append: true, create: false });
    await assertRejects(() => filling, Error, "No space left");
    const { size } = await Deno.stat(log);
    for (let i = 0; i < 20; i++) await guess();
    assertEquals((await Deno.stat(log)).size, size);
    await Deno.truncate(log);
    await until("it logs again", async () => {
      await guess();
      return (await Deno.readTextFile(log)).includes("unknown key");
    });
  });
});

Deno.test("the log as JSON is an object a line, and a reload may change its form", async () => {
  const config = `log = "json"
[clients]
"${SECRET}-a" = { host = "a.dyn.example", address = "request" }
"${SECRET}-b" = "b.other.example"
`;
  await withServed(config, async ({ program, folder, http }) => {
    const url = `http://127.0.0.1:${http}`;
    assertEquals(await curl(`${url}/${SECRET}-a`), "200 OK");
    assertEquals(await curl(`${url}/${SECRET}-b`), "500 FAIL");
    assertEquals(await curl(`${url}/${SECRET}-c`), "403 BADKEY");
    assertEquals(await curl(`${url}/${SECRET}-a?myip=fe80::1`), "400 BADIP");
    const file = `${folder}/sftdyn.toml`;
    const before = await Deno.readTextFile(file);
    await Deno.writeTextFile(file, before.replace("[clients]", "htpp = 1\n[clients]"));
    program.kill("SIGHUP");
    await program.logged(/"reload_failed"/);
    await Deno.writeTextFile(file, before.replace('log = "json"', ""));
    program.kill("SIGHUP");
    await program.logged(/ info: reloaded /);

    const lines = program.log().split("\n").filter((line) => line.startsWith("{"));
    assert(lines.length < program.log().split("\n").length - 1, "the last line is text");
    await Deno.writeTextFile(`${folder}/log`, lines.join("\n"));
    const jq = async (filter: string) => {
      const { code, stdout, stderr } = await run(["jq", "-r", filter, `${folder}/log`]);
      assertEquals([code, stderr], [0, ""]);
      return stdout.trimEnd().split("\n");
    };
    const text =
      "\\(.event) \\(.level) \\(.host) \\(.type) \\(.old) \\(.new) \\(.result) \\(.address)";
    assertEquals(await jq(`select(.event | test("debug|listening") | not) | "${text}"`), [
      "changed info a.dyn.example A ? 127.0.0.1 OK null",
      "change_failed error b.other.example A null 127.0.0.1 FAIL null",
      "unknown_key warning null null null null null 127.0.0.1",
      "address_refused warning null null null null null 127.0.0.1",
      "reload_failed error null null null null null null",
    ]);
    assertEquals((await jq("select(.time and .message | not)")).join(""), "");
    const readme = await Deno.readTextFile(`${ROOT}/README.md`);
    const [, filter] = /^journalctl -u sftdyn -o cat \| jq -r '(.*)'$/m.exec(readme)!;
    const [time] = await jq('select(.event == "changed") | .time');
    assertEquals(await jq(filter!), [`${time} a.dyn.example 127.0.0.1`]);
  });
});

Deno.test("what is wrong with a configuration is told in the form that the command line asks for", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/sftdyn.toml`, "htpp = 1\n");
    const { code, stderr } = await sftdyn(["--log", "json", `${folder}/sftdyn.toml`]);
    const [first] = stderr.split("\n");
    const { time: _, ...line } = JSON.parse(first!);
    const message = `${folder}/sftdyn.toml: line 1: unknown name, did you mean "http"?`;
    assertEquals([code, line], [2, { level: "error", event: "start_failed", message }]);
  });
});
