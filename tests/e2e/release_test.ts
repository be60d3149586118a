/** `deno task release` with a real git. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { ROOT } from "../../tools/deno.ts";
import { readCommit } from "../../tools/release.ts";
import { run, withFolder } from "./sftdyn.ts";

Deno.test("a commit is read with its tags and with what is not committed", async () => {
  await withFolder(async (folder) => {
    const git = async (...args: string[]) => {
      const user = ["-c", "user.name=Test", "-c", "user.email=test@dyn.example"];
      const { code, stderr } = await run(["git", "-C", folder, ...user, ...args], {
        env: { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" },
      });
      assertEquals(code, 0, stderr);
    };
    const write = (name: string, text: string) => Deno.writeTextFile(`${folder}/${name}`, text);
    await Deno.mkdir(`${folder}/.ci`);
    await write(".ci/run", "npx --yes deno@2.9.6 task test\n");
    await write("deno.json", '{ "version": "1.2.3" }\n');
    await write("CHANGELOG.md", "## 1.2.3\n\n- One.\n");
    await git("init", "--quiet");
    await git("add", ".");
    await git("commit", "--quiet", "--message=One");
    await git("tag", "v1.2.3");
    const commit = await readCommit(folder);
    assertMatch(commit.hash, /^[0-9a-f]{12}$/);
    assertEquals(commit, {
      hash: commit.hash,
      version: "1.2.3",
      tags: ["v1.2.3"],
      allTags: ["v1.2.3"],
      changes: [],
      changelog: "## 1.2.3\n\n- One.\n",
      deno: "2.9.6",
    });

    await write("deno.json", '{ "version": "1.2.4" }\n');
    await write("new", "");
    const { version, changes } = await readCommit(folder);
    assertEquals({ version, changes }, { version: "1.2.4", changes: ["deno.json", "new"] });

    await git("add", ".");
    await git("commit", "--quiet", "--message=Two");
    await git("tag", "--annotate", "--message=Two", "v1.2.4");
    const next = await readCommit(folder);
    assertEquals(next.tags, ["v1.2.4"]);
    assertEquals(next.allTags, ["v1.2.3", "v1.2.4"]);
    assertEquals(next.changes, []);
    assert(next.hash !== commit.hash);
  });
});

Deno.test("with something to do, release says it, builds nothing and exits 1", async () => {
  const command = [Deno.execPath(), "run", "-A", `${ROOT}/tools/release.ts`] as const;
  const { code, stdout } = await run([...command, "--tag", "v0.0.0-none"], {
    env: { NO_COLOR: "1" },
    timeout: 120,
  });
  assertEquals(code, 1);
  assertMatch(
    stdout,
    /^to do: tag: v0\.0\.0-none is asked for, but the version in deno\.json is /m,
  );
  assertMatch(stdout, /\d to do, nothing was built\n$/);
  assertEquals((await run([...command, "v1.2.3"], { timeout: 120 })).code, 2);
});
