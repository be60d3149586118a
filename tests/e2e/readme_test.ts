/** The README's walk from an empty BIND to the first update, with its own text. */

import { assert, assertEquals } from "@std/assert";
import { ROOT } from "../../tools/deno.ts";
import { freePort, startNamed } from "../../tools/named.ts";
import { block, README } from "./readme.ts";
import { curl, run, Sftdyn, sftdyn, withFolder } from "./sftdyn.ts";

for (const way of ["the session key", "a key of its own"]) {
  Deno.test(`the README's walk to the first update works with ${way}`, async () => {
    await withFolder(async (folder) => {
      let zone = block('zone "dyn.example" {').replace("/var/lib/bind", folder);
      await Deno.writeTextFile(`${folder}/dyn.example.zone`, block("IN SOA"));
      if (way === "a key of its own") {
        const [keygen] = block("tsig-keygen").split(" |");
        const made = await run(keygen!.split(" ") as [string, ...string[]]);
        await Deno.writeTextFile(`${folder}/sftdyn.key`, made.stdout);
        zone = `include "${folder}/sftdyn.key";\n` +
          zone.replace("update-policy local;", block("grant sftdyn zonesub"));
      }
      const named = await startNamed({ zones: [], extra: zone });
      const port = freePort();
      const keyFile = way === "a key of its own" ? `${folder}/sftdyn.key` : named.keyFile;
      const settings = `nameserver = "127.0.0.1:${named.port}"\nnskeyfile = "${keyFile}"\n`;
      const file = `${folder}/sftdyn.toml`;
      await Deno.writeTextFile(
        file,
        settings + block('"4a41c3a8c4b4e58dbbb6ab1ac0ad65ce37b8ad51" =').replace("8080", `${port}`),
      );
      const checked = await sftdyn(["check", file]);
      assertEquals(checked.code, 0, checked.stdout);
      const program = await Sftdyn.start([file]);
      try {
        const [, key] = /curl http:\/\/dyn\.example:8080\/(\w+)/.exec(README)!;
        assertEquals(await curl(`http://127.0.0.1:${port}/${key}`), "200 OK");
        assertEquals(await named.dig("home.dyn.example", "A"), ["127.0.0.1"]);
      } finally {
        assertEquals(await program.stop(), 0);
        await named.stop();
      }
    });
  });
}

Deno.test("the README's self-signed certificate is one that works", async () => {
  await withFolder(async (folder) => {
    const command = block("openssl req -x509").replaceAll("\\\n", "");
    const made = await run(["sh", "-c", command], { cwd: folder });
    assertEquals(made.code, 0, made.stderr);
    const port = freePort();
    const settings = `https = "${port}"\ncert = "fullchain.pem"\nkey = "privkey.pem"\n`;
    await Deno.writeTextFile(`${folder}/sftdyn.toml`, settings);
    const program = await Sftdyn.start([`${folder}/sftdyn.toml`]);
    const connect = ["--resolve", `dyn.example:${port}:127.0.0.1`];
    const trust = ["--cacert", `${folder}/fullchain.pem`];
    assertEquals(await curl(...connect, ...trust, `https://dyn.example:${port}/`), "200 127.0.0.1");
    assertEquals(await program.stop(), 0);
  });
});

Deno.test("the README's table has every name of the configuration", async () => {
  const source = await Deno.readTextFile(`${ROOT}/lib/config/config.ts`);
  for (const name of /const NAMES = \[([^\]]*)\]/.exec(source)![1]!.match(/\w+/g)!) {
    assert(new RegExp(`^\\|.*\`(${name}|\\[${name}\\b.*\\])\``, "m").test(README), name);
  }
});
