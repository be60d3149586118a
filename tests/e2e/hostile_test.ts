/** What the open internet does to a server, done to sftdyn, over HTTP and HTTPS. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { belowFrom, within } from "../support.ts";
import { curl, raw, run, until } from "./sftdyn.ts";
import { loopback, Stranger, TlsStranger } from "./stranger.ts";
import {
  assertServed,
  figure,
  isFull,
  KEY,
  MOST_MEMORY,
  type Scheme,
  SCHEMES,
  serveOthers,
  type Victim,
  withVictim,
} from "./victim.ts";

/** Durations are in ms. */
const SIZE = isFull
  ? { exhausted: 10_000, siege: 10_000, connections: 7000, tls: 1500, resets: 100_000 }
  : { exhausted: 2000, siege: 1500, connections: 1500, tls: 100, resets: 4000 };
const { fuzz, guessing } = isFull
  ? { fuzz: 100_000, guessing: 10_000 }
  : { fuzz: 10_000, guessing: 2000 };
/** Addresses that an attack comes from. */
const MANY = 500;

/** Does something so often, many at a time. */
async function often(count: number, act: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await act(next++);
  };
  await Promise.all(Array.from({ length: 64 }, worker));
}

const encoder = new TextEncoder();

async function writeAll(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let left = bytes; left.length > 0;) left = left.subarray(await conn.write(left));
}

/** A frame of HTTP/2 (RFC 9113, section 4.1). */
function frame(type: number, flags: number, stream: number, body: number[] = []): number[] {
  const { length } = body;
  const id = [stream >> 24 & 127, stream >> 16 & 255, stream >> 8 & 255, stream & 255];
  return [length >> 16, length >> 8 & 255, length & 255, type, flags, ...id, ...body];
}

const PREFACE = [...encoder.encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), ...frame(4, 0, 0)];
/** SETTINGS_INITIAL_WINDOW_SIZE is 0: no answer can be sent. */
const NO_WINDOW = frame(4, 0, 0, [0, 4, 0, 0, 0, 0]);
const GET_OF_HTTP2 = (i: number) => frame(1, 5, 2 * i + 1, [0x82, 0x86, 0x84, 0x41, 1, 0x78]);
const RESET_OF_HTTP2 = (i: number) => frame(3, 0, 2 * i + 1, [0, 0, 0, 8]);

const OWN_ADDRESS = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const CLOSING = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
const HALF_A_HEAD = "GET /half HTTP/1.1\r\nHost: x\r\n";

/** What somebody sends who does not want an answer. */
interface Habit {
  first: string | Uint8Array<ArrayBuffer>;
  /** Again and again from then on. */
  then?: string;
}

const TCP_HABITS: Record<string, Habit> = {
  "silence": { first: "" },
  "two octets of TLS": { first: "\x16\x03" },
  "half a ClientHello": { first: "\x16\x03\x01\x02\x00\x01" },
};
const HTTP_HABITS: Record<string, Habit> = {
  "half a head": { first: HALF_A_HEAD },
  "60 KB of a head": { first: `${HALF_A_HEAD}A: ${"a".repeat(60_000)}` },
  "16 KiB of a head and one octet": {
    first: HALF_A_HEAD + "A".repeat(16 * 1024 + 1 - HALF_A_HEAD.length),
  },
  "an octet now and then": { first: "G", then: "E" },
  "an answered POST without its body": {
    first: "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n",
  },
  "requests without end, and no reading": {
    first: OWN_ADDRESS.repeat(100),
    then: OWN_ADDRESS.repeat(100),
  },
  "HTTP/2 with a closed window": {
    first: Uint8Array.from([
      ...PREFACE,
      ...NO_WINDOW,
      ...Array.from({ length: 200 }, (_, i) => GET_OF_HTTP2(i)).flat(),
    ]),
  },
};

type Enemy = Pick<Stranger, "isEnded" | "close"> & { send: (data: Habit["first"]) => unknown };

interface Siege {
  connections: number;
  /** How many are opened a second, at most: each that was closed is opened again. */
  perSecond: number;
  open: (i: number) => Promise<Enemy> | Enemy;
}

/** Things to do until others get their turn: they are in this process, too. */
const AT_A_TIME = 10;

