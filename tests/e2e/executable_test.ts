/** What only the executable can show: its version, its permissions, that it is the same when built again. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { compile, copySources } from "../../tools/build.ts";
import { run, sftdyn, withFolder } from "./sftdyn.ts";

const executable = Deno.env.get("SFTDYN_TEST_PROGRAM");
const options = { ignore: executable === undefined };
if (executable === undefined) {
  console.log("NOT TESTED: the executable (deno task test builds one)");
}

/** Each line is a permission that sftdyn must not have, and what asks for it. */
const PROBE = `
const attempts = {
  "another program": () => new Deno.Command("ls").outputSync(),
  "a shell": () => new Deno.Command("/bin/sh", { args: ["-c", "true"] }).outputSync(),
  "write": () => Deno.writeTextFileSync("/tmp/sftdyn-probe", "x"),
  "remove": () => Deno.removeSync("/tmp/sftdyn-probe"),
  "environment": () => Deno.env.get("HOME"),
  "all of the environment": () => Deno.env.toObject(),
  "change the environment": () => Deno.env.set("PATH", "/tmp"),
  "FFI": () => Deno.dlopen("libc.so.6", {}),
  "system": () => Deno.hostname(),
  "user": () => Deno.uid(),
  "memory of a process": () => Deno.readFileSync("/proc/self/mem"),
};
for (const [name, attempt] of Object.entries(attempts)) {
  try {
    attempt();
    console.log(name + ": ALLOWED");
  } catch (error) {
    console.log(name + ": " + (error as Error).name);
  }
}
console.log("journal: " + Deno.env.get("JOURNAL_STREAM"));
`;

Deno.test(
  "every permission that sftdyn does not need is denied to an executable",
  options,
  async () => {
    const { stdout: version } = await sftdyn(["--version"]);
    const isTest = version.includes("TEST BUILD");
    const sources = await copySources(isTest);
    await withFolder(async (folder) => {
      await Deno.writeTextFile(`${sources}/probe.ts`, PROBE);
      assert(await compile(sources, `${folder}/probe`, undefined, isTest, "probe.ts"));
      const { stdout } = await run([`${folder}/probe`], { env: { JOURNAL_STREAM: "8:1" } });
      const lines = stdout.trimEnd().split("\n");
      assertEquals(lines.at(-1), "journal: 8:1");
      assertEquals(lines.length, 12);
      for (const line of lines.slice(0, -1)) assertMatch(line, /: NotCapable$/);
      // The same permissions stand in the one that is tested.
      assertEquals(await permissionsOf(executable!), await permissionsOf(`${folder}/probe`));
    });
    await Deno.remove(sources, { recursive: true });
  },
);

/** What `deno compile` wrote into an executable of what it may do. */
async function permissionsOf(file: string): Promise<string> {
  const bytes = await Deno.readFile(file);
  const end = new TextDecoder("latin1").decode(bytes.subarray(-8_000_000));
  const found = /"permissions":\{[^}]*\}/.exec(end)?.[0];
  assert(found !== undefined, "no permissions in the executable");
  return found;
}

Deno.test("the executable says version, commit and Deno", options, async () => {
  const { code, stdout } = await sftdyn(["--version"]);
  assertEquals(code, 0);
  assertMatch(stdout, /^sftdyn \d+\.\d+\.\d+ \(commit [0-9a-f]{12}\+?, .*Deno \d+\.\d+\.\d+\)\n$/);
});

Deno.test("the executable is the same when it is built again", options, async () => {
  const { stdout: version } = await sftdyn(["--version"]);
  const isTest = version.includes("TEST BUILD");
  const sources = await copySources(isTest);
  await withFolder(async (folder) => {
    // Its name is part of it.
    assert(await compile(sources, `${folder}/sftdyn`, undefined, isTest));
    assertEquals((await run(["cmp", executable!, `${folder}/sftdyn`])).stdout, "");
  });
  await Deno.remove(sources, { recursive: true });
});
