import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { Certificate } from "../../lib/http/certificate.ts";
import { close, writeAll } from "../../lib/http/connection.ts";
import type { Entrance } from "../../lib/http/front_door.ts";
import { HttpPort, HttpsPort, isTaken, ListenError } from "../../lib/http/port.ts";
import { freePort, output } from "../../tools/named.ts";
import { until, within } from "../support.ts";

let folder: string;
let certificate: Certificate;
let other: Certificate;

Deno.test.beforeAll(async () => {
  folder = await Deno.makeTempDir();
  certificate = await makeCertificate("one");
  other = await makeCertificate("other");
});

Deno.test.afterAll(() => Deno.remove(folder, { recursive: true }));

async function makeCertificate(name: string): Promise<Certificate> {
  const options = "req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -days 30 " +
    `-keyout ${folder}/${name}_key.pem -out ${folder}/${name}.pem ` +
    "-subj /CN=dyn.example -addext subjectAltName=IP:127.0.0.1 " +
    "-addext basicConstraints=critical,CA:FALSE";
  await output("openssl", ...options.split(" "));
  return {
    cert: await Deno.readTextFile(`${folder}/${name}.pem`),
    key: await Deno.readTextFile(`${folder}/${name}_key.pem`),
    files: [`${name}.pem`, `${name}_key.pem`],
    notBefore: new Date(0),
    notAfter: new Date(0),
    names: "",
    chainGap: undefined,
  };
}

interface Admitted {
  conn: Deno.Conn;
  entrance: Entrance;
}

/** A front door that keeps whoever comes. */
class FakeDoor {
  readonly admitted: Admitted[] = [];
  rooms = 0;

  readonly admit = (conn: Deno.Conn, entrance: Entrance): void => {
    this.admitted.push({ conn, entrance });
  };

  readonly makeRoom = (): boolean => {
    this.rooms++;
    return false;
  };

  /** Whoever has come from this address; undefined if its connection ended before. */
  find(client: Deno.Conn): Admitted | undefined {
    const { port } = client.localAddr as Deno.NetAddr;
    return this.admitted.find(({ entrance }) => (entrance.address as Deno.NetAddr).port === port);
  }

  async of(client: Deno.Conn): Promise<Admitted> {
    await until("a connection is admitted", () => this.find(client) !== undefined);
    return this.find(client)!;
  }
}

interface Setup {
  port: HttpsPort;
  door: FakeDoor;
  address: { hostname: string; port: number };
  complaints: string[];
  time: { now: number };
}

async function withHttps(run: (setup: Setup) => Promise<void>): Promise<void> {
  const door = new FakeDoor();
  const complaints: string[] = [];
  const time = { now: 1000 };
  const address = { hostname: "127.0.0.1", port: freePort() };
  const parts = {
    door,
    log: { info: () => {} },
    complain: (problem: string) => complaints.push(problem),
    now: () => time.now,
  };
  const port = new HttpsPort("https here", address, parts, certificate);
  try {
    await run({ port, door, address, complaints, time });
  } finally {
    await within(port.stop(), "the end of the port");
    for (const { conn, entrance } of door.admitted) {
      entrance.abandon();
      close(conn);
    }
  }
  Deno.listen(address).close();
}

/** Sends and receives a few octets, both ways. */
async function talk(client: Deno.Conn, { conn }: Admitted): Promise<void> {
  const buffer = new Uint8Array(10);
  for (const [from, to] of [[client, conn], [conn, client]] as const) {
    await writeAll(from, new TextEncoder().encode("hello"));
    assertEquals(await within(to.read(buffer), "the words"), 5);
  }
}

/** A TLS connection over which something was said. */
async function greet({ address, door }: Setup, used: Certificate): Promise<Admitted> {
  using client = await Deno.connectTls({ ...address, caCerts: [used.cert] });
  await within(client.handshake(), "the handshake");
  const admitted = await door.of(client);
  await talk(client, admitted);
  assertEquals(admitted.entrance.address.hostname, "127.0.0.1");
  return admitted;
}

/** Whether the door's connection comes from the client itself. */
function isDirect({ conn, entrance }: Admitted): boolean {
  return (conn.remoteAddr as Deno.NetAddr).port === (entrance.address as Deno.NetAddr).port;
}

/** Waits until connections come in this way: those that come meanwhile may be lost. */
async function comeDirectly(setup: Setup, expected: boolean, used = certificate): Promise<void> {
  await until(expected ? "they come directly" : "they take the detour", async () => {
    try {
      return isDirect(await greet(setup, used)) === expected;
    } catch (error) {
      if (error instanceof Deno.errors.ConnectionRefused) return false;
      if (error instanceof Deno.errors.ConnectionReset) return false;
      throw error;
    }
  });
}

