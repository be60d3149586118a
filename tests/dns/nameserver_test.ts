import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { type RecordType, TYPES } from "../../lib/dns/dns.ts";
import { parseHostname } from "../../lib/hostname.ts";
import { LookupError, Nameserver, type NameserverOptions } from "../../lib/dns/nameserver.ts";
import { freePort, startNamed } from "../../tools/named.ts";
import { within } from "../support.ts";

/** Milliseconds after which what is waited for will not happen any more. */
const DEADLINE = 10_000;
/** A timeout in which every answer comes that comes at all. */
const LONG = 60_000;

const NAME = parseHostname("a.dyn.example");

/** [name, type, data]; the class is IN and the TTL 0. */
type Record = [string, number, number[]];

const { A, AAAA, CNAME, SOA } = TYPES;
const a = (last: number, name: string = NAME): Record => [name, A, [192, 0, 2, last]];
const soa = (zone: string): Record => [zone, SOA, []];
const cname = (name: string, to: string): Record => [name, CNAME, wireName(to)];

function wireName(name: string): number[] {
  const labels = name.split(".").filter((label) => label !== "");
  return [...labels.flatMap((label) => [label.length, ...new TextEncoder().encode(label)]), 0];
}

interface Question {
  id: number;
  name: string;
  type: RecordType;
  /** Name, type and class. */
  bytes: Uint8Array;
}

interface Answer {
  rcode?: number;
  authoritative?: boolean;
  answers?: Record[];
  authority?: Record[];
}

/** A reply with its length in front. */
function reply(
  { id, bytes }: Question,
  { rcode = 0, authoritative = true, answers = [], authority = [] }: Answer = {},
): Uint8Array {
  const message = [
    ...[id >> 8, id & 0xff, authoritative ? 0x84 : 0x80, rcode, 0, 1],
    ...[0, answers.length, 0, authority.length, 0, 0],
    ...bytes,
    ...[...answers, ...authority].flatMap(([name, type, data]) => [
      ...wireName(name),
      ...[type >> 8, type & 0xff, 0, 1, 0, 0, 0, 0, data.length >> 8, data.length & 0xff],
      ...data,
    ]),
  ];
  return new Uint8Array([message.length >> 8, message.length & 0xff, ...message]);
}

/** The other end of a connection to a fake nameserver. */
class Peer {
  readonly ended: Promise<void>;
  questions = 0;

  constructor(
    readonly conn: Deno.Conn,
    readonly number: number,
    respond: (question: Question, peer: Peer) => unknown,
  ) {
    this.ended = this.#read(respond);
  }

  async send(...parts: Uint8Array[]): Promise<void> {
    for (let bytes of parts) {
      while (bytes.length > 0) bytes = bytes.subarray(await this.conn.write(bytes));
    }
  }

  close(): void {
    try {
      this.conn.close();
    } catch {
      // Closed already.
    }
  }

  async #read(respond: (question: Question, peer: Peer) => unknown): Promise<void> {
    let buffer: number[] = [];
    const chunk = new Uint8Array(65_536);
    try {
      for (let count; (count = await this.conn.read(chunk)) !== null;) {
        buffer.push(...chunk.subarray(0, count));
        for (let end; buffer.length >= (end = 2 + (buffer[0]! << 8 | buffer[1]!));) {
          this.questions++;
          await respond(parseQuestion(Uint8Array.from(buffer.slice(2, end))), this);
          buffer = buffer.slice(end);
        }
      }
    } catch {
      // Reset, or closed by the test.
    }
    this.close();
  }
}

function parseQuestion(message: Uint8Array): Question {
  const labels: string[] = [];
  let at = 12;
  for (let length; (length = message[at]!) > 0; at += length + 1) {
    labels.push(new TextDecoder().decode(message.subarray(at + 1, at + 1 + length)));
  }
  const number = message[at + 1]! << 8 | message[at + 2]!;
  return {
    id: message[0]! << 8 | message[1]!,
    name: labels.join("."),
    type: Object.entries(TYPES).find(([, type]) => type === number)![0] as RecordType,
    bytes: message.slice(12, at + 5),
  };
}

