/** The types for editors are those of the hooks that there are. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Hooks } from "../../contrib/hooks/sftdyn-hooks.d.ts";
import type { HeaderList, HookArguments, HookName, Returned } from "../../lib/hooks/messages.ts";
import { ROOT, stdFlags } from "../../tools/deno.ts";
import { type Ran, run } from "../../tools/program.ts";
import { withFolder } from "../e2e/sftdyn.ts";

const CONTRIB = `${ROOT}/contrib/hooks`;

type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
type Declared<Name extends HookName> = NonNullable<Hooks[Name]>;
/** As the worker calls it: with web Headers in place of their list. */
type Web<T extends readonly unknown[]> = {
  -readonly [I in keyof T]: T[I] extends HeaderList ? Headers : T[I];
};
/** What is declared may be returned. */
type MayReturn<Name extends HookName> = Awaited<ReturnType<Declared<Name>>> extends
  Returned | null | void ? true : false;

/** Checked where this file is: `deno check` fails if one of them is not so. */
const isSame: {
  names: Same<keyof Hooks, HookName>;
  arguments: {
    [Name in HookName]: Same<Parameters<Declared<Name>>, Web<HookArguments[Name]>>;
  };
  returned: { [Name in HookName]: MayReturn<Name> };
} = {
  names: true,
  arguments: { getIp: true, getHost: true, nsupdateCommands: true },
  returned: { getIp: true, getHost: true, nsupdateCommands: true },
};

/** Runs `deno check`. */
async function check(cwd: string, file: string, flags: string[] = []): Promise<Ran> {
  const command = [Deno.execPath(), "check", "--quiet", ...flags, file] as const;
  return await run(command, { cwd, env: { NO_COLOR: "1" } });
}

Deno.test("the types for editors are those of the hooks that there are", async () => {
  assert(isSame.names);
  const { code, stderr } = await check(ROOT, import.meta.filename!, await stdFlags());
  assertEquals(code, 0, stderr);
});

Deno.test("the examples keep to the types, and what does not is found", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/deno.json`, "{}");
    const files = [...Deno.readDirSync(CONTRIB)].map(({ name }) => name);
    for (const name of files) await Deno.copyFile(`${CONTRIB}/${name}`, `${folder}/${name}`);
    const examples = files.filter((name) => name.endsWith(".js"));
    assertEquals(examples.length, 3);
    for (const name of examples) {
      const { code, stderr } = await check(folder, name);
      assertEquals(code, 0, stderr);
    }
    const example = await Deno.readTextFile(`${folder}/clients-file.js`);
    await Deno.writeTextFile(
      `${folder}/wrong.js`,
      example.replace("getHost(key)", "getHost(key, ip, x)"),
    );
    const { code, stderr } = await check(folder, "wrong.js");
    assertEquals(code, 1);
    assertMatch(stderr, /TS8030/);
  });
});
