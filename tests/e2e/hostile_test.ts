/** What the open internet does to a server, done to sftdyn, over HTTP and HTTPS. */

import { assert, assertEquals } from "@std/assert";
import { freePort, startNamed } from "../../tools/named.ts";
import { curl, makeCertificate, PROGRAM, run, Sftdyn, until, withFolder } from "./sftdyn.ts";

const KEY = "0123456789abcdef-secret";

interface Victim {
  program: Sftdyn;
  folder: string;
  http: number;
  https: number;
}

/**
 * @param limit of file descriptors, if there is one
 * @param endsItself if it has ended when the body is done
 */
async function withVictim(
  body: (victim: Victim) => Promise<void>,
  { limit, endsItself = false }: { limit?: number; endsItself?: boolean } = {},
): Promise<void> {
  const named = await startNamed();
  try {
    await withFolder(async (folder) => {
      await makeCertificate(folder);
      const [http, https] = [freePort(), freePort()];
      await Deno.writeTextFile(
        `${folder}/sftdyn.toml`,
        `http = "127.0.0.1:${http}"
https = "127.0.0.1:${https}"
cert = "cert.pem"
key = "key.pem"
nameserver = "127.0.0.1:${named.port}"
nskeyfile = "${named.keyFile}"
min_interval = 0
[clients]
"${KEY}" = "host.dyn.example"
`,
      );
      const program = limit === undefined
        ? await Sftdyn.start([`${folder}/sftdyn.toml`], { listeners: 2 })
        : await Sftdyn.start([`${folder}/sftdyn.toml`], { listeners: 2 }, [
          "prlimit",
          `--nofile=${limit}`,
          ...PROGRAM,
        ]);
      try {
        await body({ program, folder, http, https });
        if (!endsItself) {
          assertEquals(await curl(`http://127.0.0.1:${http}/${KEY}`), "200 UPTODATE");
        }
      } finally {
        const log = program.log();
        assertEquals(endsItself ? await program.ended() : await program.stop(), 0);
        assert(!/^ +at /m.test(log), `a stack trace: ${log.slice(0, 5000)}`);
        assert(!log.includes(KEY), "the key is in the log");
      }
    });
  } finally {
    await named.stop();
  }
}

async function residentMemory(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1024;
}

/** Connections on which something was begun and nothing more comes. */
async function halfOpen(port: number, count: number, text: string): Promise<Deno.Conn[]> {
  const bytes = new TextEncoder().encode(text);
  const conns: Deno.Conn[] = [];
  for (let i = 0; i < count; i++) {
    try {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port });
      conns.push(conn);
      await conn.write(bytes);
    } catch {
      // Turned away, which is a good answer.
    }
  }
  return conns;
}

function close(conns: Deno.Conn[]): void {
  for (const conn of conns) conn.close();
}

const BEGUN = { http: "GET /half HTTP/1.1\r\nHost: x\r\n", https: "\x16\x03\x01\x02\x00\x01" };

for (const scheme of ["http", "https"] as const) {
  Deno.test(`file descriptors run out over ${scheme}: the process lives, and answers afterwards`, async () => {
    await withVictim(async (victim) => {
      const { program, http } = victim;
      assertEquals(await curl(`http://127.0.0.1:${http}/${KEY}`), "200 OK");
      const conns = await halfOpen(victim[scheme], 500, BEGUN[scheme]);
      await program.logged(/open files|it listens no more/);
      // One that is held must not keep all others out.
      const [held, ...others] = conns;
      close(others);
      await until("it answers", async () => {
        try {
          return await curl(`http://127.0.0.1:${http}/${KEY}`) === "200 UPTODATE";
        } catch {
          return false;
        }
      });
      held!.close();
    }, { limit: 200 });
  });

  Deno.test(`2,000 half-open requests over ${scheme}: others are answered`, async () => {
    await withVictim(async (victim) => {
      const { program, http } = victim;
      assertEquals(await curl(`http://127.0.0.1:${http}/${KEY}`), "200 OK");
      const conns = await halfOpen(victim[scheme], 2000, BEGUN[scheme]);
      for (let i = 0; i < 100; i++) {
        const response = await fetch(`http://127.0.0.1:${http}/${KEY}`);
        assertEquals(await response.text(), "UPTODATE");
      }
      const memory = await residentMemory(program.pid);
      assert(memory < 300, `${memory} MB`);
      close(conns);
    });
  });
}

Deno.test("TLS handshakes begun and left, and each protocol at the other's port: others are answered", async () => {
  await withVictim(async ({ folder, http, https }) => {
    assertEquals(await curl(`http://127.0.0.1:${http}/${KEY}`), "200 OK");
    for (let i = 0; i < 2000; i += 100) {
      close(await halfOpen(https, 50, BEGUN.https));
      close(await halfOpen(https, 25, BEGUN.http));
      close(await halfOpen(http, 25, BEGUN.https));
    }
    const trust = ["--cacert", `${folder}/cert.pem`];
    assertEquals(await curl(...trust, `https://127.0.0.1:${https}/${KEY}`), "200 UPTODATE");
  });
});