/** Runs a test with a fake nameserver, which does this with each question, and one that asks it. */
async function withFake(
  respond: (question: Question, peer: Peer) => unknown,
  run: (nameserver: Nameserver, peers: Peer[]) => Promise<void>,
  options: NameserverOptions = {},
): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const peers: Peer[] = [];
  const accepting = (async () => {
    for await (const conn of listener) peers.push(new Peer(conn, peers.length, respond));
  })();
  const endpoint = { hostname: "127.0.0.1", port };
  const nameserver = new Nameserver({ endpoint, timeout: LONG, ...options });
  try {
    await run(nameserver, peers);
  } finally {
    await nameserver.close();
    listener.close();
    await accepting;
    for (const peer of peers) peer.close();
    await Promise.all(peers.map(({ ended }) => ended));
  }
}

/** A fake nameserver's behaviour: always this answer. */
const always = (answer: Answer) => (question: Question, peer: Peer) =>
  peer.send(reply(question, answer));

Deno.test("addresses() are those of the name and type, in canonical text", async () => {
  const ipv6 = [0x20, 1, 0xd, 0xb8, ...Array(11).fill(0), 7];
  const table: [Answer, "A" | "AAAA", string[]][] = [
    [{ answers: [a(1)] }, "A", ["192.0.2.1"]],
    [{ answers: [a(1), a(2)] }, "A", ["192.0.2.1", "192.0.2.2"]],
    [{ answers: [["A.Dyn.EXAMPLE", A, [192, 0, 2, 1]]] }, "A", ["192.0.2.1"]],
    [{ answers: [[NAME, AAAA, ipv6]] }, "AAAA", ["2001:db8::7"]],
    [{ answers: [a(1)], authoritative: false }, "A", ["192.0.2.1"]],
    // None.
    [{}, "A", []],
    [{ rcode: 3, authority: [soa("dyn.example")] }, "AAAA", []],
    [{ answers: [a(1)] }, "AAAA", []],
    [{ answers: [a(1, "b.dyn.example")] }, "A", []],
    [{ answers: [cname(NAME, "b.dyn.example"), a(1, "b.dyn.example")] }, "A", []],
    [{ answers: [[NAME, A, [192, 0, 2]]] }, "A", []],
    [{ authority: [a(1)] }, "A", []],
  ];
  for (const [answer, type, addresses] of table) {
    await withFake(always(answer), async (nameserver) => {
      assertEquals([answer, await nameserver.addresses(NAME, type)], [answer, addresses]);
    });
  }
});

Deno.test("zone() is the owner of an authority's SOA record", async () => {
  const table: [Answer, string][] = [
    [{ answers: [soa("a.dyn.example")] }, "a.dyn.example"],
    [{ authority: [soa("dyn.example")] }, "dyn.example"],
    [{ authority: [soa("Dyn.Example")] }, "dyn.example"],
    [{ rcode: 3, authority: [soa("example")] }, "example"],
    [{ rcode: 3, authority: [soa("")] }, ""],
    [{ authority: [a(1), soa("dyn.example")] }, "dyn.example"],
  ];
  for (const [answer, zone] of table) {
    await withFake(always(answer), async (nameserver) => {
      assertEquals(await nameserver.zone(NAME), zone);
    });
  }
});

Deno.test("zone() throws a LookupError if the server has no zone with the name", async () => {
  const none = "it has no zone with this name";
  const alias = "this name is an alias (CNAME) there, and can have no address";
  const table: [Answer, string][] = [
    [{}, none],
    [{ authority: [soa("dyn.example")], authoritative: false }, none],
    [{ answers: [soa("a.dyn.example")], authoritative: false }, none],
    [{ authority: [soa("other.example")] }, none],
    [{ authority: [soa("yn.example")] }, none],
    [{ authority: [soa("x.a.dyn.example")] }, none],
    [{ answers: [cname(NAME, "b.example")], authority: [soa("dyn.example")] }, alias],
    [{ answers: [cname(NAME, "b.dyn.example")], rcode: 3 }, alias],
  ];
  for (const [answer, message] of table) {
    await withFake(always(answer), async (nameserver) => {
      await assertRejects(() => nameserver.zone(NAME), LookupError, message);
    });
  }
});

