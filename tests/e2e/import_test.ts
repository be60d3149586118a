/** Moving over from the Python program: its configuration, imported, serves its clients. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ROOT } from "../../tools/deno.ts";
import { freePort, startNamed } from "../../tools/named.ts";
import { curl, Sftdyn, sftdyn, withFolder } from "./sftdyn.ts";

/** As the Python program's sample. */
function conf(port: number, keyFile: string): string {
  return `# Where to listen.
http = ${port}
nskeyfile = '${keyFile}'
print("hello")

CLIENTS = {
    # A simple one.
    "example": "host.dyn.sft.mx",
    "?hostname=myclient.dyn.sft.mx&password=123456": "myclient.dyn.sft.mx",
    'host=gnampf.dyn.sft.mx,key=' "4bea92410b3146d0cfe": ["gnampf.dyn.sft.mx", "*.gnampf.dyn.sft.mx"],
}


def get_ip(source_ip, headers, key):
    """Custom "address" function."""
    return source_ip


def get_host(querystring, ip):
    return CLIENTS.get(querystring)
`;
}

Deno.test("what `sftdyn import` prints serves the Python program's clients", async () => {
  const named = await startNamed({ zones: ["dyn.sft.mx"] });
  try {
    await withFolder(async (folder) => {
      const port = freePort();
      await Deno.writeTextFile(`${folder}/conf`, conf(port, named.keyFile));
      const { code, stdout, stderr } = await sftdyn(["import", `${folder}/conf`]);
      assertEquals({ code, stderr }, { code: 0, stderr: "" });
      for (const line of ["4: a statement is not taken", "14: get_ip", "19: get_host"]) {
        assertStringIncludes(stdout, `\n# line ${line}`);
      }
      const file = `${folder}/sftdyn.toml`;
      await Deno.writeTextFile(file, `nameserver = "127.0.0.1:${named.port}"\n${stdout}`);
      const checked = await sftdyn(["check", file]);
      assertEquals(checked.code, 0, checked.stdout);
      assertMatch(checked.stdout, /: http \d+; 3 clients$/m);
      const program = await Sftdyn.start([file]);
      const keys: [key: string, ...hosts: string[]][] = [
        ["example", "host"],
        ["?hostname=myclient.dyn.sft.mx&password=123456", "myclient"],
        ["host=gnampf.dyn.sft.mx,key=4bea92410b3146d0cfe", "gnampf", "*.gnampf"],
      ];
      for (const [key, ...hosts] of keys) {
        assertEquals(await curl(`http://127.0.0.1:${port}/${key}`), "200 OK");
        for (const host of hosts) {
          assertEquals(await named.dig(`${host}.dyn.sft.mx`, "A"), ["127.0.0.1"]);
        }
      }
      assertEquals(await program.stop(), 0);
    });
  } finally {
    await named.stop();
  }
});

Deno.test("`sftdyn import` says what it cannot read, and ends with status 2", async () => {
  await withFolder(async (folder) => {
    const key = "4a41c3a8c4b4e58dbbb6ab1ac0ad65ce37b8ad51";
    const file = `${folder}/conf`;
    await Deno.writeTextFile(
      file,
      `http = 8080\nCLIENTS = {\n    "${key}: "host.dyn.sft.mx",\n}\n`,
    );
    const cases: [args: string[], said: string][] = [
      [[file], `${file}: line 3: a string that begins here is not closed: expected "`],
      [[`${folder}/none`], `${folder}/none: no such file`],
      [[folder], `${folder}: it is a directory`],
      [["/bin/true"], "/bin/true: not a text file: "],
      [[], "import needs a file, the Python sftdyn's is /etc/sftdyn/conf"],
      [[file, file], `too many arguments: ${file}`],
    ];
    for (const [args, said] of cases) {
      const { code, stdout, stderr } = await sftdyn(["import", ...args]);
      assertEquals({ args, code, stdout }, { args, code: 2, stdout: "" });
      assert(stderr.startsWith(`sftdyn: ${said}`), stderr);
      assert(!stderr.includes(key) && stderr.split("\n").length === 2, stderr);
    }
  });
});

Deno.test("the README says what every name of the Python program is now", async () => {
  const readme = await Deno.readTextFile(`${ROOT}/README.md`);
  const [, section] = /^## Coming from the Python sftdyn\n([^]*?)^## /m.exec(readme)!;
  const old = [...section!.matchAll(/^\| ([^|]*) \|/gm)].map(([, cell]) => cell).join("\n");
  const settings = ["http", "https", "cert", "key", "nskeyfile", "verbose", "quiet", "debug"];
  const functions = ["CLIENTS", "get_ip", "get_host", "nsupdatecommands"];
  const options = ["-l", "-s", "-c", "-k", "--nskeyfile", "-v", "-q", "-i", "-d"];
  for (const name of [...settings, ...functions, ...options, "BADKEY", "UPTODATE", "OK", "FAIL"]) {
    assertStringIncludes(old, `\`${name}\``);
  }
});