/** Has so many connections stick: they are ended while their handshake has not come. */
async function stick({ address, door }: Setup, count: number): Promise<Deno.Conn[]> {
  const clients: Deno.Conn[] = [];
  for (let i = 0; i < count; i++) clients.push(await Deno.connect(address));
  for (const client of clients) (await door.of(client)).entrance.abandon();
  return clients;
}

async function assertEnded(conn: Deno.Conn): Promise<void> {
  assertEquals(await within(conn.read(new Uint8Array(1)).catch(() => null), "the end"), null);
}

Deno.test("HttpPort hands connections to the door, until it is stopped", async () => {
  const door = new FakeDoor();
  const infos: string[] = [];
  const address = { hostname: "127.0.0.1", port: freePort() };
  const log = { info: (message: string) => infos.push(message) };
  const port = new HttpPort("http here", address, { door, log, complain: () => {} });
  assertEquals(infos, ["listening on http here"]);
  using client = await Deno.connect(address);
  const admitted = await door.of(client);
  await talk(client, admitted);
  admitted.entrance.abandon();
  admitted.entrance.abandon();
  await assertEnded(client);
  await within(port.stop(), "the end");
  await within(port.stop(), "the end, again");
  Deno.listen(address).close();
});

Deno.test("a port that is taken is an error that says so", () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = taken.addr as Deno.NetAddr;
  const parts = { door: new FakeDoor(), log: { info: () => {} }, complain: () => {} };
  const message = "here: already in use by another program";
  for (
    const open of [
      () => new HttpPort("here", address, parts),
      () => new HttpsPort("here", address, parts, certificate),
    ]
  ) assert(isTaken(assertThrows(open, ListenError, message)));
});

Deno.test("HttpsPort hands connections to the door, with its certificate and without HTTP/2", async () => {
  await withHttps(async (setup) => {
    const { address, door } = setup;
    assert(isDirect(await greet(setup, certificate)));
    using client = await Deno.connectTls({
      ...address,
      caCerts: [certificate.cert],
      alpnProtocols: ["h2", "http/1.1"],
    });
    assertEquals((await within(client.handshake(), "it")).alpnProtocol, "http/1.1");
    const { entrance } = await door.of(client);
    entrance.abandon();
    await assertEnded(client);
  });
});

Deno.test("another certificate is for new connections; the others go on", async () => {
  await withHttps(async (setup) => {
    const { address, door, port } = setup;
    using client = await Deno.connectTls({ ...address, caCerts: [certificate.cert] });
    await within(client.handshake(), "the handshake");
    await within(port.setCertificate(other), "the exchange");
    assert(isDirect(await greet(setup, other)));
    await assertRejects(() => greet(setup, certificate), Error, "certificate");
    await talk(client, await door.of(client));
  });
});

Deno.test("several exchanges at a time come one after the other", async () => {
  await withHttps(async (setup) => {
    const exchanges = [other, certificate, other].map((each) => setup.port.setCertificate(each));
    await within(Promise.all(exchanges), "the exchanges");
    await greet(setup, other);
    assertEquals(setup.complaints, []);
  });
});

Deno.test("stop() in the middle of an exchange leaves nothing open", async () => {
  await withHttps(async ({ port }) => {
    const exchange = port.setCertificate(other);
    await within(port.stop(), "the end");
    await within(exchange, "the exchange");
  });
});

Deno.test("a port that cannot be opened again is tried until it can", async () => {
  const { listenTls } = Deno;
  await withHttps(async (setup) => {
    const { port, complaints, door } = setup;
    try {
      Deno.listenTls = () => {
        throw new Deno.errors.AddrInUse();
      };
      const exchange = port.setCertificate(other);
      await until("it complains twice", () => complaints.length > 1);
      Deno.listenTls = listenTls;
      await within(exchange, "the exchange");
    } finally {
      Deno.listenTls = listenTls;
    }
    const complaint = "https here cannot be opened again: already in use by another program";
    assertEquals(new Set(complaints), new Set([complaint]));
    assertEquals(door.rooms, complaints.length);
    await comeDirectly(setup, true, other);
  });
});