/** Keeps connections open in spite of all, and has each do its habit, while others want to be served. */
async function besiege(
  victim: Victim,
  { first, then = "" }: Habit,
  { connections, perSecond, open }: Siege,
): Promise<void> {
  const started = Date.now();
  const isOver = () => Date.now() >= started + SIZE.siege;
  const enemies: Enemy[] = [];
  let opened = 0;
  const attack = async () => {
    for (let i = 0, done = 0; !isOver(); i = (i + 1) % connections) {
      const enemy = enemies[i];
      if (enemy !== undefined && !enemy.isEnded) enemy.send(then);
      else if (opened * 1000 < perSecond * (Date.now() - started)) {
        enemy?.close();
        opened++;
        try {
          enemies[i] = await open(i);
          enemies[i]!.send(first);
        } catch {
          // Refused: it is tried again.
        }
      } else i = connections - 1;
      if (++done % AT_A_TIME === 0 || i === connections - 1) {
        await new Promise((resolve) => setTimeout(resolve, i === connections - 1 ? 10 : 0));
      }
    }
  };
  try {
    const [served] = await Promise.all([serveOthers(victim, isOver), attack()]);
    assertServed(`${opened} connections`, served);
  } finally {
    for (const enemy of enemies) enemy?.close();
  }
}

HTTP_HABITS["HTTP/2 with rapid resets"] = {
  first: Uint8Array.from([
    ...PREFACE,
    ...Array.from({ length: 2000 }, (_, i) => [...GET_OF_HTTP2(i), ...RESET_OF_HTTP2(i)]).flat(),
  ]),
};

/** Who attacks: one address with more connections than it may have, or many. */
const ATTACKERS: [name: string, from: (i: number) => string, share: number][] = [
  ["one address", () => loopback(0), 1 / 5],
  [`${MANY} addresses`, (i) => loopback(i % MANY), 1],
];

for (const [name, from, share] of ATTACKERS) {
  for (const scheme of SCHEMES) {
    const habits = { ...TCP_HABITS, ...scheme === "http" ? HTTP_HABITS : {} };
    Deno.test(`${name} with connections to ${scheme} that come to nothing: others are served`, async (t) => {
      await withVictim(async (victim) => {
        for (const [habit, octets] of Object.entries(habits)) {
          await t.step(habit, async () => {
            const open = (i: number) => new Stranger(victim[scheme], from(i));
            const connections = share * SIZE.connections;
            await besiege(victim, octets, { connections, perSecond: 1500, open });
          });
        }
      });
    });
  }

  Deno.test(`${name} with connections in TLS that come to nothing: others are served`, async (t) => {
    await withVictim(async (victim) => {
      const habits = { "a handshake and silence": { first: "" }, ...HTTP_HABITS };
      for (const [habit, octets] of Object.entries(habits)) {
        await t.step(habit, async () => {
          const trust = { caCerts: [victim.trust] };
          const open = (i: number) => TlsStranger.connect(victim.https, from(i), trust);
          const connections = Math.ceil(share * SIZE.tls);
          await besiege(victim, octets, { connections, perSecond: 200, open });
        });
      }
    });
  });
}

