import { assert, assertEquals, assertRejects } from "@std/assert";
import { ask, DnsError } from "../../lib/why/dns_client.ts";

/** A header with the question's id, and one question: a.example, A. */
const QUESTION = [1, 97, 7, 101, 120, 97, 109, 112, 108, 101, 0, 0, 1, 0, 1];
const header = (answers: number, flags = 0x84) => [flags, 0, 0, 1, 0, answers, 0, 0, 0, 0];
/** The question's name, A, IN, 30 seconds, four octets. */
const A_RECORD = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 192, 0, 2, 1];

/** Asks one that answers with the question's id and these octets, or with what it makes of the question. */
async function asked(answer: number[] | ((query: Uint8Array) => Uint8Array)) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const served = (async () => {
    const conn = await listener.accept();
    const query = new Uint8Array(512);
    const length = await conn.read(query);
    const message = typeof answer === "function"
      ? answer(query.slice(0, length!))
      : new Uint8Array([0, answer.length + 2, query[2]!, query[3]!, ...answer]);
    if (message.length > 0) await conn.write(message);
    await conn.read(query).catch(() => {});
    conn.close();
  })();
  try {
    const { hostname, port } = listener.addr as Deno.NetAddr;
    return await ask({ address: hostname, port }, "A.example", "A", { timeout: 5000 });
  } finally {
    await served;
    listener.close();
  }
}

Deno.test("ask() reads an answer", async () => {
  assertEquals(await asked([...header(1), ...QUESTION, ...A_RECORD]), {
    rcode: "NOERROR",
    isAuthoritative: true,
    answers: [{ name: "a.example", ttl: 30, type: "A", value: "192.0.2.1" }],
    authorities: [],
    additionals: [],
  });
});

Deno.test("ask() takes nothing else for an answer", async () => {
  const other = "it answers another question";
  const broken = "its answer is no DNS message";
  const cases: [Parameters<typeof asked>[0], string][] = [
    [[...header(0, 0x04), ...QUESTION], other],
    [[...header(0), 1, 98, ...QUESTION.slice(2)], other],
    [[...header(0).fill(0, 3, 4)], other],
    [
      (query) => new Uint8Array([0, 12, query[2]! ^ 1, query[3]!, ...header(0).fill(0, 3, 4)]),
      other,
    ],
    [[...header(9), ...QUESTION, ...A_RECORD], broken],
    // A name that points to itself.
    [[...header(1), ...QUESTION, 0xc0, 12 + QUESTION.length, 0, 1, 0, 1], broken],
    [[1], broken],
  ];
  for (const [answer, message] of cases) {
    await assertRejects(() => asked(answer), DnsError, message);
  }
});

Deno.test("ask() says why there is no answer", async () => {
  const server = { address: "127.0.0.1", port: 53 };
  const failing = (error: unknown, address = "192.0.2.1") =>
    ask({ ...server, address }, "a.example", "A", {
      timeout: 1000,
      connect: () => Promise.reject(error),
    });
  await assertRejects(
    () => failing(new Deno.errors.ConnectionRefused("x")),
    DnsError,
    "connection refused",
  );
  const lost = (code: string) => Object.assign(new Error(code), { code });
  const hasNoRoute = async (address: string, code: string) =>
    (await assertRejects(() => failing(lost(code), address), DnsError, code)).hasNoRoute;
  assert(await hasNoRoute("192.0.2.1", "ENETUNREACH"));
  assert(await hasNoRoute("2001:db8::1", "EHOSTUNREACH"));
  assert(!await hasNoRoute("192.0.2.1", "EHOSTUNREACH"));
  const connect = () => new Promise<never>(() => {});
  await assertRejects(
    () => ask(server, "a.example", "A", { timeout: 20, connect }),
    DnsError,
    "no answer in 0.02 s",
  );
});
