/** Hooks, with a real BIND and a real curl: what they decide, and what they cannot do. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { ROOT } from "../../tools/deno.ts";
import { freePort, type Named, startNamed } from "../../tools/named.ts";
import { block } from "./readme.ts";
import { curl, run, Sftdyn, sftdyn, until, withFolder } from "./sftdyn.ts";

const CONTRIB = `${ROOT}/contrib/hooks`;
const KEY = "0123456789abcdef-secret";
const HOST = "host.dyn.example";

interface Running {
  named: Named;
  program: Sftdyn;
  folder: string;
  /** Requests a key; status and body. */
  get: (key: string, ...options: string[]) => Promise<string>;
  /** Writes other hooks and sends SIGHUP; until that is done. */
  reload: (text?: string) => Promise<void>;
}

interface Options {
  settings?: string;
  clients?: string;
  /** Beside the hooks: name to text. */
  files?: Record<string, string>;
}

/** sftdyn with these hooks at a BIND. */
async function withHooks(
  text: string,
  body: (running: Running) => Promise<void>,
  { settings = "", clients = "", files = {} }: Options = {},
): Promise<void> {
  const named = await startNamed();
  try {
    await withFolder(async (folder) => {
      const port = freePort();
      const write = (name: string, text: string) => Deno.writeTextFile(`${folder}/${name}`, text);
      await write("my hooks.js", text);
      for (const [name, text] of Object.entries(files)) await write(name, text);
      await write(
        "sftdyn.toml",
        `http = "127.0.0.1:${port}"\nnameserver = "127.0.0.1:${named.port}"\n` +
          `nskeyfile = "${named.keyFile}"\nhooks = "my hooks.js"\nmin_interval = 0\n` +
          `${settings}\n[clients]\n${clients}\n`,
      );
      const program = await Sftdyn.start([`${folder}/sftdyn.toml`]);
      const get = (key: string, ...options: string[]) =>
        curl(...options, `http://127.0.0.1:${port}/${key}`);
      const reload = async (text?: string) => {
        if (text !== undefined) await write("my hooks.js", text);
        const before = program.count(/reloaded/g);
        program.kill("SIGHUP");
        await until("reloaded", () => program.count(/reloaded/g) > before);
      };
      try {
        await body({ named, program, folder, get, reload });
      } finally {
        assertEquals(await program.stop(), 0, program.log());
        assert(!program.log().includes(KEY), "a key is in the log");
        assertEquals(program.count(/^ +at /gm), 0, `a stack trace: ${program.log()}`);
      }
    });
  } finally {
    await named.stop();
  }
}

