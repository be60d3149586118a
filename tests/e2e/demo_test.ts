/** The demo as somebody meets it who has just cloned the project. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ROOT } from "../../tools/deno.ts";
import { statusOf } from "../../tools/program.ts";
import { run, until, withFolder } from "./sftdyn.ts";

const DEMO: [string, ...string[]] = [Deno.execPath(), "run", "-A", `${ROOT}/tools/demo.ts`];

/** Seconds: it may first wait half a minute for JSR. */
const TIMEOUT = 120;

/** Its temporary files go into this folder, where they can be counted. */
function env(folder: string): Record<string, string> {
  return { TMPDIR: folder, NO_COLOR: "1" };
}

function left(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name);
}

/** Processes that have this folder in their command line. */
async function processesOf(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const line = await Deno.readTextFile(`/proc/${name}/cmdline`).catch(() => "");
    if (line.includes(folder)) found.push(line);
  }
  return found;
}

Deno.test("demo shows every answer and record, exits 0 and leaves nothing", async () => {
  await withFolder(async (folder) => {
    const { code, stdout, stderr } = await run(DEMO, { env: env(folder), timeout: TIMEOUT });
    assertEquals(code, 0, stdout + stderr);
    const shown = [...stdout.matchAll(/^\$ (?:curl|dig) (?:.*\\\n)?.*\n(.+)$/gm)].map((m) => m[1]);
    for (const line of stdout.split("\n")) assert(line.length <= 80 || line.includes(folder), line);
    const six = stdout.includes("NOT SHOWN") ? [] : ["OK", "::1", "127.0.0.1"];
    assertEquals(shown, [
      "127.0.0.1",
      "BADKEY",
      "OK",
      "127.0.0.1",
      "UPTODATE",
      ...six,
      "OK",
      "127.0.0.2",
      "OK",
      "127.0.0.1",
      "UPTODATE",
    ]);
    assertStringIncludes(stdout, "all answers and records were right");
    assertEquals(left(folder), []);
    assertEquals(await processesOf(folder), []);
  });
});

Deno.test("demo that is interrupted leaves nothing; demo --keep stays until then", async () => {
  for (
    const [args, moment, signal] of [
      [[], "$ deno task start", "SIGINT"],
      [[], "BADKEY", "SIGINT"],
      [["--keep"], "yours to play with", "SIGHUP"],
    ] as const
  ) {
    await withFolder(async (folder) => {
      const [program, ...first] = DEMO;
      const process = new Deno.Command(program, {
        args: [...first, ...args],
        env: env(folder),
        stdin: "null",
        stdout: "piped",
        stderr: "null",
      }).spawn();
      let said = "";
      const reading = (async () => {
        for await (const text of process.stdout.pipeThrough(new TextDecoderStream())) said += text;
      })();
      let hasEnded = false;
      process.status.then(() => hasEnded = true);
      try {
        await until(moment, () => hasEnded || said.includes(moment), TIMEOUT * 1000);
      } finally {
        if (!hasEnded) process.kill(signal);
      }
      const { code } = await statusOf(process, () => said);
      await reading;
      assertEquals(code, args.length === 0 ? 130 : 0, said);
      assertEquals(left(folder), [], moment);
      assertEquals(await processesOf(folder), [], moment);
    });
  }
});

const canUnshare = Deno.uid() === 0 &&
  (await run(["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"])).code === 0;
if (!canUnshare) console.log("NOT TESTED: a machine without apt (needs root and unshare)");

Deno.test("without named and apt, demo names the packages and exits 1", {
  ignore: !canUnshare,
}, async () => {
  const hide = 'for name in named apt-get; do mount --bind /dev/null "$(command -v $name)"; done; ';
  const { code, stderr } = await run([
    "unshare",
    "--mount",
    "sh",
    "-c",
    `${hide}"$@"`,
    "sh",
    ...DEMO,
  ], {
    env: { NO_COLOR: "1" },
  });
  assertEquals(code, 1);
  assertMatch(
    stderr,
    /^missing program: named \(package bind9 on Debian, bind on Fedora, bind on Arch\)$/m,
  );
  assert(!/^ +at /m.test(stderr), stderr);
});