Deno.test("a response code that is no answer is a LookupError that names it", async () => {
  const table: [number, string][] = [
    [1, "it says FORMERR"],
    [2, "it says SERVFAIL"],
    [5, "it says REFUSED"],
    [9, "it says NOTAUTH"],
    [11, "it says 11"],
  ];
  for (const [rcode, message] of table) {
    const answer = { rcode, answers: [a(1), soa("dyn.example")] };
    await withFake(always(answer), async (nameserver) => {
      await assertRejects(() => nameserver.addresses(NAME, "A"), LookupError, message);
      await assertRejects(() => nameserver.zone(NAME), LookupError, message);
    });
  }
});

Deno.test("no answer in time is a LookupError", async () => {
  await withFake(() => {}, async (nameserver) => {
    const asking = () => nameserver.addresses(NAME, "A");
    await assertRejects(asking, LookupError, "no answer in 0.02 s");
  }, { timeout: 20 });
});

Deno.test("after a question without an answer the next is asked on a new connection", async () => {
  // As after a nameserver's machine lost power: nothing tells the connection that it is dead.
  const respond = (question: Question, peer: Peer) =>
    peer.number > 0 && always({ answers: [a(1)] })(question, peer);
  await withFake(respond, async (nameserver) => {
    await assertRejects(() => nameserver.addresses(NAME, "A"), LookupError, "no answer");
    assertEquals(await nameserver.addresses(NAME, "A"), ["192.0.2.1"]);
  }, { timeout: 200 });
});

Deno.test("questions share a connection, whoever asks them and when", async () => {
  await withFake(always({ answers: [a(1)] }), async (nameserver, peers) => {
    for (let i = 0; i < 3; i++) await nameserver.addresses(NAME, "A");
    assertEquals(peers.map(({ questions }) => questions), [3]);
    assertEquals(nameserver.reachedAt(), "127.0.0.1");
  });
});

Deno.test("two hundred questions at once go over one connection, each to its own answer", async () => {
  const asked = [...Array(200).keys()];
  const respond = ({ name, ...question }: Question, peer: Peer) =>
    peer.send(reply({ name, ...question }, { answers: [a(Number(name.slice(1, 4)), name)] }));
  await withFake(respond, async (nameserver, peers) => {
    const found = await Promise.all(asked.map((i) => {
      const name = parseHostname(`h${`${i}`.padStart(3, "0")}.dyn.example`);
      return nameserver.addresses(name, "A");
    }));
    assertEquals(found, asked.map((i) => [`192.0.2.${i}`]));
    assertEquals(peers.length, 1);
  });
});

Deno.test("answers may come out of order, together, and with ones that nobody asked for", async () => {
  const questions: Question[] = [];
  const respond = async (question: Question, peer: Peer) => {
    if (questions.push(question) < 3) return;
    const stray = { ...question, id: (question.id + 1000) & 0xffff };
    const bytes = [stray, ...questions.toReversed(), questions[0]!].flatMap((each) => [
      ...reply(each, { answers: [a(each.name.charCodeAt(0), each.name)] }),
    ]);
    await peer.send(Uint8Array.from(bytes));
  };
  await withFake(respond, async (nameserver) => {
    const found = await Promise.all(
      ["x", "y", "z"].map((label) =>
        nameserver.addresses(parseHostname(`${label}.dyn.example`), "A")
      ),
    );
    assertEquals(found, [["192.0.2.120"], ["192.0.2.121"], ["192.0.2.122"]]);
  });
});