Deno.test("hooks decide address, host and commands; without their answer it is built in", async () => {
  const text = `
    export function getIp(sourceIp, headers, key) {
      return headers.get("x-address") ?? undefined;
    }
    export async function getHost(key, ip) {
      if (key === "${KEY}") return ["${HOST}", "b.dyn.example"];
    }
    export function nsupdateCommands(host, ip, headers) {
      if (host === "b.dyn.example") {
        return [\`update delete \${host} A\`, \`update add \${host} 77 A \${ip}\`,
          \`add \${host} 77 TXT "\${headers.get("user-agent")}"\`];
      }
    }`;
  const clients = '"other" = "c.dyn.example"';
  await withHooks(text, async ({ named, program, get }) => {
    assertEquals(await get(KEY), "200 OK");
    assertEquals(await named.dig(HOST, "A"), ["127.0.0.1"]);
    assertEquals(await named.dig("b.dyn.example", "A"), ["127.0.0.1"]);
    assertMatch((await named.dig("b.dyn.example", "TXT")).join(), /^"curl/);
    assertEquals(await get(KEY), "200 UPTODATE");
    assertEquals(await get(KEY), "200 UPTODATE");
    assertEquals(await get(KEY, "-H", "X-Address: 203.0.113.9"), "200 OK");
    assertEquals(await named.dig("b.dyn.example", "A"), ["203.0.113.9"]);
    assertEquals(await get("", "-H", "X-Address: 203.0.113.9"), "200 203.0.113.9");
    assertEquals(await get("", "-H", "X-Address: 203.0.113"), "500 FAIL");
    assertEquals(await get("other"), "200 OK");
    assertEquals(await named.dig("c.dyn.example", "A"), ["127.0.0.1"]);
    assertEquals(await get("wrong", "-H", "X-Address: 203.0.113.9"), "403 BADKEY");
    await program.logged(/warning: unknown key from 127\.0\.0\.1$/m);
    await program.logged(/info: b\.dyn\.example A .* -> 203\.0\.113\.9 \(own commands\)$/m);
  }, { clients });
});

Deno.test("bad commands are FAIL and a line, and the neighbours are updated all the same", async () => {
  const text = `
    export function nsupdateCommands(host, ip) {
      if (host === "session.dyn.example") return ["send"];
      if (host === "lines.dyn.example") return ["add a.dyn.example 1 A 1.2.3.4\\nquit"];
      if (host === "syntax.dyn.example") return ["update add a.dyn.example 1 A 1.2.3.4.5"];
      if (host === "elsewhere.dyn.example") return ["update add a.elsewhere.test 1 A 1.2.3.4"];
    }`;
  const bad = ["session", "lines", "syntax", "elsewhere"];
  const clients = [...bad, "good1", "good2"].map((name) => `"${name}" = "${name}.dyn.example"`);
  await withHooks(text, async ({ named, program, get }) => {
    assertEquals(
      await Promise.all([...bad, "good1", "good2"].map((name) => get(name))),
      [...bad.map(() => "500 FAIL"), "200 OK", "200 OK"],
    );
    assertEquals(await named.dig("a.dyn.example", "A"), []);
    await program.logged(/my hooks\.js: nsupdateCommands: command 1 is none that a hook may give/);
    await program.logged(/my hooks\.js: nsupdateCommands: command 1 has a character/);
    await program.logged(/error: syntax\.dyn\.example A could not be set to 127\.0\.0\.1: /);
    await program.logged(
      /error: elsewhere\.dyn\.example A could not be set to 127\.0\.0\.1: REFUSED: /,
    );
  }, { clients: clients.join("\n") });
});

const DENIED: Record<string, string> = {
  "write a file": 'await Deno.writeTextFile("/tmp/sftdyn-hook", "x")',
  "write a file as Node does": '(await import("node:fs")).writeFileSync("/tmp/sftdyn-hook", "x")',
  "run a program": 'await new Deno.Command("ls").output()',
  "run a program as Node does": '(await import("node:child_process")).execFileSync("ls")',
  "read the environment": 'Deno.env.get("HOME")',
  "call a library": 'Deno.dlopen("libc.so.6", {})',
  "kill": 'Deno.kill(Deno.pid, "SIGKILL")',
  "import over HTTPS": 'await import("https://deno.land/std/version.ts")',
  "import from JSR": 'await import("jsr:@std/semver")',
  "import from npm": 'await import("npm:left-pad")',
  "import from a server here": 'await import("http://127.0.0.1:PORT/x.js")',
};

const isExecutable = Deno.env.get("SFTDYN_TEST_PROGRAM") !== undefined;

Deno.test("an executable's hooks cannot write, run programs or load code", {
  ignore: !isExecutable,
}, async () => {
  let requests = 0;
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => {
      requests++;
      return new Response("export default 1;", {
        headers: { "content-type": "text/javascript" },
      });
    },
  );
  const attempts = Object.entries(DENIED).map(([name, code]) =>
    `${JSON.stringify(name)}: async () => { ${code.replace("PORT", `${server.addr.port}`)} },`
  );
  const text = `
    const attempts = { ${attempts.join("\n")} };
    export async function getHost() {
      const allowed = [];
      for (const [name, attempt] of Object.entries(attempts)) {
        try { await attempt(); allowed.push(name); }
        catch (error) { console.log(name + ": " + error.name); }
      }
      console.log("ALLOWED: " + allowed.join(", ") + ".");
      // Both of these they can.
      const text = await Deno.readTextFile(new URL("other.txt", import.meta.url));
      const response = await fetch("http://127.0.0.1:${server.addr.port}/");
      return (await response.text()).startsWith("export") ? text : [];
    }`;
  // Only so many lines a second are logged, and the last one with the rest in it counts.
  try {
    await withHooks(text, async ({ program, get, named }) => {
      assertEquals(await get(KEY), "200 OK");
      assertEquals(await named.dig(HOST, "A"), ["127.0.0.1"]);
      await program.logged(/printed: ALLOWED: \.$/m);
      assertEquals(requests, 1);
    }, { files: { "other.txt": HOST } });
  } finally {
    await server.shutdown();
  }
});

