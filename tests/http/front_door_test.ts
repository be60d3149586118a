import { assert, assertEquals } from "@std/assert";
import { parseNetwork } from "../../lib/address.ts";
import { close } from "../../lib/http/connection.ts";
import { FrontDoor, type FrontDoorOptions } from "../../lib/http/front_door.ts";
import { Line } from "../../lib/http/server.ts";
import { settle } from "../fake_time.ts";
import { until, within } from "../support.ts";

const OK = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nOK";
const GET = "GET /k HTTP/1.1\r\nHost: h\r\n\r\n";

/** A character an octet. */
function bytes(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

interface Asked {
  head: string;
  client: string;
  method: string | undefined;
  answer: (text?: string) => void;
  fail: (message: string) => void;
}

/** What the server has of a proxy's connection. */
interface Opened {
  line: Line;
  /** The server's end of it. */
  far: Deno.TcpConn;
  hasClosed: () => boolean;
}

/** Both ends of a connection. */
async function pair(): Promise<[Deno.TcpConn, Deno.TcpConn]> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  return await Promise.all([Deno.connect({ hostname: "127.0.0.1", port }), listener.accept()]);
}

interface House {
  door: FrontDoor;
  /** Opens a connection, and sends this. */
  enter(text: string, from?: string): Promise<Deno.TcpConn>;
  /** What the server was asked. */
  asked: Asked[];
  opened: Opened[];
  warnings: string[];
  complaints: string[];
  /** How many were ended before their request had come. */
  abandoned: () => number;
  /** Lets time pass. */
  pass(ms: number): Promise<void>;
  /** Waits until it has read so much of what was sent. */
  hasRead(count: number): Promise<void>;
}

/** Runs with a front door, whose server answers when the test says so; ends all connections. */
async function withDoor(
  options: Partial<FrontDoorOptions>,
  run: (house: House) => Promise<void>,
): Promise<void> {
  const asked: Asked[] = [], opened: Opened[] = [], conns: Deno.Conn[] = [];
  const warnings: string[] = [], complaints: string[] = [];
  let now = 1000, abandoned = 0, read = 0;
  const delays = new Set<{ at: number; resolve: () => void }>();
  const door = new FrontDoor({
    server: {
      answer: (head, { remoteAddr }, method) => {
        const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
        asked.push({
          head: new TextDecoder("latin1").decode(head),
          client: remoteAddr.hostname,
          method,
          answer: (text = OK) => resolve(bytes(text)),
          fail: (message) => reject(new Error(message)),
        });
        return promise;
      },
      open: async (client) => {
        const [conn, far] = await pair();
        let hasClosed = false;
        const line = new Line(conn, client, () => hasClosed = true);
        opened.push({ line, far, hasClosed: () => hasClosed });
        return line;
      },
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
      const abandon = () => {
        abandoned++;
        close(other);
      };
      door.admit(other, { address: { hostname }, abandon });
      await conn.write(bytes(text));
      return conn;
    },
    asked,
    opened,
    warnings,
    complaints,
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
    hasRead: (count) => until(`${count} octets are read, of ${read}`, () => read >= count),
  };
  try {
    await run(house);
  } finally {
    door.hangUp();
    for (const { fail } of asked) fail("the test is over");
    for (const conn of [...conns, ...opened.map(({ far }) => far)]) close(conn);
    await house.pass(60_000);
  }
}

/** All that comes until the end; a reset is one, too. */
async function receive(conn: Deno.Conn): Promise<string> {
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

/** Reads so much. */
async function readText(conn: Deno.Conn, length: number): Promise<string> {
  let text = "";
  while (text.length < length) {
    const buffer = new Uint8Array(length - text.length);
    const count = await within(conn.read(buffer), `more than ${text}`);
    assert(count !== null, text);
    text += new TextDecoder().decode(buffer.subarray(0, count));
  }
  return text;
}

/** Opens a proxy's connection, and waits until it is relayed. */
async function enterAsProxy(house: House, from = "10.0.0.1"): Promise<Deno.TcpConn & Opened> {
  const count = house.opened.length;
  const conn = await house.enter("", from);
  await until("it is relayed", () => house.opened.length > count);
  await settle();
  return Object.assign(conn, house.opened[count]);
}

function isAsked({ asked }: House, count: number): Promise<void> {
  return until(`${count} requests, of ${asked.length}`, () => asked.length >= count);
}

Deno.test("a request is handed on with its client, and its answer comes back", async () => {
  await withDoor({}, async (house) => {
    const conn = await house.enter("HEAD /k HTTP/1.0\nConnection: x\nA: b\n\n", "2001:db8::1");
    await isAsked(house, 1);
    const [{ head, client, method, answer }] = house.asked as [Asked];
    assertEquals([head, client, method], [
      "HEAD /k HTTP/1.1\r\nA: b\r\n\r\n",
      "2001:db8::1",
      "HEAD",
    ]);
    answer();
    assertEquals(await receive(conn), OK);
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
    assertEquals(house.asked[0]!.head, GET);
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
    assertEquals(house.abandoned(), 0);
    const late = await house.enter("GET");
    await house.hasRead(20);
    await house.pass(1001);
    assertEquals(house.abandoned(), 2);
    for (const conn of conns) assertEquals(await receive(conn), "");
    await house.pass(9500);
    assertEquals(await receive(late), "");
    assertEquals([house.abandoned(), house.asked.length], [3, 0]);
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
      const expected = isTaken ? "HTTP/1.1 200 " : "HTTP/1.1 431 ";
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
      assert(answer.startsWith(`HTTP/1.1 ${status} `), answer);
      assert(answer.endsWith("\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"), answer);
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
      assert(!house.asked[0]!.head.includes("smuggled"));
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
      "too many connections: closed one of 192.0.2.1, which has 2 of 3 connections",
    ]);
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
      "too many connections: closed one of 192.0.2.2, which has 1 of 3 connections",
      "too many connections: closed one of 192.0.2.5, which has 0 of 3 connections",
    ]);
  });
});