Deno.test("answers and questions may come in single bytes", async () => {
  const respond = async (question: Question, peer: Peer) => {
    for (const byte of reply(question, { answers: [a(1)] })) await peer.send(Uint8Array.of(byte));
  };
  const connect = async (options: Deno.ConnectOptions) => {
    const conn = await Deno.connect(options);
    return {
      remoteAddr: conn.remoteAddr,
      read: (bytes: Uint8Array) => conn.read(bytes.subarray(0, 1)),
      write: (bytes: Uint8Array) => conn.write(bytes.subarray(0, 1)),
      close: () => conn.close(),
    } as unknown as Deno.Conn;
  };
  await withFake(respond, async (nameserver, peers) => {
    const found = await Promise.all([1, 2, 3].map(() => nameserver.addresses(NAME, "A")));
    assertEquals(found, [["192.0.2.1"], ["192.0.2.1"], ["192.0.2.1"]]);
    assertEquals(peers.length, 1);
  }, { connect });
});

Deno.test("a question on a connection that the server has closed is asked again on a new one", async () => {
  // The second question is still sent on the first connection, and lost with it.
  const respond = (question: Question, peer: Peer) => {
    if (peer.number === 0 && peer.questions === 2) peer.close();
    else return peer.send(reply(question, { answers: [a(peer.number)] }));
  };
  await withFake(respond, async (nameserver, peers) => {
    assertEquals(await nameserver.addresses(NAME, "A"), ["192.0.2.0"]);
    assertEquals(await nameserver.addresses(NAME, "A"), ["192.0.2.1"]);
    assertEquals(peers.length, 2);
  });
});

Deno.test("a server that closes after every answer is asked on a new connection each time", async () => {
  const respond = async (question: Question, peer: Peer) => {
    await peer.send(reply(question, { answers: [a(peer.number)] }));
    peer.close();
  };
  await withFake(respond, async (nameserver) => {
    for (let i = 0; i < 3; i++) {
      assertEquals(await nameserver.addresses(NAME, "A"), [`192.0.2.${i}`]);
    }
  });
});

Deno.test("a server that closes at every question is a LookupError", async () => {
  await withFake((_, peer) => peer.close(), async (nameserver, peers) => {
    for (let i = 0; i < 2; i++) {
      const asking = () => nameserver.addresses(NAME, "A");
      await assertRejects(asking, LookupError, "it closed the connection");
    }
    const all = await Promise.allSettled([1, 2, 3].map(() => nameserver.addresses(NAME, "A")));
    assertEquals(all.map(({ status }) => status), ["rejected", "rejected", "rejected"]);
    assert(peers.length <= 6, `${peers.length} connections`);
  });
});

Deno.test("what is not DNS is a LookupError", async () => {
  const table: ((question: Question) => Uint8Array)[] = [
    () => Uint8Array.of(0, 0),
    () => Uint8Array.of(0, 3, 1, 2, 3),
    // The question itself.
    ({ id, bytes }) =>
      Uint8Array.of(
        0,
        12 + bytes.length,
        id >> 8,
        id & 255,
        0,
        0,
        0,
        1,
        0,
        0,
        0,
        0,
        0,
        0,
        ...bytes,
      ),
    // A record that goes beyond the end.
    (question) => {
      const good = reply(question, { answers: [a(1)] });
      good[good.length - 5] = 200;
      return good;
    },
  ];
  for (const garbage of table) {
    await withFake((question, peer) => peer.send(garbage(question)), async (nameserver, peers) => {
      await assertRejects(() => nameserver.addresses(NAME, "A"), LookupError);
      await within(peers[0]!.ended, "the end of the connection");
    });
  }
});

Deno.test("another protocol's answer is a LookupError once it is over, or in time", async () => {
  const http = new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
  const closing = async (_: Question, peer: Peer) => {
    await peer.send(http);
    peer.close();
  };
  await withFake(closing, async (nameserver) => {
    await assertRejects(() => nameserver.addresses(NAME, "A"), LookupError, "closed");
  });
  await withFake((_, peer) => peer.send(http), async (nameserver) => {
    await assertRejects(() => nameserver.addresses(NAME, "A"), LookupError, "no answer");
  }, { timeout: 50 });
});

