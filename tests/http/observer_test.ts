import { assertEquals } from "@std/assert";
import { parseNetwork } from "../../lib/address.ts";
import { Calls } from "../../lib/calls.ts";
import { Clients, digest } from "../../lib/clients.ts";
import type { Result } from "../../lib/dns/updater.ts";
import { parseHostname } from "../../lib/hostname.ts";
import { createHandler } from "../../lib/http/handler.ts";
import { Observer } from "../../lib/http/observer.ts";
import { parseInterfaceId } from "../../lib/prefix.ts";
import { createLog } from "../../lib/log.ts";

const [a, b] = ["a.dyn.example", "b.dyn.example"].map(parseHostname) as [
  ReturnType<typeof parseHostname>,
  ReturnType<typeof parseHostname>,
];

/** What is known after these requests, where b cannot be set. */
async function after(...requests: [target: string, from?: string, password?: string][]) {
  const clients = new Clients();
  const hosts = [{ name: a, ttl: 30 }, { name: b, ttl: 30 }];
  clients.add(digest("both"), { hosts, address: "request" });
  const nas = { name: b, ttl: 30, id: parseInterfaceId("::1") };
  clients.add(digest("house"), {
    hosts: hosts.slice(0, 1),
    address: "request",
    prefix: { length: 64, hosts: [nas] },
  });
  clients.add(digest("one"), { hosts: hosts.slice(0, 1), limits: { family: 4 } });
  const calls = new Calls({ now: () => 5, clock: () => 0 });
  const observer = new Observer(calls);
  const handler = createHandler({
    clients,
    updater: {
      set: (changes) =>
        changes.map(({ name, type }): Result => name === a ? "OK" : type === "A" ? "FAIL" : "BUSY"),
    },
    log: createLog({ write: () => {} }),
    trustedProxies: [parseNetwork("10.0.0.1")!],
    proxyHeader: "X-Forwarded-For",
    dyndns2: { paths: ["/nic/update"] },
    observer,
  });
  for (const [target, from = "192.0.2.1", password] of requests) {
    const authorization = `Basic ${btoa(`x:${password}`)}`;
    const headers = new Headers(password === undefined ? {} : { authorization });
    await handler({ method: target === "POST" ? target : "GET", target, headers }, from);
  }
  const requestsSeen = [...observer.requests].map(({ protocol, status, count }) =>
    `${protocol} ${status} ${count}`
  );
  const results = [...observer.results].filter(([, count]) => count > 0);
  return { calls, requests: requestsSeen, results };
}

Deno.test("a call is known with each host's own result", async () => {
  const { calls, requests, results } = await after(["/both"], ["/both", "2001:db8::1"]);
  assertEquals([calls.of(a)?.answer, calls.of(b)?.answer], ["OK", "BUSY"]);
  assertEquals([calls.of(a)?.from, calls.of(a)?.calledAt], ["2001:db8::1", 5]);
  assertEquals(requests, ["secret_url 500 1", "secret_url 503 1"]);
  assertEquals(results, [["OK", 2], ["FAIL", 1], ["BUSY", 1]]);
});

Deno.test("of several records of a host the worst result is known", async () => {
  const { calls, results } = await after(["/both?myip=192.0.2.1,2001:db8::1"]);
  assertEquals([calls.of(a)?.answer, calls.of(b)?.answer], ["OK", "FAIL"]);
  assertEquals(results, [["OK", 2], ["FAIL", 1], ["BUSY", 1]]);
});

Deno.test("a call that asks for nothing is UPTODATE, as its answer is", async () => {
  const { calls, requests, results } = await after(["/both?myip=preserve"]);
  assertEquals([calls.of(a)?.answer, calls.of(b)?.answer], ["UPTODATE", "UPTODATE"]);
  assertEquals([requests, results], [["secret_url 200 1"], []]);
});

Deno.test("a call whose address is not taken is a call", async () => {
  const named = await after(["/both?myip=999"]);
  assertEquals([named.calls.of(a)?.answer, named.calls.of(b)?.answer], ["BADIP", "BADIP"]);
  assertEquals([named.requests, named.results], [["secret_url 400 1"], []]);
  const own = await after(["/one", "2001:db8::1"]);
  assertEquals(own.calls.of(a)?.answer, "FAIL");
});

Deno.test("a call through a proxy that does not say whose it is is a call", async () => {
  for (
    const request of [
      ["/both", "10.0.0.1"],
      ["/nic/update?hostname=a.dyn.example", "10.0.0.1", "both"],
    ] as const
  ) {
    const { calls } = await after([...request]);
    assertEquals([calls.of(a)?.answer, calls.of(a)?.from], ["FAIL", "a client behind 10.0.0.1"]);
    assertEquals(calls.of(b)?.answer, request[0] === "/both" ? "FAIL" : undefined);
  }
});

Deno.test("every answer is counted, by protocol and status", async () => {
  const { calls, requests } = await after(
    ["/wrong"],
    ["/"],
    ["POST"],
    ["/one"],
    ["/nic/update?hostname=a.dyn.example", "192.0.2.1", "wrong"],
    ["/nic/update?hostname=a.dyn.example", "192.0.2.1", "one"],
    ["/nic/update?hostname=a.dyn.example", "192.0.2.1", "one"],
  );
  assertEquals(requests, [
    "secret_url 403 1",
    "secret_url 200 2",
    "none 405 1",
    "dyndns2 401 1",
    "dyndns2 200 2",
  ]);
  assertEquals(calls.of(a)?.answer, "OK");
});

Deno.test("a host behind the router has called where the request brings a prefix", async () => {
  const target = "/house?myip=192.0.2.9";
  const household = await after([`${target}&prefix=2001:db8::/64`]);
  assertEquals([household.calls.of(a)?.answer, household.calls.of(b)?.answer], ["OK", "BUSY"]);
  assertEquals(household.results, [["OK", 1], ["BUSY", 1]]);
  const without = await after([target]);
  assertEquals([without.calls.of(a)?.answer, without.calls.of(b)], ["OK", undefined]);
});

Deno.test("over dyndns2 only the hosts that were asked for have called", async () => {
  for (const [query, answer] of [["", "OK"], ["&myip=999", "BADIP"]]) {
    const target = `/nic/update?hostname=a.dyn.example${query}`;
    const { calls } = await after([target, "192.0.2.1", "both"]);
    assertEquals([calls.of(a)?.answer, calls.of(b)], [answer, undefined]);
  }
});