Deno.test("where a request cannot be answered, two who wait go, and not all", async () => {
  await withDoor({}, async (house) => {
    for (let i = 2; i < 8; i++) await house.enter("x", `192.0.2.${i}`);
    const conn = await house.enter(GET);
    for (let i = 1; i <= 3; i++) {
      await isAsked(house, i);
      house.asked[i - 1]!.fail("no descriptor");
    }
    assertEquals(await receive(conn), "");
    assertEquals([house.asked.length, house.abandoned()], [3, 2]);
    assertEquals(house.complaints, Array(3).fill("a request could not be answered: no descriptor"));
  });
});

Deno.test("where room helps, the request is answered", async () => {
  await withDoor({}, async (house) => {
    await house.enter("x", "192.0.2.2");
    const conn = await house.enter(GET);
    await isAsked(house, 1);
    house.asked[0]!.fail("no descriptor");
    await isAsked(house, 2);
    house.asked[1]!.answer();
    assertEquals(await receive(conn), OK);
    assertEquals(house.abandoned(), 1);
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
    assertEquals([house.abandoned(), hasStopped], [3, false]);
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
    const conn = await house.enter(GET);
    const proxy = await enterAsProxy(house);
    await isAsked(house, 1);
    proxy.line.begin();
    const stopping = house.door.stop();
    house.door.hangUp();
    await within(stopping, "the end");
    assertEquals(await receive(conn), "");
    assertEquals(await receive(proxy), "");
    assertEquals(proxy.hasClosed(), true);
    house.asked[0]!.fail("the server was stopped");
    await settle();
    assertEquals(house.complaints, []);
  });
});

Deno.test("a proxy's connection is relayed, and has no deadline and no share", async () => {
  await withDoor({}, async (house) => {
    const proxies = [];
    for (let i = 0; i < 5; i++) proxies.push(await enterAsProxy(house));
    await house.pass(60_000);
    for (const conn of proxies) {
      await conn.write(bytes(GET));
      assertEquals(await readText(conn.far, GET.length), GET);
      await conn.far.write(bytes(OK));
      assertEquals(await readText(conn, OK.length), OK);
      assertEquals(conn.line.client.remoteAddr.hostname, "10.0.0.1");
    }
    assertEquals([house.warnings, house.asked.length], [[], 0]);
    proxies[0]!.far.close();
    assertEquals(await receive(proxies[0]!), "");
    assertEquals(proxies.map(({ hasClosed }) => hasClosed()), [true, false, false, false, false]);
  });
});

Deno.test("when proxies have too many, the one that is idle longest goes", async () => {
  await withDoor({ maxConnections: 3 }, async (house) => {
    const [a, b, c] = [
      await enterAsProxy(house),
      await enterAsProxy(house),
      await enterAsProxy(house),
    ];
    await a.write(bytes(GET));
    await readText(a.far, GET.length);
    await a.far.write(bytes(OK));
    await readText(a, OK.length);
    b.line.begin();
    const d = await enterAsProxy(house, "10.9.9.9");
    assertEquals(await receive(c), "");
    assertEquals([a, b, c, d].map(({ hasClosed }) => hasClosed()), [false, false, true, false]);
    // None is idle.
    for (const { line } of [a, d]) line.begin();
    const refused = await house.enter("", "::ffff:10.0.0.1");
    assertEquals(await receive(refused), "");
    assertEquals(house.warnings, [
      "refused a connection of ::ffff:10.0.0.1: proxies have too many",
    ]);
  });
});