Deno.test("an idle connection is closed, and the next question opens one", async () => {
  await withFake(always({ answers: [a(1)] }), async (nameserver, peers) => {
    for (let i = 0; i < 2; i++) {
      assertEquals(await nameserver.addresses(NAME, "A"), ["192.0.2.1"]);
      await within(peers[i]!.ended, "the end of the connection");
    }
    assertEquals(peers.length, 2);
  }, { idle: 10 });
});

Deno.test("a nameserver that does not listen is a LookupError that names it", async () => {
  for (const hostname of ["127.0.0.1", "::1", "localhost"]) {
    const port = freePort();
    const nameserver = new Nameserver({ endpoint: { hostname, port } });
    const where = hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
    const message = `nothing answers at ${where}`;
    await assertRejects(() => nameserver.zone(NAME), LookupError, message);
    const all = await Promise.allSettled([1, 2, 3].map(() => nameserver.addresses(NAME, "A")));
    for (const one of all) {
      assert(one.status === "rejected");
      assertStringIncludes(one.reason.message, message);
    }
    assertEquals(nameserver.reachedAt(), undefined);
    await nameserver.close();
  }
});

Deno.test("a connection that cannot be made for another reason is a LookupError that says it", async () => {
  for (const failure of [new Error("no route to host"), "no route to host"]) {
    const nameserver = new Nameserver({
      endpoint: { hostname: "ns.example", port: 5353 },
      connect: () => Promise.reject(failure),
    });
    const message = "ns.example:5353: no route to host";
    await assertRejects(() => nameserver.zone(NAME), LookupError, message);
  }
});

Deno.test("a connection on which nothing can be written is a LookupError", async () => {
  const closed = Promise.withResolvers<null>();
  const conn = {
    remoteAddr: { hostname: "127.0.0.1" },
    read: () => closed.promise,
    write: () => Promise.reject(new Error("broken pipe")),
    close: () => closed.resolve(null),
  } as unknown as Deno.Conn;
  const nameserver = new Nameserver({ connect: () => Promise.resolve(conn) });
  await assertRejects(() => nameserver.zone(NAME), LookupError, "it closed the connection");
});

Deno.test("the local nameserver is sought at 127.0.0.1, then at ::1", async () => {
  const sought: string[] = [];
  const refuse = ({ hostname, port }: Deno.ConnectOptions) => {
    sought.push(`${hostname} ${port}`);
    return Promise.reject(new Deno.errors.ConnectionRefused("refused"));
  };
  const message = "nothing answers at 127.0.0.1:53";
  const dead = new Nameserver({ connect: refuse });
  await assertRejects(() => dead.zone(NAME), LookupError, message);
  assertEquals(sought, ["127.0.0.1 53", "::1 53"]);

  using listener = Deno.listen({ hostname: "::1", port: 0 });
  const accepting = listener.accept();
  const onlyIpv6 = (options: Deno.ConnectOptions) =>
    options.hostname === "::1"
      ? Deno.connect({ hostname: "::1", port: (listener.addr as Deno.NetAddr).port })
      : refuse(options);
  const nameserver = new Nameserver({ timeout: LONG, connect: onlyIpv6 });
  const asking = nameserver.addresses(NAME, "A");
  const peer = new Peer(await accepting, 0, always({ answers: [a(1)] }));
  assertEquals(await asking, ["192.0.2.1"]);
  assertEquals(nameserver.reachedAt(), "::1");
  await nameserver.close();
  await peer.ended;
});

Deno.test("close() ends the connection and refuses what waits", async () => {
  const asked = Promise.withResolvers<void>();
  await withFake(() => asked.resolve(), async (nameserver, peers) => {
    const asking = assertRejects(() => nameserver.zone(NAME), LookupError, "closed");
    await within(asked.promise, "the question");
    await nameserver.close();
    await within(asking, "its end");
    await within(peers[0]!.ended, "the end of the connection");
    await nameserver.close();
  });
});