Deno.test("nothing in a hook ends the server, and what hangs stops nobody for long", async () => {
  const text = `
    export function getHost(key) {
      if (key === "exit") Deno.exit(7);
      if (key === "process") process.exit(7);
      if (key === "abort") process.abort();
      if (key === "close") self.close();
      if (key === "leak") Promise.reject(new Error("leaked"));
      if (key === "timer") setTimeout(() => { throw new Error("late"); });
      if (key === "permission") Deno.permissions.revokeSync({ name: "net" });
      if (key === "loop") for (;;);
      return "${HOST}";
    }`;
  await withHooks(text, async ({ program, get }) => {
    assertEquals(await get(KEY), "200 OK");
    for (const key of ["exit", "process", "abort", "close", "permission"]) {
      assertEquals(await get(key), "500 FAIL", key);
      assertEquals(await get(KEY), "200 UPTODATE", key);
    }
    for (const key of ["leak", "timer"]) assertEquals(await get(key), "200 UPTODATE", key);
    await until("two lines", () => program.count(/an error that nothing in it caught/g) === 2);
    const loops = ["loop", "loop"].map((key) => get(key));
    assertEquals(await Promise.all(loops), ["500 FAIL", "500 FAIL"]);
    await program.logged(/warning: .*my hooks\.js: started anew: a hook did not return$/m);
    await until("an answer", async () => await get(KEY) === "200 UPTODATE");
    assertEquals(await get(""), "200 127.0.0.1");
  }, { settings: "timeout = 3" });
});

Deno.test("without free descriptors, hooks are FAIL until there are some again", async () => {
  const text =
    `export const getHost = (key) => { if (key === "loop") for (;;); return "${HOST}"; };`;
  await withHooks(text, async ({ program, get }) => {
    assertEquals(await get(KEY), "200 OK");
    const limit = async (files: number) => {
      const args = ["prlimit", "--pid", `${program.pid}`, `--nofile=${files}:`] as const;
      assertEquals((await run(args)).code, 0);
    };
    const open = [...Deno.readDirSync(`/proc/${program.pid}/fd`)].length;
    await limit(open + 10);
    assertEquals(await get("loop"), "500 FAIL");
    await program.logged(/warning: .*started anew: a hook did not return$/m);
    assertEquals(await get(KEY), "500 FAIL");
    await program.logged(/error: .*getHost: too many files are open to start it$/m);
    assertEquals(await get(""), "200 127.0.0.1");
    await limit(1024);
    await until("an answer", async () => await get(KEY) === "200 UPTODATE");
  }, { settings: "timeout = 3" });
});

Deno.test("the README's hooks are read as they are meant", async () => {
  await withHooks(block("export function getHost(key)"), async ({ named, get }) => {
    assertEquals(await get("pc.correct-horse-battery-staple"), "200 OK");
    assertEquals(await named.dig("pc.dyn.example", "A"), ["127.0.0.1"]);
    assertEquals(await get("pc.wrong"), "403 BADKEY");
    assertEquals(await get("correct-horse-battery-staple"), "403 BADKEY");
  });
});

Deno.test("SIGHUP loads changed hooks, and a faulty one changes nothing", async () => {
  const inner = (name: string) => `export const name = "${name}.dyn.example";`;
  const text = 'import { name } from "./inner.js";\nexport const getHost = () => name;\n';
  await withHooks(text, async ({ named, program, folder, get, reload }) => {
    assertEquals(await get(KEY), "200 OK");
    assertEquals(await named.dig("a.dyn.example", "A"), ["127.0.0.1"]);
    await Deno.writeTextFile(`${folder}/inner.js`, inner("b"));
    await reload();
    assertEquals(await get(KEY), "200 OK");
    assertEquals(await named.dig("b.dyn.example", "A"), ["127.0.0.1"]);
    await reload("export const getHost = ;");
    await program.logged(
      /error: not reloaded, nothing has changed: .*my hooks\.js: line 1, column \d+: SyntaxError: /,
    );
    assertEquals(await get(KEY), "200 UPTODATE");
    await reload("export const getHosts = 1;");
    await program.logged(/not reloaded, .*"getHosts" is no hook, did you mean "getHost"\?/);
    assertEquals(await get(KEY), "200 UPTODATE");
    await reload("export const getHost = () => undefined;");
    assertEquals(await get(KEY), "403 BADKEY");
  }, { files: { "inner.js": inner("a") } });
});

