import { assertEquals, assertRejects } from "@std/assert";
import { freePort } from "../../tools/named.ts";
import { AskError, askReport, endpointToAsk } from "../../lib/status/ask.ts";
import { REPORT } from "./sample.ts";

/** A server with one answer, at each of the loopback addresses; its port. */
async function withServer(
  answer: (request: Request) => Response | Promise<Response>,
  body: (port: number) => Promise<void>,
): Promise<void> {
  const onListen = () => {};
  await using ipv4 = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen }, answer);
  const { port } = ipv4.addr;
  await using _ipv6 = Deno.serve({ hostname: "::1", port, onListen }, answer);
  await body(port);
}

Deno.test("askReport() gets the report from where the configuration listens", async () => {
  const asked: string[] = [];
  const answer = ({ url }: Request) => {
    asked.push(url);
    return Response.json(REPORT);
  };
  await withServer(answer, async (port) => {
    const table: [string | undefined, string][] = [
      ["127.0.0.1", "127.0.0.1"],
      ["::1", "[::1]"],
      [undefined, "127.0.0.1"],
      ["0.0.0.0", "127.0.0.1"],
      ["::", "[::1]"],
    ];
    for (const [hostname, host] of table) {
      assertEquals(await askReport({ hostname, port }), REPORT);
      assertEquals(asked.pop(), `http://${host}:${port}/hosts.json`);
    }
  });
});

Deno.test("it is asked where this machine may ask, if there is such a place", () => {
  const table: [hostnames: (string | undefined)[], asked: string | undefined][] = [
    [["192.0.2.1", "127.0.0.1"], "127.0.0.1"],
    [["192.0.2.1", "::1", "127.0.0.1"], "::1"],
    [["192.0.2.1", undefined], undefined],
    [["192.0.2.1", "0.0.0.0"], "0.0.0.0"],
    [["192.0.2.1", "192.0.2.2"], "192.0.2.1"],
  ];
  for (const [hostnames, asked] of table) {
    const endpoints = hostnames.map((hostname) => ({ hostname, port: 9053 }));
    assertEquals(endpointToAsk(endpoints), { hostname: asked, port: 9053 });
  }
  assertEquals(endpointToAsk([]), undefined);
});

Deno.test("askReport() says why it got none", async () => {
  const answers: [() => Response | Promise<Response>, string][] = [
    [() => new Response("not for you\n", { status: 403 }), "PLACE answers 403: not for you"],
    [() => new Response("203.0.113.7"), "what answers on PLACE is not sftdyn's status"],
    [
      () => Response.json({ ...REPORT, hosts: [null] }),
      "what answers on PLACE is not sftdyn's status",
    ],
    [
      () => Response.json({ ...REPORT, since: "\x1b[2J" }),
      "what answers on PLACE is not sftdyn's status",
    ],
    [
      () => Response.json({ ...REPORT, hosts: [{ ...REPORT.hosts[0], answer: 3 }] }),
      "what answers on PLACE is not sftdyn's status",
    ],
    [() => Response.json({ hosts: 3 }), "what answers on PLACE is not sftdyn's status"],
    [() => Response.json(null), "what answers on PLACE is not sftdyn's status"],
  ];
  let next: (() => Response | Promise<Response>) | undefined;
  await withServer(() => next!(), async (port) => {
    const endpoint = { hostname: "127.0.0.1", port };
    for (const [answer, message] of answers) {
      next = answer;
      const error = await assertRejects(() => askReport(endpoint), AskError);
      assertEquals(error.message, message.replace("PLACE", `127.0.0.1:${port}`));
    }
    const late = Promise.withResolvers<Response>();
    next = () => late.promise;
    const error = await assertRejects(() => askReport(endpoint, { timeout: 10 }), AskError);
    assertEquals(error.message, `127.0.0.1:${port}: no answer in 0.01 seconds`);
    late.resolve(new Response());
  });
  const port = freePort();
  const error = await assertRejects(() => askReport({ hostname: undefined, port }), AskError);
  assertEquals(
    error.message,
    `nobody listens on 127.0.0.1:${port}: is sftdyn running, and was it reloaded since status was ` +
      "set? (systemctl status sftdyn)",
  );
});