Deno.test("random bytes, methods and heads: no crash, no stack trace", async () => {
  const seed = Number(Deno.env.get("SFTDYN_SEED") ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`seed ${seed} (SFTDYN_SEED=${seed} repeats it)`);
  let state = seed;
  const random = (below: number) => {
    state = Math.imul(state ^ state >>> 15, state | 1) + 0x6d2b79f5 | 0;
    return ((state ^ state >>> 14) >>> 0) % below;
  };
  const bytes = (length: number) => Uint8Array.from({ length }, () => random(256));
  const text = (length: number) =>
    Array.from({ length }, () => String.fromCharCode(32 + random(95))).join("");
  const pick = <T>(...choices: T[]): T => choices[random(choices.length)]!;
  const request = (): Uint8Array => {
    if (random(3) === 0) return bytes(random(300));
    const method = pick("GET", "GET", "HEAD", "POST", "get", "", text(random(20)));
    const target = pick(
      "/",
      "*",
      "//",
      `/${text(random(200))}`,
      `http://${text(random(30))}`,
      "/%",
    );
    const version = pick("HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/9", "", text(8));
    const head = Array.from(
      { length: random(6) },
      () =>
        `${pick("Host", "Content-Length", "Transfer-Encoding", "Expect", text(5))}: ${
          pick("x", "-1", "chunked", "100-continue", text(random(60)))
        }\r\n`,
    );
    return new TextEncoder().encode(`${method} ${target} ${version}\r\n${head.join("")}\r\n`);
  };
  await withVictim(async ({ program, http, https }) => {
    assertEquals(await curl(`http://127.0.0.1:${http}/${KEY}`), "200 OK");
    const port = () => random(4) === 0 ? https : http;
    const attack = async () => {
      for (let i = 0; i < 300; i++) {
        const conn = await Deno.connect({ hostname: "127.0.0.1", port: port() });
        try {
          for (let requests = 1 + random(4); requests > 0; requests--) await conn.write(request());
        } catch {
          // It hung up first.
        }
        conn.close();
      }
    };
    await Promise.all(Array.from({ length: 32 }, attack));
    const memory = await residentMemory(program.pid);
    assert(memory < 300, `${memory} MB`);
  });
});

Deno.test("wrong keys at full speed: known keys are served, and the log is bounded", async () => {
  await withVictim(async ({ program, http }) => {
    assertEquals(await curl(`http://127.0.0.1:${http}/${KEY}`), "200 OK");
    const started = Date.now();
    let wrong = 0, isOver = false;
    const guess = async () => {
      while (!isOver) {
        const response = await fetch(`http://127.0.0.1:${http}/guess-${wrong++}`);
        assertEquals(await response.text(), "BADKEY");
      }
    };
    const guesses = Array.from({ length: 32 }, guess);
    while (Date.now() - started < 5000) {
      assertEquals(await curl(`http://127.0.0.1:${http}/${KEY}`), "200 UPTODATE");
    }
    isOver = true;
    await Promise.all(guesses);
    const seconds = Math.ceil((Date.now() - started) / 1000);
    const lines = program.log().split("\n").length;
    assert(wrong > 1000, `only ${wrong} guesses`);
    assert(lines <= 10 * (seconds + 1) + 5, `${lines} lines in ${seconds} s`);
  });
});

Deno.test("SIGTERM under load: every request that was read is answered, exit status 0", async () => {
  await withVictim(async ({ program, http }) => {
    assertEquals(await curl(`http://127.0.0.1:${http}/${KEY}`), "200 OK");
    let answered = 0, isOver = false;
    const answers = new Set<string>();
    const client = async () => {
      while (!isOver) {
        let conn;
        try {
          conn = await Deno.connect({ hostname: "127.0.0.1", port: http });
        } catch {
          return; // Not accepted.
        }
        conn.close();
        const { code, stdout } = await run(["curl", "-s", `http://127.0.0.1:${http}/${KEY}`]);
        if (code === 0) {
          answers.add(stdout);
          answered++;
          // 7, 52, 56: nobody listens any more, or Deno's server hung up before it read a request.
        } else if (![7, 52, 56].includes(code)) answers.add(`curl ${code}`);
      }
    };
    const clients = Array.from({ length: 8 }, client);
    await until("some are answered", () => answered > 50);
    program.kill("SIGTERM");
    assertEquals(await program.ended(), 0);
    isOver = true;
    await Promise.all(clients);
    assertEquals([...answers], ["UPTODATE"]);
  }, { endsItself: true });
});

Deno.test("the log's reader goes away: the server goes on", async () => {
  await withFolder(async (folder) => {
    const port = freePort();
    await Deno.writeTextFile(`${folder}/sftdyn.toml`, `http = "127.0.0.1:${port}"\n`);
    const [program, ...args] = PROGRAM;
    const process = new Deno.Command(program, {
      args: [...args, `${folder}/sftdyn.toml`],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    await process.stderr.cancel();
    await until("it answers", async () => {
      try {
        return await curl(`http://127.0.0.1:${port}/`) === "200 127.0.0.1";
      } catch {
        return false;
      }
    });
    for (let i = 0; i < 20; i++) {
      assertEquals(await curl(`http://127.0.0.1:${port}/wrong-${i}`), "403 BADKEY");
    }
    process.kill("SIGTERM");
    assertEquals((await process.status).code, 0);
  });
});