Deno.test("a start and check name what is wrong with hooks", async () => {
  await withFolder(async (folder) => {
    const write = (text: string) => Deno.writeTextFile(`${folder}/hooks.js`, text);
    await Deno.writeTextFile(
      `${folder}/sftdyn.toml`,
      `http = "127.0.0.1:${freePort()}"\nnameserver = "127.0.0.1:1"\ntimeout = 4\n` +
        'hooks = "hooks.js"\n',
    );
    const table: [text: string, said: RegExp][] = [
      ["const a = 1;\nexport function getHost( {", /hooks\.js: line \d, column \d+: SyntaxError/],
      [
        "export const getHsot = () => 1;",
        /hooks\.js: "getHsot" is no hook, did you mean "getHost"/,
      ],
      ["export const getHost = 1;", /hooks\.js: "getHost" is no function, but of type number/],
      ["const getHost = 1;", /hooks\.js: it exports nothing: expected one of getIp, getHost, nsup/],
    ];
    for (const [text, said] of table) {
      await write(text);
      const checked = await sftdyn(["check", `${folder}/sftdyn.toml`]);
      assertEquals(checked.code, 1);
      assertMatch(checked.stdout, new RegExp(`^error: hooks: .*${said.source}`, "m"));
      assertMatch(checked.stdout, /^1 error$/m);
      const started = await sftdyn([`${folder}/sftdyn.toml`]);
      assertEquals(started.code, 2);
      assertMatch(started.stderr, new RegExp(` error: .*${said.source}`));
    }
    await write('console.log("hello"); export const getHost = () => {}, getIp = () => {};');
    const { code, stdout } = await sftdyn(["check", `${folder}/sftdyn.toml`]);
    assertEquals(code, 0, stdout);
    assertMatch(stdout, /^note: .*hooks\.js printed: hello$/m);
    assertMatch(stdout, /^ok: .*hooks\.js: getIp, getHost$/m);
  });
});

Deno.test("the example with a text file has its clients for each request", async () => {
  const text = await Deno.readTextFile(`${CONTRIB}/clients-file.js`);
  const file = `# not: c.dyn.example\n${KEY}: ${HOST}\na:b: a.dyn.example, b.dyn.example\n`;
  await withHooks(text, async ({ named, program, folder, get }) => {
    assertEquals(await get(KEY), "200 OK");
    assertEquals(await named.dig(HOST, "A"), ["127.0.0.1"]);
    assertEquals(await get("a:b"), "200 OK");
    assertEquals(await named.dig("b.dyn.example", "A"), ["127.0.0.1"]);
    for (const key of ["a", "%23%20not", "wrong"]) {
      assertEquals(await get(key), "403 BADKEY", key);
    }
    await Deno.writeTextFile(`${folder}/clients.txt`, "new: new.dyn.example");
    assertEquals(await get("new"), "200 OK");
    assertEquals(await get(KEY), "403 BADKEY");
    await Deno.remove(`${folder}/clients.txt`);
    assertEquals(await get(KEY), "500 FAIL");
    await program.logged(/getHost: NotFound: /);
  }, { files: { "clients.txt": file } });
});

Deno.test("the example with a web service asks it for each key", async () => {
  const asked: unknown[] = [];
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const { key, ip } = await request.json();
      asked.push([request.method, key, ip]);
      if (key === "broken") return new Response("no", { status: 500 });
      if (key === "rubbish") return new Response("no");
      return key === KEY ? Response.json([HOST]) : new Response("", { status: 404 });
    },
  );
  try {
    const text = (await Deno.readTextFile(`${CONTRIB}/web-service.js`))
      .replace("127.0.0.1:8000", `127.0.0.1:${server.addr.port}`);
    await withHooks(text, async ({ named, program, get }) => {
      assertEquals(await get(KEY), "200 OK");
      assertEquals(await named.dig(HOST, "A"), ["127.0.0.1"]);
      assertEquals(await get("other"), "403 BADKEY");
      assertEquals(await get("broken"), "500 FAIL");
      await program.logged(/line \d+, column \d+: getHost: Error: the service answered 500$/m);
      assertEquals(await get("rubbish"), "500 FAIL");
      assertEquals(asked.slice(0, 2), [["POST", KEY, "127.0.0.1"], ["POST", "other", "127.0.0.1"]]);
    });
  } finally {
    await server.shutdown();
  }
});

Deno.test("the example with a TXT record sets it beside the address", async () => {
  const text = await Deno.readTextFile(`${CONTRIB}/txt-record.js`);
  await withHooks(text, async ({ named, get }) => {
    assertEquals(await get(KEY), "200 OK");
    assertEquals(await named.dig(HOST, "A"), ["127.0.0.1"]);
    const [first, ...more] = await named.dig(`_updated.${HOST}`, "TXT");
    assertMatch(first!, /^"20\d\d-.*Z"$/);
    assertEquals(more, []);
    assertEquals(await get(KEY), "200 UPTODATE");
    assertEquals(await get(KEY), "200 UPTODATE");
    assertEquals(await named.dig(`_updated.${HOST}`, "TXT"), [first!]);
    assertEquals(await get(KEY, "--interface", "127.0.0.2"), "200 OK");
    assertEquals(await named.dig(HOST, "A"), ["127.0.0.2"]);
    const [second] = await named.dig(`_updated.${HOST}`, "TXT");
    assert(second !== first);
  }, { clients: `"${KEY}" = "${HOST}"` });
});