Deno.test("close() opens no new connection for what waits on one that is in use", async () => {
  const asked = Promise.withResolvers<void>();
  const respond = (question: Question, peer: Peer) => {
    if (question.type === "A") return peer.send(reply(question));
    asked.resolve();
  };
  await withFake(respond, async (nameserver, peers) => {
    await nameserver.addresses(NAME, "A");
    const asking = nameserver.zone(NAME);
    const rejected = assertRejects(() => asking, LookupError, "closed");
    await within(asked.promise, "the question");
    await nameserver.close();
    await rejected;
    assertEquals(peers.length, 1);
  }, { timeout: 1000 });
});

Deno.test("close() does not wait for a connection that is not made", async () => {
  const connecting = Promise.withResolvers<Deno.Conn>();
  const nameserver = new Nameserver({ timeout: 20, connect: () => connecting.promise });
  await assertRejects(() => nameserver.zone(NAME), LookupError, "no answer in 0.02 s");
  try {
    await within(nameserver.close(), "the end");
  } finally {
    connecting.reject(new Deno.errors.TimedOut("timed out"));
  }
});

Deno.test("close() without a connection does nothing", async () => {
  await new Nameserver().close();
});

Deno.test("a real BIND is asked for addresses and zones, and asked again after its restart", async () => {
  const named = await startNamed({ zones: ["dyn.example", "other.example"] });
  const endpoint = { hostname: "127.0.0.1", port: named.port };
  const nameserver = new Nameserver({ endpoint, timeout: DEADLINE });
  try {
    const nsupdate = new Deno.Command("nsupdate", {
      args: ["-k", named.keyFile],
      stdin: "piped",
    }).spawn();
    const writer = nsupdate.stdin.getWriter();
    await writer.write(new TextEncoder().encode(`server 127.0.0.1 ${named.port}
zone dyn.example
update add a.dyn.example 60 A 192.0.2.1
update add a.dyn.example 60 A 192.0.2.2
update add a.dyn.example 60 AAAA 2001:db8:0:0::7
update add alias.dyn.example 60 CNAME a.dyn.example
update add sub.dyn.example 60 NS ns.elsewhere.example
send
`));
    await writer.close();
    assert((await nsupdate.status).success);

    const addresses: [string, "A" | "AAAA", string[]][] = [
      ["a.dyn.example", "A", ["192.0.2.1", "192.0.2.2"]],
      ["a.dyn.example", "AAAA", ["2001:db8::7"]],
      ["ns.dyn.example", "A", ["127.0.0.1"]],
      ["ns.dyn.example", "AAAA", []],
      ["nobody.dyn.example", "A", []],
      ["alias.dyn.example", "A", []],
    ];
    for (const [name, type, expected] of addresses) {
      const found = await nameserver.addresses(parseHostname(name), type);
      assertEquals([name, type, found.toSorted()], [name, type, expected]);
    }
    const zones: [string, string][] = [
      ["a.dyn.example", "dyn.example"],
      ["dyn.example", "dyn.example"],
      ["x.y.nobody.dyn.example", "dyn.example"],
      ["h.other.example", "other.example"],
    ];
    for (const [name, zone] of zones) {
      assertEquals(await nameserver.zone(parseHostname(name)), zone);
    }
    const faults: [string, string][] = [
      ["h.elsewhere.example", "it says REFUSED"],
      ["h.sub.dyn.example", "it has no zone with this name"],
      ["alias.dyn.example", "this name is an alias (CNAME) there"],
    ];
    for (const [name, message] of faults) {
      await assertRejects(() => nameserver.zone(parseHostname(name)), LookupError, message);
    }
    const many = [...Array(200).keys()].map((i) => parseHostname(`h${i}.other.example`));
    const found = await Promise.all(many.map((name) => nameserver.zone(name)));
    assertEquals(found, many.map(() => "other.example"));

    named.kill("SIGKILL");
    await named.restart();
    assertEquals(await nameserver.zone(parseHostname("h.other.example")), "other.example");
  } finally {
    await nameserver.close();
    await named.stop();
  }
});
