/** sftdyn.toml.example, as it is and with a machine's paths, serves what its comments promise. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { freePort, startNamed } from "../../tools/named.ts";
import { ROOT } from "../../tools/deno.ts";
import { curl, makeCertificate, Sftdyn, sftdyn, withFolder } from "./sftdyn.ts";

const EXAMPLE = await Deno.readTextFile(`${ROOT}/sftdyn.toml.example`);

Deno.test("sftdyn.toml.example passes check's parser as it is", async () => {
  const { stdout } = await sftdyn(["check", `${ROOT}/sftdyn.toml.example`]);
  assertMatch(stdout, /^ok: .*sftdyn\.toml\.example: http 8080; 0 clients$/m);
});

Deno.test("sftdyn.toml.example with everything uncommented serves its clients", async () => {
  const named = await startNamed({ zones: ["dyn.sft.mx"] });
  try {
    await withFolder(async (folder) => {
      await makeCertificate(folder);
      const [http, https, status] = [freePort(), freePort(), freePort()];
      const adapted = EXAMPLE.replace(/^#([a-z0-9_]+ = |"|\[)/gm, "$1")
        .replace('"8080"', `"${http}"`)
        .replace('"4443"', `"${https}"`)
        .replace('127.0.0.1:9053"\n', `127.0.0.1:${status}"\n`)
        .replace('"fullchain.pem"', '"cert.pem"')
        .replace('"privkey.pem"', '"key.pem"')
        .replaceAll(/"\/etc\/bind\/sftdyn.key"|"ns1.key"/g, `"${named.keyFile}"`)
        .replace('"ns1.sft.mx"', `"127.0.0.1:${named.port}"`)
        .replace("127.0.0.1:53", `127.0.0.1:${named.port}`);
      await Deno.writeTextFile(`${folder}/sftdyn.toml`, adapted);
      await Deno.writeTextFile(`${folder}/clients`, "key:of:a:file: file.dyn.sft.mx\n");
      await Deno.writeTextFile(`${folder}/hooks.js`, "export function getHost() {}");
      const program = await Sftdyn.start([`${folder}/sftdyn.toml`], { listeners: 3 });
      // With everything uncommented, 127.0.0.1 is a proxy.
      const from = ["-H", "X-Forwarded-For: 192.0.2.1"];
      const url = `http://127.0.0.1:${http}`;
      const keys: [key: string, ...hosts: string[]][] = [
        ["example", "host"],
        ["?hostname=myclient.dyn.sft.mx&password=123456", "myclient", "www.myclient"],
        ["host=gnampf.dyn.sft.mx,key=4bea92410b3146d0cfe", "gnampf"],
        ["test", "hidden"],
        ["otherkeyotherkey", "home", "*.home"],
        ["keyofthehomerouter", "router"],
        ["keyoftheoffice", "office"],
        ["keyofarouterthatsays", "says"],
        ["key:of:a:file", "file"],
      ];
      for (const [key, ...hosts] of keys) {
        assertEquals(await curl(...from, `${url}/${key}`), "200 OK", key);
        for (const host of hosts) {
          assertEquals(await named.dig(`${host}.dyn.sft.mx`, "A"), ["192.0.2.1"], host);
        }
        assertEquals(
          await curl(
            ...from,
            "--cacert",
            `${folder}/cert.pem`,
            `https://127.0.0.1:${https}/${key}`,
          ),
          "200 UPTODATE",
        );
      }
      const says = "keyofarouterthatsays";
      const query = "myip=192.0.2.1&myipv6=2001:db8::1";
      assertEquals(await curl(...from, `${url}/${says}?${query}`), "200 OK");
      assertEquals(await named.dig("says.dyn.sft.mx", "AAAA"), ["2001:db8::1"]);
      assertEquals(
        await curl(
          ...from,
          "-u",
          `anybody:${says}`,
          `${url}/nic/update?hostname=says.dyn.sft.mx&${query}`,
        ),
        "200 nochg 192.0.2.1,2001:db8::1",
      );
      assertEquals(await program.stop(), 0);
    });
  } finally {
    await named.stop();
  }
});

Deno.test("sftdyn.toml.example explains every name that the configuration has", async () => {
  const source = await Deno.readTextFile(`${ROOT}/lib/config/config.ts`);
  const names = /const NAMES = \[([^\]]*)\]/.exec(source)![1]!.match(/\w+/g)!;
  for (const name of names) {
    if (name === "clients") assertStringIncludes(EXAMPLE, "\n[clients]\n");
    else if (name === "zones") assertMatch(EXAMPLE, /^#\[zones\."[\w.]+"\]$/m);
    else assertMatch(EXAMPLE, new RegExp(`^#?${name} = `, "m"));
  }
});
