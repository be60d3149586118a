import { assert, assertEquals, assertMatch } from "@std/assert";
import { parseNetwork } from "../../lib/address.ts";
import type { Answer } from "../../lib/http/answer.ts";
import { close } from "../../lib/http/connection.ts";
import { FrontDoor, type FrontDoorOptions } from "../../lib/http/front_door.ts";
import { settle } from "../fake_time.ts";
import { until, within } from "../support.ts";

const GET = "GET /k HTTP/1.1\r\nHost: h\r\n\r\n";
/** An answer, without what each has. */
const OK = "200 OK, close: OK";
const KEPT = "200 OK: OK";

/** A character an octet. */
function bytes(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** What the handler was asked. */
interface Asked {
  request: string;
  client: string;
  answer: (answer?: Answer) => void;
  fail: (message: string) => void;
}

interface House {
  door: FrontDoor;
  /** Opens a connection, and sends this. */
  enter(text: string, from?: string): Promise<Deno.TcpConn>;
  asked: Asked[];
  warnings: string[];
  complaints: string[];
  /** How many it has ended, and of those, before anything had come. */
  ended: () => number;
  abandoned: () => number;
  /** Lets time pass. */
  pass(ms: number): Promise<void>;
  /** Waits until it has read so much of what was sent. */
  hasRead(count: number): Promise<void>;
  /** How many octets it has written. */
  written: () => number;
}

/** Runs with a front door, whose handler answers when the test says so; ends all connections. */
async function withDoor(
  options: Partial<FrontDoorOptions>,
  run: (house: House) => Promise<void>,
): Promise<void> {
  const asked: Asked[] = [], conns: Deno.Conn[] = [];
  const warnings: string[] = [], complaints: string[] = [];
  let now = 1000, abandoned = 0, closed = 0, read = 0, written = 0;
  const delays = new Set<{ at: number; resolve: () => void }>();
  const door = new FrontDoor({
    handler: ({ method, target }, client) => {
      const { promise, resolve, reject } = Promise.withResolvers<Answer>();
      asked.push({
        request: `${method} ${target}`,
        client,
        answer: (answer = { status: 200, body: "OK" }) => resolve(answer),
        fail: (message) => reject(new Error(message)),
      });
      return promise;
    },
    warn: (problem) => warnings.push(problem),
    complain: (problem) => complaints.push(problem),
    now: () => now,
    delay: (ms) => new Promise<void>((resolve) => delays.add({ at: now + ms, resolve })),
    trustedProxies: [parseNetwork("10.0.0.0/8")!],
    maxConnections: 64,
    ...options,
  });
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const house: House = {
    door,
    async enter(text, hostname = "192.0.2.1") {
      const [conn, other] = await Promise.all([
        Deno.connect({ hostname: "127.0.0.1", port }),
        listener.accept(),
      ]);
      conns.push(conn);
      const reading = other.read.bind(other);
      other.read = async (buffer) => {
        const count = await reading(buffer);
        read += count ?? 0;
        return count;
      };
      const writing = other.write.bind(other);
      other.write = async (octets) => {
        const count = await writing(octets);
        written += count;
        return count;
      };
      const abandon = () => {
        abandoned++;
        close(other);
      };
      const before = read;
      door.admit(other, { address: { hostname }, abandon, onClose: () => closed++ });
      if (text !== "") {
        await conn.write(bytes(text));
        await until(`${text} is read`, () => read > before || abandoned > 0);
      }
      return conn;
    },
    asked,
    warnings,
    complaints,
    ended: () => abandoned + closed,
    abandoned: () => abandoned,
    async pass(ms) {
      const end = now + ms;
      for (;;) {
        await settle();
        const next = [...delays].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
        if (next === undefined) break;
        delays.delete(next);
        now = next.at;
        next.resolve();
      }
      now = end;
    },
    written: () => written,
    hasRead: (count) => until(`${count} octets are read, of ${read}`, () => read >= count),
  };
  try {
    await run(house);
  } finally {
    door.hangUp();
    for (const { fail } of asked) fail("the test is over");
    for (const conn of conns) close(conn);
    await house.pass(60_000);
  }
}

/** All that comes until the end; a reset is one, too. */
async function receiveAll(conn: Deno.Conn): Promise<string> {
  let text = "";
  const buffer = new Uint8Array(4096);
  try {
    for (let count; (count = await within(conn.read(buffer), `more than ${text}`)) !== null;) {
      text += new TextDecoder().decode(buffer.subarray(0, count));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
  }
  return text;
}

/** The answers until the end, in short. */
async function receive(conn: Deno.Conn): Promise<string> {
  return inShort(await receiveAll(conn));
}

/** The next answer of a connection that goes on, in short. */
async function next(conn: Deno.Conn): Promise<string> {
  const buffer = new Uint8Array(4096);
  const count = await within(conn.read(buffer), "an answer");
  assert(count !== null, "an end instead of an answer");
  return inShort(new TextDecoder().decode(buffer.subarray(0, count)));
}

function inShort(text: string): string {
  return text.replace(
    /HTTP\/1\.1 (.*)\r\ncache-control: no-store\r\n(?:.*\r\n)*?(connection: close\r\n)?content-length: \d+\r\n\r\n/g,
    (_, status, close) => `${status}${close ? ", close" : ""}: `,
  );
}

function isAsked({ asked }: House, count: number): Promise<void> {
  return until(`${count} requests, of ${asked.length}`, () => asked.length >= count);
}

Deno.test("a request is handed on with its client, and its answer comes back", async () => {
  await withDoor({}, async (house) => {
    const conn = await house.enter("HEAD /k HTTP/1.0\nConnection: x\nA: b\n\n", "2001:db8::1");
    await isAsked(house, 1);
    const [{ request, client, answer }] = house.asked as [Asked];
    assertEquals([request, client], ["HEAD /k", "2001:db8::1"]);
    answer({ status: 405, body: null, headers: { allow: "GET" } });
    assertEquals(await receive(conn), "405 Method Not Allowed, close: ");
  });
});

Deno.test("a head may come octet by octet, behind empty lines", async () => {
  await withDoor({}, async (house) => {
    const conn = await house.enter("\r\n");
    const text = `\r\n\n${GET}`;
    for (const [i, char] of [...text].entries()) {
      await house.hasRead(2 + i);
      await conn.write(bytes(char));
    }
    await isAsked(house, 1);
    assertEquals(house.asked[0]!.request, "GET /k");
    house.asked[0]!.answer();
    assertEquals(await receive(conn), OK);
  });
});

Deno.test("a head has ten seconds, however it comes", async () => {
  await withDoor({}, async (house) => {
    const conns = [await house.enter(""), await house.enter("GET /k HT")];
    await house.hasRead(9);
    await house.pass(9000);
    await conns[1]!.write(bytes("TP/1.1\r\n"));
    await house.hasRead(17);
    await house.pass(499);
    assertEquals(house.ended(), 0);
    const late = await house.enter("GET");
    await house.pass(1001);
    assertEquals([house.ended(), house.abandoned()], [2, 1]);
    for (const conn of conns) assertEquals(await receive(conn), "");
    await house.pass(9500);
    assertEquals(await receive(late), "");
    assertEquals([house.ended(), house.asked.length], [3, 0]);
  });
});

Deno.test("an answer may take longer than a head", async () => {
  await withDoor({}, async (house) => {
    const conn = await house.enter(GET);
    await isAsked(house, 1);
    await house.pass(60_000);
    house.asked[0]!.answer();
    assertEquals(await receive(conn), OK);
  });
});

/** A head of so many octets. */
function headOf(length: number): string {
  const start = "GET /k HTTP/1.1\r\nX: ";
  return `${start}${"x".repeat(length - start.length - 4)}\r\n\r\n`;
}

Deno.test("a head has 16 KiB", async () => {
  const most = 16 * 1024;
  const table: [string, boolean][] = [
    [headOf(2047), true],
    [headOf(2048), true],
    [headOf(2049), true],
    [headOf(most), true],
    [headOf(most + 1), false],
    [headOf(most + 2).slice(0, -1), false],
    [`\r\n${headOf(most - 2)}`, true],
    [`\r\n${headOf(most - 1)}`, false],
    ["\n".repeat(most + 1), false],
    [`${headOf(most)}GET`, true],
  ];
  for (const [text, isTaken] of table) {
    await withDoor({}, async (house) => {
      const conn = await house.enter(text);
      if (isTaken) {
        await isAsked(house, 1);
        house.asked[0]!.answer();
      }
      await conn.closeWrite();
      const answer = await receive(conn);
      const expected = isTaken ? "200 " : "431 ";
      assert(answer.startsWith(expected), `${text.length} octets: ${answer}`);
      assertEquals(house.asked.length, isTaken ? 1 : 0);
    });
  }
});

Deno.test("what is no request is refused, and the refusal arrives whatever else was sent", async () => {
  const table: [string, number][] = [
    ["GET k HTTP/1.1\r\n\r\n", 400],
    ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505],
    [`GET / HTTP/1.1\r\n${"a: b\r\n".repeat(101)}\r\n`, 431],
    [`GET / HTTP/1.1\r\n a\r\n\r\n${"x".repeat(20_000)}`, 400],
  ];
  for (const [text, status] of table) {
    await withDoor({}, async (house) => {
      const conn = await house.enter(text);
      await conn.closeWrite();
      const answer = await receive(conn);
      assertMatch(answer, new RegExp(`^${status} [A-Z][^:]*, close: $`));
      assertEquals(house.asked.length, 0);
    });
  }
});

Deno.test("a client that closes its half gets its answer", async () => {
  await withDoor({}, async (house) => {
    const conn = await house.enter(GET);
    await conn.closeWrite();
    await isAsked(house, 1);
    house.asked[0]!.answer();
    assertEquals(await receive(conn), OK);
  });
});

Deno.test("a client that ends within its head is forgotten", async () => {
  await withDoor({}, async (house) => {
    const conn = await house.enter("GET / HTTP/1.1\r\n");
    await conn.closeWrite();
    assertEquals(await receive(conn), "");
    assertEquals(house.door.makeRoom(), false);
  });
});

Deno.test("neither a body nor another request gets in", async () => {
  const smuggled = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
  const table = [
    `${GET}${smuggled}`,
    `POST /k HTTP/1.1\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
    `POST /k HTTP/1.1\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
  ];
  for (const text of table) {
    await withDoor({}, async (house) => {
      const conn = await house.enter(text);
      await isAsked(house, 1);
      house.asked[0]!.answer();
      await conn.closeWrite();
      assertEquals(await receive(conn), OK);
      assertEquals(house.asked.length, 1);
      assert(!house.asked[0]!.request.includes("smuggled"));
    });
  }
});

Deno.test("an announced body is awaited five seconds after the answer, or 64 KiB", async () => {
  const announced = "POST /k HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n";
  /** A connection whose request is answered, and its body has not come. */
  const answered = async (house: House) => {
    const conn = await house.enter(announced);
    await isAsked(house, 1);
    house.asked[0]!.answer();
    assertEquals(await receive(conn), OK);
    return conn;
  };
  await withDoor({}, async (house) => {
    const conn = await answered(house);
    // The half of the door is closed: it still reads.
    await conn.write(bytes("body"));
    await house.hasRead(announced.length + 4);
    await house.pass(4500);
    assertEquals(house.door.makeRoom(), true);
    assertEquals(house.door.makeRoom(), false);
  });
  await withDoor({}, async (house) => {
    await answered(house);
    await house.pass(5500);
    assertEquals(house.door.makeRoom(), false);
  });
  await withDoor({}, async (house) => {
    const conn = await answered(house);
    try {
      const part = new Uint8Array(4096);
      for (let i = 0; i < 16; i++) await conn.write(part);
    } catch {
      // It was ended.
    }
    await house.hasRead(announced.length + 64 * 1024);
    await settle();
    assertEquals(house.door.makeRoom(), false);
  });
});

Deno.test("who has too many is closed, and the warning says who, how many, of how many", async () => {
  await withDoor({}, async (house) => {
    await house.enter("a", "192.0.2.9");
    const first = await house.enter("a");
    await house.enter("b");
    await house.enter("c");
    assertEquals(await receive(first), "");
    assertEquals(house.warnings, [
      "closed a connection of 192.0.2.1, which has 2 connections, the most for one address where " +
      "max_connections is 64",
    ]);
    const { strangers, proxies, refused, closed } = house.door.connections;
    assertEquals([strangers, proxies, refused, closed], [3, 0, 0, 1]);
  });
});

Deno.test("when all is full, whoever holds most is named; those being answered stay", async () => {
  await withDoor({ maxConnections: 3 }, async (house) => {
    const [a, b] = [await house.enter(GET, "192.0.2.1"), await house.enter("b", "192.0.2.2")];
    await isAsked(house, 1);
    const c = await house.enter(GET, "192.0.2.3");
    await isAsked(house, 2);
    const d = await house.enter(GET, "192.0.2.4");
    assertEquals(await receive(b), "");
    await isAsked(house, 3);
    const e = await house.enter(GET, "192.0.2.5");
    assertEquals(await receive(e), "");
    for (const { answer } of house.asked) answer();
    for (const conn of [a, c, d]) assertEquals(await receive(conn), OK);
    assertEquals(house.warnings, [
      "closed a connection of 192.0.2.2, which has 1 connection, and max_connections is 3",
      "refused a connection of 192.0.2.5, which has 0 connections, and max_connections is 3",
    ]);
    const { refused, closed } = house.door.connections;
    assertEquals([refused, closed], [1, 1]);
  });
});

Deno.test("a long answer has time as long as some of it is taken", async () => {
  const body = new Uint8Array(40_000_000);
  const buffer = new Uint8Array(1_000_000);
  await withDoor({}, async (house) => {
    const take = async (conn: Deno.Conn) => {
      const before = house.written();
      await until("more is written", async () => {
        await within(conn.read(buffer), "more");
        return house.written() > before;
      });
    };
    const conn = await house.enter(GET);
    await isAsked(house, 1);
    house.asked[0]!.answer({ status: 200, body });
    await take(conn);
    for (let i = 0; i < 4; i++) {
      await house.pass(4000);
      await take(conn);
    }
    assertEquals(house.ended(), 0);
    await house.pass(6000);
    assertEquals(house.ended(), 1);
    const other = await house.enter(GET);
    await isAsked(house, 2);
    house.asked[1]!.answer({ status: 200, body });
    let received = 0;
    for (let count; (count = await within(other.read(buffer), "the end")) !== null;) {
      received += count;
    }
    assert(received > body.length);
  });
});

Deno.test("a fault of ours is FAIL, and a complaint that says which", async () => {
  await withDoor({}, async (house) => {
    for (const [i, from] of ["192.0.2.1", "10.0.0.1"].entries()) {
      const conn = await house.enter(GET, from);
      await isAsked(house, i + 1);
      house.asked[i]!.fail("a bug");
      assertEquals(await next(conn), `500 Internal Server Error${i ? "" : ", close"}: FAIL`);
    }
    assertEquals(house.complaints, Array(2).fill("internal error: a bug"));
  });
  const handler = () => {
    throw new Error("at once");
  };
  await withDoor({ handler }, async (house) => {
    const conn = await house.enter(GET);
    assertEquals(await receive(conn), "500 Internal Server Error, close: FAIL");
    assertEquals(house.complaints, ["internal error: at once"]);
  });
});

Deno.test("stop() ends what has no request, and waits for what has", async () => {
  await withDoor({}, async (house) => {
    const silent = await house.enter("", "192.0.2.2");
    const unfinished = await house.enter("GET / HT", "192.0.2.3");
    const asking = await house.enter(GET);
    const announcing = await house.enter(
      `${GET.slice(0, -2)}Content-Length: 5\r\n\r\n`,
      "192.0.2.4",
    );
    await isAsked(house, 2);
    let hasStopped = false;
    const stopping = house.door.stop().then(() => hasStopped = true);
    for (const conn of [silent, unfinished]) assertEquals(await receive(conn), "");
    const late = await house.enter("");
    assertEquals(await receive(late), "");
    assertEquals([house.ended(), house.abandoned(), hasStopped], [3, 2, false]);
    for (const { answer } of house.asked) answer();
    for (const conn of [asking, announcing]) assertEquals(await receive(conn), OK);
    await within(stopping, "the end");
  });
});

Deno.test("stop() of an empty house, or of one that is hung up, resolves at once", async () => {
  await withDoor({}, async ({ door }) => {
    await within(door.stop(), "the end");
  });
  await withDoor({}, async (house) => {
    const conns = [await house.enter(GET), await house.enter(GET, "10.0.0.1")];
    await isAsked(house, 2);
    const stopping = house.door.stop();
    house.door.hangUp();
    await within(stopping, "the end");
    for (const conn of conns) assertEquals(await receive(conn), "");
    for (const { fail } of house.asked) fail("stopped");
    await settle();
    assertEquals(house.ended(), 2);
  });
});

Deno.test("a proxy's connection is kept, and has no deadline between requests, and no share", async () => {
  await withDoor({}, async (house) => {
    const proxies = [];
    for (let i = 0; i < 5; i++) proxies.push(await house.enter("", "10.0.0.1"));
    for (let round = 0, asked = 0; round < 3; round++) {
      await house.pass(60_000);
      for (const conn of proxies) {
        await conn.write(bytes(GET));
        await isAsked(house, ++asked);
        await house.pass(60_000);
        house.asked.at(-1)!.answer();
        assertEquals(await next(conn), KEPT);
        assertEquals(house.asked.at(-1)!.client, "10.0.0.1");
      }
    }
    assertEquals([house.warnings, house.ended()], [[], 0]);
    proxies[0]!.close();
    await until("one has ended", () => house.ended() === 1);
  });
});

Deno.test("what a proxy sends before the answer is not looked at, and ends the connection", async () => {
  await withDoor({}, async (house) => {
    const conn = await house.enter(GET + GET.replace("/k", "/l"), "10.0.0.1");
    await isAsked(house, 1);
    house.asked[0]!.answer();
    assertEquals(await receive(conn), OK);
    conn.close();
    await until("it has ended", () => house.ended() === 1);
    assertEquals(house.asked.length, 1);
  });
});

Deno.test("an empty line between a proxy's requests is none", async () => {
  await withDoor({}, async (house) => {
    const conn = await house.enter(GET, "10.0.0.1");
    await isAsked(house, 1);
    house.asked[0]!.answer();
    await next(conn);
    await conn.write(bytes("\r\n"));
    await house.hasRead(GET.length + 2);
    await house.pass(60_000);
    await conn.write(bytes(GET));
    await isAsked(house, 2);
    house.asked[1]!.answer();
    assertEquals(await next(conn), KEPT);
  });
});

Deno.test("a proxy's connection ends where the request says so, or is not understood", async () => {
  const table: [text: string, answer: string][] = [
    ["GET /k HTTP/1.1\r\nConnection: close\r\n\r\n", OK],
    ["GET /k HTTP/1.0\r\n\r\n", OK],
    [`POST /k HTTP/1.1\r\nContent-Length: ${GET.length}\r\n\r\n`, OK],
    ["GET k HTTP/1.1\r\n\r\n", "400 Bad Request, close: "],
    ["GET /k HTTP/1.1\r\nX: a\nX-Forwarded-For: b\r\n\r\n", "400 Bad Request, close: "],
  ];
  for (const [text, answer] of table) {
    await withDoor({}, async (house) => {
      const conn = await house.enter(GET, "10.0.0.1");
      await isAsked(house, 1);
      house.asked[0]!.answer();
      assertEquals(await next(conn), KEPT);
      await conn.write(bytes(text + GET));
      if (answer === OK) {
        await isAsked(house, 2);
        house.asked[1]!.answer();
      }
      await conn.closeWrite();
      assertEquals(await receive(conn), answer);
      await settle();
      assertEquals(house.asked.length, answer === OK ? 2 : 1);
    });
  }
});

Deno.test("a head of a proxy has ten seconds from its first octet", async () => {
  await withDoor({}, async (house) => {
    const conn = await house.enter(GET, "10.0.0.1");
    await isAsked(house, 1);
    house.asked[0]!.answer();
    await next(conn);
    await house.pass(60_000);
    await conn.write(bytes("GET"));
    await house.hasRead(GET.length + 3);
    await house.pass(9500);
    assertEquals(house.ended(), 0);
    await house.pass(1000);
    assertEquals([await receive(conn), house.ended()], ["", 1]);
  });
});

Deno.test("when proxies have too many, the one that waits longest goes", async () => {
  await withDoor({ maxConnections: 3 }, async (house) => {
    const enter = () => house.enter("", "10.0.0.1");
    const [a, b, c] = [await enter(), await enter(), await enter()];
    await a.write(bytes(GET));
    await isAsked(house, 1);
    house.asked[0]!.answer();
    await next(a);
    await b.write(bytes(GET));
    await isAsked(house, 2);
    const d = await house.enter(GET, "10.9.9.9");
    assertEquals(await receive(c), "");
    await isAsked(house, 3);
    const e = await house.enter(GET, "10.9.9.9");
    assertEquals(await receive(a), "");
    await isAsked(house, 4);
    const refused = await house.enter("", "::ffff:10.0.0.1");
    assertEquals(await receive(refused), "");
    assertEquals(house.warnings, [
      "refused a connection of the proxy ::ffff:10.0.0.1: proxies have max_connections, 3, and " +
      "each waits for an answer",
    ]);
    const { connections } = house.door;
    assertEquals([connections.proxies, connections.refused], [3, 1]);
    for (const { answer } of house.asked) answer();
    for (const conn of [b, d, e]) assertEquals(await next(conn), KEPT);
  });
});

Deno.test("stop() ends proxies' connections, and waits for those that have a request", async () => {
  await withDoor({}, async (house) => {
    const idle = await house.enter("", "10.0.0.1");
    const unfinished = await house.enter("GET / HT", "10.0.0.1");
    const busy = await house.enter(GET, "10.0.0.1");
    await isAsked(house, 1);
    let hasStopped = false;
    const stopping = house.door.stop().then(() => hasStopped = true);
    for (const conn of [idle, unfinished]) assertEquals(await receive(conn), "");
    await settle();
    assertEquals([house.ended(), hasStopped], [2, false]);
    house.asked[0]!.answer();
    assertEquals(await receive(busy), OK);
    await within(stopping, "the end");
  });
});

Deno.test("who is no longer a trusted proxy has its connections ended", async () => {
  await withDoor({}, async (house) => {
    const [gone, stays] = [await house.enter("", "10.0.0.1"), await house.enter("", "10.2.0.1")];
    const busy = await house.enter(GET + GET, "10.0.0.1");
    await isAsked(house, 1);
    house.door.settings = { trustedProxies: [parseNetwork("10.2.0.0/16")!], maxConnections: 64 };
    assertEquals(await receive(gone), "");
    house.asked[0]!.answer();
    assertEquals(await receive(busy), OK);
    busy.close();
    await until("it has ended, too", () => house.ended() === 2);
    await stays.write(bytes(GET));
    await isAsked(house, 2);
    house.asked[1]!.answer();
    assertEquals(await next(stays), KEPT);
  });
});

Deno.test("makeRoom() ends a stranger who waits, then a proxy's idle connection, then nothing", async () => {
  await withDoor({}, async (house) => {
    await house.enter("", "10.0.0.1");
    await house.enter("x");
    const conn = await house.enter(GET, "192.0.2.2");
    await isAsked(house, 1);
    const { door } = house;
    assertEquals([door.makeRoom(), house.ended(), house.abandoned()], [true, 1, 0]);
    assertEquals([door.makeRoom(), house.ended(), house.abandoned()], [true, 2, 1]);
    assertEquals(door.makeRoom(), false);
    house.asked[0]!.answer();
    assertEquals(await receive(conn), OK);
  });
});

Deno.test("other settings apply to those who come from then on", async () => {
  await withDoor({}, async (house) => {
    const before = await house.enter("", "192.0.2.1");
    house.door.settings = { trustedProxies: [parseNetwork("192.0.2.0/24")!], maxConnections: 32 };
    const proxy = await house.enter(GET, "192.0.2.1");
    const first = await house.enter("a", "10.0.0.1");
    await house.enter("b", "10.0.0.1");
    assertEquals(await receive(first), "");
    await before.write(bytes(GET));
    await isAsked(house, 2);
    for (const { answer } of house.asked) answer();
    assertEquals(await receive(before), OK);
    assertEquals(await next(proxy), KEPT);
  });
});