Deno.test("proxies' connections are counted before they are relayed", async () => {
  const opening = Promise.withResolvers<Line>();
  const server = {
    answer: () => Promise.reject(new Error("not asked")),
    open: () => opening.promise,
  };
  await withDoor({ server, maxConnections: 3 }, async (house) => {
    for (let i = 0; i < 5; i++) await house.enter("", "10.0.0.1");
    assertEquals([house.warnings.length, house.abandoned()], [2, 2]);
    opening.reject(new Error("no descriptor"));
    await settle();
    assertEquals([house.complaints.length, house.abandoned()], [3, 5]);
  });
});

Deno.test("a proxy's connection that comes while everything is stopped is no complaint", async () => {
  const opening = Promise.withResolvers<Line>();
  const server = {
    answer: () => Promise.reject(new Error("not asked")),
    open: () => opening.promise,
  };
  await withDoor({ server }, async (house) => {
    const conn = await house.enter("", "10.0.0.1");
    await within(house.door.stop(), "the end");
    opening.reject(new Error("the server was stopped"));
    assertEquals(await receive(conn), "");
    assertEquals([house.complaints, house.abandoned()], [[], 1]);
  });
});

Deno.test("a proxy's connection that cannot be relayed is closed, and is a complaint", async () => {
  const server = {
    answer: () => Promise.reject(new Error("not asked")),
    open: () => Promise.reject(new Error("no descriptor")),
  };
  await withDoor({ server }, async (house) => {
    assertEquals(await receive(await house.enter("", "10.0.0.1")), "");
    assertEquals(house.complaints, [
      "a proxy's connection could not be relayed: no descriptor",
    ]);
  });
});

Deno.test("stop() ends proxies' connections, and waits for those that have a request", async () => {
  await withDoor({}, async (house) => {
    const [idle, busy] = [await enterAsProxy(house), await enterAsProxy(house)];
    await busy.write(bytes(GET));
    await readText(busy.far, GET.length);
    busy.line.begin();
    let hasStopped = false;
    const stopping = house.door.stop().then(() => hasStopped = true);
    assertEquals(await receive(idle), "");
    assertEquals([idle.hasClosed(), busy.hasClosed(), hasStopped], [true, false, false]);
    busy.line.done();
    await busy.far.write(bytes(OK));
    assertEquals(await receive(busy.far), "");
    busy.far.close();
    assertEquals(await receive(busy), OK);
    await within(stopping, "the end");
  });
});

Deno.test("who is no longer a trusted proxy is relayed no longer", async () => {
  await withDoor({}, async (house) => {
    const [gone, stays] = [await enterAsProxy(house), await enterAsProxy(house, "10.2.0.1")];
    house.door.settings = { trustedProxies: [parseNetwork("10.2.0.0/16")!], maxConnections: 64 };
    assertEquals(await receive(gone.far), "");
    gone.far.close();
    assertEquals(await receive(gone), "");
    assertEquals([gone.hasClosed(), stays.hasClosed()], [true, false]);
  });
});

Deno.test("makeRoom() ends a stranger who waits, then a proxy's idle connection, then nothing", async () => {
  await withDoor({}, async (house) => {
    const proxy = await enterAsProxy(house);
    await house.enter("");
    const conn = await house.enter(GET, "192.0.2.2");
    await isAsked(house, 1);
    const { door } = house;
    assertEquals([door.makeRoom(), house.abandoned()], [true, 1]);
    assertEquals([door.makeRoom(), proxy.hasClosed()], [true, true]);
    assertEquals(door.makeRoom(), false);
    house.asked[0]!.answer();
    assertEquals(await receive(conn), OK);
  });
});

Deno.test("other settings apply to those who come from then on", async () => {
  await withDoor({}, async (house) => {
    const before = await house.enter("", "192.0.2.1");
    house.door.settings = { trustedProxies: [parseNetwork("192.0.2.0/24")!], maxConnections: 32 };
    await enterAsProxy(house, "192.0.2.1");
    const first = await house.enter("a", "10.0.0.1");
    await house.enter("b", "10.0.0.1");
    assertEquals(await receive(first), "");
    await before.write(bytes(GET));
    await isAsked(house, 1);
    house.asked[0]!.answer();
    assertEquals(await receive(before), OK);
  });
});