Deno.test("an address with 1,500 new connections a second: only its own are closed for it", async () => {
  await withVictim(async (victim) => {
    for (const scheme of SCHEMES) {
      // Each of another address, slow, and in good time.
      const slow = Array.from(
        { length: 20 },
        (_, i) => new Stranger(victim.http, loopback(10 + i)),
      );
      for (const each of slow) each.send("GET / HTTP/1.1\r\n");
      const over = Date.now() + SIZE.siege;
      const isOver = () => Date.now() >= over;
      const flood: Stranger[] = [];
      const attack = async () => {
        const started = Date.now();
        while (!isOver()) {
          while (flood.length < 1.5 * (Date.now() - started)) {
            flood.push(new Stranger(victim[scheme], loopback(0)));
            // Closed by us where it is not yet, or there would be no descriptor left here.
            flood[flood.length - 1000]?.close();
          }
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
      };
      const [served] = await Promise.all([serveOthers(victim, isOver), attack()]);
      for (const each of flood) each.close();
      for (const [i, each] of slow.entries()) {
        each.send("Host: x\r\n\r\n");
        assertMatch(await answerTo(each), /^HTTP\/1\.1 200 /, `slow one ${i}`);
        each.close();
      }
      assertServed(`${flood.length} new connections to ${scheme}`, served);
      assertMatch(victim.program.log(), /warning: .*127\.1\.1\.1, which has/);
    }
  });
});

async function answerTo(stranger: Stranger): Promise<string> {
  const decoder = new TextDecoder();
  let answer = "";
  await until("an answer", () => {
    // What came before the end is still there after it.
    const { isEnded } = stranger;
    answer += decoder.decode(stranger.receive());
    return isEnded || answer.includes("\r\n\r\n");
  });
  return answer;
}

Deno.test("connections opened and reset, at once or with something sent: others are served", async () => {
  await withVictim(async (victim) => {
    const data = ["", "\x16\x03\x01\x02\x00\x01", HALF_A_HEAD, CLOSING];
    let opened = 0, isOver = false;
    const attack = async () => {
      while (opened < SIZE.resets) {
        for (let i = 0; i < 50; i++, opened++) {
          const port = victim[SCHEMES[opened % 2]!];
          const stranger = new Stranger(port, loopback(opened % MANY));
          stranger.send(data[(opened >> 1) % data.length]!);
          if (opened % 3 === 0) stranger.close();
          else stranger.reset();
        }
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      isOver = true;
    };
    const [served] = await Promise.all([serveOthers(victim, () => isOver), attack()]);
    assertServed(`${opened} opened and reset`, served);
  });
});

for (const scheme of SCHEMES) {
  Deno.test(`file descriptors run out over ${scheme}: the process lives, and answers afterwards`, async () => {
    await withVictim(async (victim) => {
      const { program, ask } = victim;
      const conns: Stranger[] = [];
      const open = () => {
        const stranger = new Stranger(victim[scheme], loopback(conns.length % MANY));
        stranger.send(scheme === "http" ? HALF_A_HEAD : "\x16\x03\x01\x02\x00\x01");
        conns.push(stranger);
      };
      await until("descriptors have run out", () => {
        open();
        return EXHAUSTED.test(program.log());
      });
      // Whenever it takes connections again, it is run over again.
      const over = Date.now() + SIZE.exhausted;
      while (Date.now() < over) {
        for (let i = 0; i < 20; i++) open();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      // One that is held must not keep all others out.
      const [held, ...others] = conns;
      for (const other of others) other.close();
      await answersAgain(ask);
      held!.close();

      const lines = program.log().split("\n").filter((line) => EXHAUSTED.test(line));
      assertEquals(mostASecond(lines), 1, lines.join("\n"));
      figure(`${lines.length} lines, at most one a second`);
    }, { limit: 200 });
  });
}

const EXHAUSTED = / error: .*open files/;

/** Of these lines of a log, how many are of one second, by their own times. */
function mostASecond(lines: string[]): number {
  const times = lines.map((line) => Date.parse(line.slice(0, line.indexOf(" "))));
  // The log's second is the monotonic clock's: some ms may be missing here.
  return Math.max(
    ...times.map((start) => times.filter((time) => time >= start && time < start + 990).length),
  );
}

/** Waits until what the attack has left behind takes nobody's place any more. */
async function answersAgain(ask: Victim["ask"]): Promise<void> {
  const closed = performance.now();
  let inARow = 0;
  await until("it answers", async () => {
    const answer = await ask(SCHEMES[inARow % 2]!).catch(() => undefined);
    inARow = answer === "200 UPTODATE" ? inARow + 1 : 0;
    return inARow === 10;
  });
  const ms = performance.now() - closed;
  figure(`it answers again after ${ms.toFixed(0)} ms`, ms < 2000);
}

function randomSeed(): number {
  const seed = Number(Deno.env.get("SFTDYN_SEED") ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`seed ${seed} (SFTDYN_SEED=${seed} repeats it)`);
  return seed;
}

/** What one connection of the fuzzer sends: whether inside of TLS, to which port, and what. */
interface Attempt {
  isTls: boolean;
  port: Scheme;
  requests: Uint8Array[];
}

/** Random bytes, methods, targets and heads; the same ones for the same seed. */
function fuzzer(seed: number): () => Attempt {
  const random = belowFrom(seed);
  const bytes = (length: number) => Uint8Array.from({ length }, () => random(256));
  const text = (length: number) =>
    Array.from({ length }, () => String.fromCharCode(32 + random(95))).join("");
  const pick = <T>(...choices: T[]): T => choices[random(choices.length)]!;
  const field = () => {
    const name = pick("Host", "Content-Length", "Transfer-Encoding", "Expect", "Upgrade", text(5));
    return `${name}: ${
      pick("x", "-1", "9", "chunked", "100-continue", "h2c", text(random(60)))
    }\r\n`;
  };
  const chunks = () => `${pick("5", "0", "-1", "fffffffffffffffff", text(3))}\r\n${text(5)}\r\n`;
  const request = () => {
    if (random(4) === 0) return bytes(random(300));
    const method = pick("GET", "GET", "HEAD", "POST", "get", "", text(random(20)));
    const target = pick(
      "/",
      "*",
      "//",
      "/%",
      `/${text(random(200))}`,
      `http://${text(random(30))}`,
    );
    const version = pick("HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/9", "", text(8));
    const head = Array.from({ length: random(6) }, field).join("");
    const body = random(4) === 0 ? Array.from({ length: random(4) }, chunks).join("") : "";
    return encoder.encode(`${method} ${target} ${version}\r\n${head}\r\n${body}`);
  };
  return () => {
    const isTls = random(16) === 0;
    const port = isTls || random(4) === 0 ? "https" : "http";
    return { isTls, port, requests: Array.from({ length: 1 + random(4) }, request) };
  };
}

/** Writes what is to be sent and ends it; what comes back, until the other side ends too. */
async function exchange(conn: Deno.TcpConn | Deno.TlsConn, sent: Uint8Array[]): Promise<string> {
  let answer = "";
  try {
    for (const bytes of sent) await writeAll(conn, bytes);
    await conn.closeWrite();
    const decoder = new TextDecoder("latin1");
    const chunk = new Uint8Array(16_384);
    for (let count; (count = await conn.read(chunk)) !== null;) {
      answer += decoder.decode(chunk.subarray(0, count));
    }
  } catch {
    // It hung up first.
  } finally {
    conn.close();
  }
  return answer;
}

Deno.test("random bytes, methods and heads: no crash, no stack trace, memory flat", async () => {
  const seed = randomSeed();
  await withVictim(async (victim) => {
    const { program, trust } = victim;
    const statuses = new Map<string, number>();
    let requests = 0;
    const attack = async (count: number, seed: number) => {
      const next = fuzzer(seed);
      while (requests < count) {
        const { isTls, port, requests: sent } = next();
        const address = { hostname: "127.0.0.1", port: victim[port] };
        const conn = isTls
          ? await Deno.connectTls({ ...address, caCerts: [trust] })
          : await Deno.connect(address);
        const answer = await within(exchange(conn, sent), "the end of a connection");
        requests += sent.length;
        for (const [status] of answer.matchAll(/HTTP\/1\.[01] \d+/g)) {
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
        }
      }
    };
    const attackAll = (count: number, round: number) =>
      Promise.all(Array.from({ length: 32 }, (_, i) => attack(count, seed + 100 * round + i)));
    const started = performance.now();
    await attackAll(fuzz / 2, 0);
    const early = (await program.memory()).now;
    await attackAll(fuzz, 1);
    const late = (await program.memory()).now;
    const seconds = (performance.now() - started) / 1000;
    figure(
      `${requests} requests, ${(requests / seconds).toFixed(0)}/s, ${
        JSON.stringify(Object.fromEntries(statuses))
      }, memory ${early.toFixed(0)} MB, then ${late.toFixed(0)} MB`,
    );
    assert(late < MOST_MEMORY && late < early * 1.25, `${early} MB, then ${late} MB`);
    for (const status of ["HTTP/1.1 200", "HTTP/1.1 400", "HTTP/1.1 403", "HTTP/1.1 405"]) {
      assert(statuses.has(status), `never ${status}: ${[...statuses.keys()]}`);
    }
  });
});

Deno.test("a request that trickles in is answered", async () => {
  await withVictim(async (victim) => {
    const address = { hostname: "127.0.0.1" };
    // As many as one address may have.
    await often(32, async (i) => {
      const conn = i % 2 === 0
        ? await Deno.connect({ ...address, port: victim.http })
        : await Deno.connectTls({ ...address, port: victim.https, caCerts: [victim.trust] });
      for (const byte of encoder.encode(CLOSING)) {
        await conn.write(Uint8Array.of(byte));
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      const answer = await within(new Response(conn.readable).text(), "an answer");
      assertMatch(answer, /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n127\.0\.0\.1$/);
    });
  });
});

Deno.test("huge heads and broken bodies are refused", async () => {
  const start = "GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
  const cases: [name: string, request: string][] = [
    ["a target over 64 KiB", `GET /${"a".repeat(70_000)} HTTP/1.1\r\n\r\n`],
    ["a line over 64 KiB", `${start}A: ${"a".repeat(700_000)}\r\n\r\n`],
    ["many lines over 64 KiB", `${start}${`A: ${"a".repeat(900)}\r\n`.repeat(100)}\r\n`],
    ["over 128 lines", `${start}${"A: a\r\n".repeat(200)}\r\n`],
    ["a head that never ends", `${start}${"A: a\r\n".repeat(100_000)}`],
    ["two lengths", `${start}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`],
    ["a negative length", `${start}Content-Length: -1\r\n\r\n`],
    [
      "a body too long to count",
      `${start}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffffffff\r\n`,
    ],
    ["a chunk without a length", `${start}Transfer-Encoding: chunked\r\n\r\nxyz\r\n`],
  ];
  await withVictim(async ({ http, ask }) => {
    for (const [name, request] of cases) {
      const answer = await within(raw(http, request), name);
      // Who still sends when it is hung up on may see no answer. A body is not read.
      assertMatch(answer, /^(HTTP\/1\.1 4\d\d [^]*)?$/, name);
      assertEquals(await ask("http"), "200 UPTODATE");
    }
  });
});

Deno.test("random bytes within a TLS connection: it is ended, others are answered", async () => {
  const random = belowFrom(randomSeed());
  await withVictim(async ({ https, trust, ask }) => {
    // What the client and the server say goes through here, where bytes are slipped in.
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr as Deno.NetAddr;
    for (let i = 0; i < 100; i++) {
      const accepted = listener.accept();
      const client = await Deno.connectTls({ hostname: "127.0.0.1", port, caCerts: [trust] });
      const near = await accepted;
      const far = await Deno.connect({ hostname: "127.0.0.1", port: https });
      const forth = copy(near, far);
      const back = copy(far, near);
      await client.handshake();
      if (i % 2 === 0) await client.write(encoder.encode(OWN_ADDRESS.slice(0, random(28))));
      const junk = Array.from({ length: 50 + random(200) }, () => random(256));
      // Half of it in the form of a record (RFC 8446, section 5.1).
      const head = i % 4 < 2 ? [20 + random(4), 3, 3, 0, junk.length] : [];
      await writeAll(far, Uint8Array.from([...head, ...junk])).catch(() => {});
      await within(back, "the end of a broken connection");
      for (const conn of [client, near, far]) conn.close();
      await forth;
    }
    assertEquals(await ask("https"), "200 UPTODATE");
  });
});

async function copy(from: Deno.Conn, to: Deno.Conn): Promise<void> {
  const chunk = new Uint8Array(16_384);
  try {
    for (let count; (count = await from.read(chunk)) !== null;) {
      await writeAll(to, chunk.subarray(0, count));
    }
  } catch {
    // Closed by either side.
  }
}

/** wrk: another wrong key with every request. Prints the requests, µs, wrong answers and errors. */
const GUESS = `
local threads = {}
function setup(thread)
  thread:set("id", #threads)
  table.insert(threads, thread)
end
function init()
  count, wrong = 0, 0
end
function request()
  count = count + 1
  return wrk.format("GET", "/guess-" .. id .. "-" .. count)
end
function response(status, headers, body)
  if body ~= "BADKEY" then wrong = wrong + 1 end
end
function done(summary)
  local wrong = 0
  for _, thread in ipairs(threads) do wrong = wrong + thread:get("wrong") end
  local errors = summary.errors
  io.write(string.format("result %d %d %d %d\\n", summary.requests, summary.duration, wrong,
    errors.connect + errors.read + errors.write + errors.timeout))
end
`;

for (const scheme of SCHEMES) {
  Deno.test(`wrong keys at full speed over ${scheme}: known keys are served, and the log is bounded`, async () => {
    await withVictim(async (victim) => {
      const { program, folder } = victim;
      await Deno.writeTextFile(`${folder}/guess.lua`, GUESS);
      const seconds = `${guessing / 1000}`;
      // Fewer connections than one address may have; each is for one guess.
      const options = ["-t", "2", "-c", "24", "-d", seconds, "-s", `${folder}/guess.lua`];
      let isOver = false;
      const guess = async () => {
        const ran = await run(["wrk", ...options, `${scheme}://127.0.0.1:${victim[scheme]}/`]);
        isOver = true;
        return ran;
      };
      const [{ stdout, stderr }, served] = await Promise.all([
        guess(),
        serveOthers(victim, () => isOver),
      ]);
      const counts = /^result (\d+) (\d+) (\d+) (\d+)$/m.exec(stdout)?.slice(1).map(Number);
      assert(counts !== undefined, `${stdout}${stderr}`);
      const [requests, requestedFor, wrong, errors] = counts as [number, number, number, number];
      assert(requests > 200, `only ${requests} guesses`);
      assertEquals([wrong, errors], [0, 0], stdout);
      const lines = program.log().split("\n").filter((line) => line.includes("unknown key"));
      const most = mostASecond(lines);
      // The seconds in which ten are written are not the clock's: two may meet in one of those.
      const bound = 10 * (requestedFor / 1e6 + 2);
      assert(lines.length > 10 && lines.length <= bound, `${lines.length} lines`);
      assert(most < 20, `${most} lines in a second`);
      const perSecond = (requests / requestedFor * 1e6).toFixed(0);
      assertServed(`${perSecond} wrong keys/s, ${lines.length} lines, ${most} in a second`, served);
    });
  });
}

/** What curl says where nobody listens any more, or Deno's server hung up before it read a request. */
const NOT_ACCEPTED = [7, 35, 52, 56];

for (const scheme of SCHEMES) {
  Deno.test(`SIGTERM under load over ${scheme}: every request that was read is answered, exit status 0`, async () => {
    await withVictim(async (victim) => {
      const { named, program, folder } = victim;
      const trust = ["--cacert", `${folder}/cert.pem`];
      const url = (key: string) => `${scheme}://127.0.0.1:${victim[scheme]}/${key}`;
      assertEquals(await curl(...trust, url(KEY)), "200 OK");
      assertEquals(await curl(...trust, url("other")), "200 OK");
      // It waits for its min_interval, which is an hour.
      const waiting = curl(...trust, "--interface", "127.0.0.2", url(KEY));
      await program.logged(/host\.dyn\.example A will be set to 127\.0\.0\.2\n/);

      const answers = new Map<string, number>();
      const count = (answer: string) => answers.set(answer, (answers.get(answer) ?? 0) + 1);
      const client = async () => {
        for (;;) {
          const { code, stdout } = await run(["curl", "-s", ...trust, url("other")]);
          if (code === 0) count(stdout);
          else if (!NOT_ACCEPTED.includes(code)) count(`curl ${code}`);
          if (code === 7) return;
        }
      };
      const clients = Array.from({ length: isFull ? 32 : 8 }, client);
      await until("some are answered", () => (answers.get("UPTODATE") ?? 0) > 50);
      const started = performance.now();
      program.kill("SIGTERM");
      assertEquals(await waiting, "200 OK");
      assertEquals(await program.ended(), 0);
      const ms = performance.now() - started;
      await Promise.all(clients);
      assertEquals([...answers.keys()], ["UPTODATE"]);
      assertEquals(await named.dig("host.dyn.example", "A"), ["127.0.0.2"]);
      figure(`${answers.get("UPTODATE")} answers, ended after ${ms.toFixed(0)} ms`, ms < 10_000);
    }, { endsItself: true, settings: "min_interval = 3600" });
  });
}
