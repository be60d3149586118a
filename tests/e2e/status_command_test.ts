/** `sftdyn status` and the page, of a sftdyn that runs and has a real BIND. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { freePort, startNamed } from "../../tools/named.ts";
import { curl, Sftdyn, sftdyn, until, withFolder } from "./sftdyn.ts";

Deno.test("sftdyn status tells who calls in, as the sftdyn that runs knows it", async () => {
  const named = await startNamed();
  try {
    await withFolder(async (folder) => {
      const [http, status] = [freePort(), freePort()];
      const file = `${folder}/sftdyn.toml`;
      const listens = `status = "127.0.0.1:${status}"\n`;
      const settings = `http = "127.0.0.1:${http}"
nameserver = "127.0.0.1:${named.port}"
nskeyfile = "${named.keyFile}"
`;
      const clients = `[clients]
"home" = "home.dyn.example"
"attic" = "attic.dyn.example"
`;
      await Deno.writeTextFile(file, settings + listens + clients);
      const program = await Sftdyn.start([file], { listeners: 2 });
      try {
        assertEquals(await curl(`http://127.0.0.1:${http}/home`), "200 OK");
        // Whatever the environment says of proxies.
        const env = { http_proxy: "http://127.0.0.1:9", HTTP_PROXY: "http://127.0.0.1:9" };
        const all = await sftdyn(["status", file], { env });
        assertEquals([all.code, all.stderr], [0, ""]);
        const lines = all.stdout.replace(/\d+s ago/g, "1s ago").replace(/not in \d+s/, "not in 1s")
          .trimEnd().split("\n");
        assertEquals(
          lines[0],
          "2 hosts, 0 not called for a day, 1 not called yet: too early to tell",
        );
        assertMatch(lines[1]!, /^calls are known since 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC$/);
        assertEquals(lines.slice(2).map((line) => line.replaceAll(/ {2,}/g, "  ")), [
          "",
          "HOST  CALLED  ANSWER  CHANGED  FROM  A",
          "attic.dyn.example  not in 1s  -  -  -  -",
          "home.dyn.example  1s ago  OK  1s ago  127.0.0.1  127.0.0.1",
        ]);

        const page = await curl(`http://127.0.0.1:${status}/`);
        assertStringIncludes(page, '<th scope="row">attic.dyn.example</th>');
        assertStringIncludes(page, "from 127.0.0.1<");

        // Nobody can be silent for so long yet.
        const stale = (...args: string[]) => sftdyn(["status", "--stale", ...args, file]);
        assertEquals(await stale("1d"), { code: 0, stdout: "", stderr: "" });
        await until("the attic is silent", async () => (await stale("1s")).code === 1);
        const json = await stale("1s", "--json");
        assertEquals([json.code, json.stderr], [1, ""]);
        assertEquals(JSON.parse(json.stdout).hosts[0].host, "attic.dyn.example");
      } finally {
        assertEquals(await program.stop(), 0);
      }

      const stopped = await sftdyn(["status", "--stale", "1d", file]);
      assertEquals([stopped.code, stopped.stdout], [1, ""]);
      assertStringIncludes(
        stopped.stderr,
        `sftdyn: nobody listens on 127.0.0.1:${status}: is sftdyn running`,
      );
      await Deno.writeTextFile(file, settings + clients);
      const without = await sftdyn(["status", file]);
      assertEquals([without.code, without.stdout], [2, ""]);
      assertStringIncludes(without.stderr, `sftdyn: ${file}: without status, sftdyn does not tell`);
      const missing = await sftdyn(["status", `${folder}/missing.toml`]);
      assert(missing.code === 2 && missing.stderr.includes("missing.toml"), missing.stderr);
    });
  } finally {
    await named.stop();
  }
});