Deno.test("a port that a program holds while it is being started is opened without a word", async () => {
  const { listenTls } = Deno;
  await withHttps(async (setup) => {
    const { port, complaints } = setup;
    try {
      Deno.listenTls = () => {
        Deno.listenTls = listenTls;
        throw new Deno.errors.AddrInUse();
      };
      await within(port.setCertificate(other), "the exchange");
      await comeDirectly(setup, true, other);
    } finally {
      Deno.listenTls = listenTls;
    }
    assertEquals(complaints, []);
  });
});

Deno.test("a port that somebody took in between holds up nobody, and is opened when it is free", async () => {
  const { listenTls } = Deno;
  await withHttps(async (setup) => {
    const { address, port, complaints } = setup;
    let thief: Deno.Listener | undefined;
    try {
      Deno.listenTls = (options) => {
        thief ??= Deno.listen(address);
        return listenTls(options);
      };
      await within(port.setCertificate(other), "the exchange, without the port");
      await until("it complains", () => complaints.length > 0);
      const count = complaints.length;
      assertEquals(
        complaints[0],
        "https here cannot be opened again: already in use by another program",
      );
      await until("it is tried on", () => complaints.length > count);
      // Nor is the next change held up, which counts.
      await within(port.setCertificate(certificate), "another exchange");
    } finally {
      Deno.listenTls = listenTls;
      thief?.close();
    }
    await comeDirectly(setup, true, certificate);
    await assertRejects(() => greet(setup, other), Error, "certificate");
  });
});

Deno.test("connections that are ended after their handshake do not stick", async () => {
  await withHttps(async (setup) => {
    const { address, door } = setup;
    const clients: Deno.TlsConn[] = [];
    for (let i = 0; i < 3; i++) {
      const client = await Deno.connectTls({ ...address, caCerts: [certificate.cert] });
      await within(client.handshake(), "the handshake");
      // The door's side of it is over when it has read something.
      await talk(client, await door.of(client));
      clients.push(client);
    }
    // As many as it would take, without the time that so many handshakes take.
    for (const client of clients) {
      for (let i = 0; i < 30; i++) door.find(client)!.entrance.abandon();
    }
    for (const client of clients) {
      await assertEnded(client);
      client.close();
    }
    for (let i = 0; i < 3; i++) assert(isDirect(await greet(setup, certificate)));
  });
});

Deno.test("with 64 stuck in their handshake everything is as before", async () => {
  await withHttps(async (setup) => {
    const stuck = await stick(setup, 64);
    for (let i = 0; i < 3; i++) assert(isDirect(await greet(setup, certificate)));
    for (const client of stuck) client.close();
  });
});

Deno.test("with more, new ones take the detour, where they can be ended, and come back later", async () => {
  await withHttps(async (setup) => {
    const { address, door, port, time, complaints } = setup;
    using before = await Deno.connectTls({ ...address, caCerts: [certificate.cert] });
    await within(before.handshake(), "the handshake");
    await talk(before, await door.of(before));
    const stuck = await stick(setup, 65);
    await comeDirectly(setup, false);
    await talk(before, await door.of(before));

    // A connection in its handshake is ended at once.
    using silent = await Deno.connect(address);
    (await door.of(silent)).entrance.abandon();
    await assertEnded(silent);

    // Several at a time, each with its own address, and one that ends early.
    (await Deno.connect(address)).close();
    const clients = await Promise.all(
      [1, 2, 3].map(() => Deno.connectTls({ ...address, caCerts: [certificate.cert] })),
    );
    await Promise.all(clients.map((client) => within(client.handshake(), "the handshake")));
    for (const client of clients) await talk(client, await door.of(client));
    clients[0]!.close();
    await assertEnded((await door.of(clients[0]!)).conn);
    (await door.of(clients[1]!)).conn.close();
    await assertEnded(clients[1]!);
    clients[1]!.close();

    // Who stays is not touched by another certificate.
    await within(port.setCertificate(other), "the exchange");
    await comeDirectly(setup, false, other);
    await assertRejects(() => greet(setup, certificate), Error, "certificate");
    await talk(clients[2]!, await door.of(clients[2]!));
    clients[2]!.close();

    // While they are stuck, or the time is not over, it stays so.
    time.now += 600_001;
    assert(!isDirect(await greet(setup, other)));
    for (const client of stuck) client.close();
    await comeDirectly(setup, true, other);
    assertEquals(complaints, []);

    // The time begins anew.
    const more = await stick(setup, 65);
    await comeDirectly(setup, false, other);
    for (const client of more) client.close();
    time.now += 599_999;
    for (let i = 0; i < 3; i++) assert(!isDirect(await greet(setup, other)));
    time.now += 2;
    await comeDirectly(setup, true, other);
  });
});

Deno.test("a program of this machine that finds the port of the detour gets nowhere", async () => {
  const listenTls = Deno.listenTls;
  const ports: number[] = [];
  Deno.listenTls = (options) => {
    const listener = listenTls(options);
    ports.push((listener.addr as Deno.NetAddr).port);
    return listener;
  };
  try {
    await withHttps(async (setup) => {
      const stuck = await stick(setup, 65);
      await comeDirectly(setup, false);
      const inner = { hostname: "127.0.0.1", port: ports.at(-1)! };
      const strangers = await Promise.all([1, 2, 3].map(() => Deno.connect(inner)));
      const count = setup.door.admitted.length;
      await greet(setup, certificate);
      assertEquals(setup.door.admitted.length, count + 1);
      for (const conn of [...stuck, ...strangers]) conn.close();
    });
  } finally {
    Deno.listenTls = listenTls;
  }
});

Deno.test("stop() on the detour ends the listeners, and not the connections", async () => {
  await withHttps(async (setup) => {
    const { address, door, port } = setup;
    const stuck = await stick(setup, 65);
    await comeDirectly(setup, false);
    using client = await Deno.connectTls({ ...address, caCerts: [certificate.cert] });
    await within(client.handshake(), "the handshake");
    await within(port.stop(), "the end");
    Deno.listen(address).close();
    await talk(client, await door.of(client));
    for (const each of stuck) each.close();
  });
});

/** Runs while connections take the detour. */
async function onDetour(run: (setup: Setup) => Promise<void>): Promise<void> {
  await withHttps(async (setup) => {
    const stuck = await stick(setup, 65);
    try {
      await comeDirectly(setup, false);
      await run(setup);
    } finally {
      for (const each of stuck) each.close();
    }
  });
}

async function connectTls({ address }: Setup): Promise<Deno.TlsConn> {
  const client = await Deno.connectTls({ ...address, caCerts: [certificate.cert] });
  await within(client.handshake(), "the handshake");
  return client;
}

/** How many octets come until so many have, or the end. */
async function countOf(conn: Deno.Conn, most = Infinity): Promise<number> {
  const part = new Uint8Array(16_384);
  let count = 0;
  while (count < most) {
    const size = await within(conn.read(part), "the next octets");
    if (size === null) break;
    count += size;
  }
  return count;
}

/** The other end has closed it, and does not just send nothing more: what is sent there makes a reset. */
async function assertClosed(client: Deno.Conn): Promise<void> {
  await assertEnded(client);
  await until("what is sent is refused", async () => {
    try {
      await within(client.write(new Uint8Array(10)), "a few octets are sent");
      return false;
    } catch (error) {
      const { BrokenPipe, ConnectionReset } = Deno.errors;
      if (error instanceof BrokenPipe || error instanceof ConnectionReset) return true;
      throw error;
    }
  });
}

Deno.test("whoever sends a large body on the detour gets the answer whole, before and after its end", async () => {
  await onDetour(async (setup) => {
    const size = 1_000_000;
    using client = await connectTls(setup);
    const { conn, entrance } = await setup.door.of(client);
    const sending = writeAll(client, new Uint8Array(size));
    await countOf(conn, 1);
    const answering = writeAll(conn, new Uint8Array(size)).then(() => conn.closeWrite());
    assertEquals(await countOf(client), size);
    await answering;
    // It was answered, and what it sends is still taken, as long as the door takes it.
    const read = countOf(conn, 2 * size - 16_384);
    await within(sending, "the body is sent");
    await within(writeAll(client, new Uint8Array(size)), "more is sent");
    assert(await read >= 2 * size - 16_384, "it was ended before the door did so");
    close(conn);
    entrance.onClose!();
    await assertClosed(client);
  });
});

Deno.test("on the detour a connection is closed on both sides when the door has closed it", async () => {
  await onDetour(async (setup) => {
    using client = await connectTls(setup);
    const admitted = await setup.door.of(client);
    await talk(client, admitted);
    close(admitted.conn);
    admitted.entrance.onClose!();
    await assertClosed(client);
  });
});

Deno.test("on the detour a connection is closed on both sides when it is abandoned", async () => {
  await onDetour(async (setup) => {
    using silent = await Deno.connect(setup.address);
    using client = await connectTls(setup);
    await talk(client, await setup.door.of(client));
    for (const each of [silent, client]) {
      (await setup.door.of(each)).entrance.abandon();
      await assertClosed(each);
    }
  });
});
