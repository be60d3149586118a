import { assert, assertEquals, assertMatch } from "@std/assert";
import { parseAddress, parseNetwork } from "../../lib/address.ts";
import { Calls } from "../../lib/calls.ts";
import type { Change } from "../../lib/change.ts";
import { Clients, digest } from "../../lib/clients.ts";
import { HookError } from "../../lib/hooks/hooks.ts";
import type { HookName } from "../../lib/hooks/messages.ts";
import { parseHostname } from "../../lib/hostname.ts";
import { createHandler } from "../../lib/http/handler.ts";
import type { HookedOptions } from "../../lib/http/hooked.ts";
import { Observer } from "../../lib/http/observer.ts";
import { createLog } from "../../lib/log.ts";
import { parseInterfaceId } from "../../lib/prefix.ts";
import { basic } from "./ask.ts";

type Own = Partial<Pick<HookedOptions["hooks"], HookName>>;

interface Setup {
  own: Own;
  /** Hosts that are known to be so. */
  known?: string[];
  /** From where alone the key is taken. */
  networks?: string[];
  /** Whether b.dyn.example is behind the client's router. */
  hasPrefix?: boolean;
}

function setup({ own, known = [], networks, hasPrefix = false }: Setup) {
  const clients = new Clients(() => 77);
  clients.add(digest("k"), {
    hosts: [{ name: parseHostname("a.dyn.example"), ttl: 30 }],
    prefix: hasPrefix
      ? {
        length: 64,
        hosts: [{ name: parseHostname("b.dyn.example"), id: parseInterfaceId("::b") }],
      }
      : undefined,
    limits: networks && { networks: networks.map((text) => parseNetwork(text)!) },
  });
  const updates: string[] = [];
  const lines: string[] = [];
  const calls = new Calls();
  const handler = createHandler({
    clients,
    updater: {
      set: (changes, belongTogether) => {
        updates.push(...changes.map(changeText));
        assertEquals(belongTogether, changes.some(({ ttl }) => ttl === 77) && hasPrefix);
        return Promise.resolve(changes.map(() => "OK"));
      },
    },
    log: createLog({ write: (line) => lines.push(line.slice(25).trimEnd()) }),
    trustedProxies: [parseNetwork("10.0.0.1")!],
    proxyHeader: "X-Forwarded-For",
    dyndns2: { paths: ["/nic/update"] },
    hooked: {
      hooks: {
        has: (name) => name in own,
        getIp: () => Promise.resolve(undefined),
        getHost: () => Promise.resolve(undefined),
        nsupdateCommands: () => Promise.resolve(undefined),
        ...own,
      },
      ttlOf: () => 77,
      isKnown: ({ name }) => known.includes(name),
    },
    observer: new Observer(calls),
  });
  const answer = async (
    target: string,
    { from = "203.0.113.7", method = "GET", headers = {} }: {
      from?: string;
      method?: string;
      headers?: Record<string, string>;
    } = {},
  ) => {
    const { status, body } = await handler(
      { method, target, headers: new Headers(headers) },
      from,
    );
    return `${status} ${body}`;
  };
  return { answer, updates, lines, calls };
}

function changeText({ name, ttl, address, commands }: Change): string {
  return `${name} ${ttl} ${address?.text}${commands === undefined ? "" : ` ${commands}`}`;
}

const fail = (result: "FAIL" | "BUSY") => () => Promise.reject(new HookError(result));

Deno.test("without an answer of a hook, all is built in", async () => {
  const asked: unknown[] = [];
  const { answer, updates, lines } = setup({
    own: {
      getIp: (...args) => Promise.resolve(void asked.push(args)),
      getHost: (...args) => Promise.resolve(void asked.push(args)),
      nsupdateCommands: (...args) => Promise.resolve(void asked.push(args)),
    },
  });
  assertEquals(await answer("/k", { headers: { "x-a": "b" } }), "200 OK");
  assertEquals(updates, ["a.dyn.example 30 203.0.113.7"]);
  assertEquals(asked, [
    ["203.0.113.7", [["x-a", "b"]], "k"],
    ["k", "203.0.113.7"],
    ["a.dyn.example", "203.0.113.7", [["x-a", "b"]], "k"],
  ]);
  assertEquals(await answer("/wrong"), "403 BADKEY");
  assertEquals(await answer("/"), "200 203.0.113.7");
  assertEquals(await answer("/k", { method: "POST" }), "405 null");
  assertEquals(lines, ["warning: unknown key from 203.0.113.7"]);
});

Deno.test("getIp decides the address, and whom the log names does not change", async () => {
  const { answer, updates, lines } = setup({
    own: {
      getIp: (ip, headers) =>
        Promise.resolve(ip === "::1" ? undefined : parseAddress(new Map(headers).get("ip")!)),
    },
  });
  const headers = { ip: "198.51.100.4" };
  assertEquals(await answer("/", { headers }), "200 198.51.100.4");
  assertEquals(await answer("/k", { headers }), "200 OK");
  assertEquals(updates, ["a.dyn.example 30 198.51.100.4"]);
  assertEquals(await answer("/wrong", { headers }), "403 BADKEY");
  assertEquals(await answer("/", { from: "::1", headers }), "200 ::1");
  // A proxy that does not say whom it asks for, but the hook knows.
  assertEquals(await answer("/", { from: "10.0.0.1", headers }), "200 198.51.100.4");
  assertEquals(lines, ["warning: unknown key from 203.0.113.7"]);
});

Deno.test("getHost names the hosts, with the TTL of their zone, also of a key in [clients]", async () => {
  const hosts = ["b.dyn.example", "c.dyn.example"].map(parseHostname);
  const { answer, updates } = setup({
    own: { getHost: (key) => Promise.resolve(key === "none" ? undefined : hosts) },
  });
  assertEquals(await answer("/any"), "200 OK");
  assertEquals(await answer("/k"), "200 OK");
  const both = ["b.dyn.example 77 203.0.113.7", "c.dyn.example 77 203.0.113.7"];
  assertEquals(updates, [...both, ...both]);
  assertEquals(await answer("/none"), "403 BADKEY");
});

Deno.test("getHost is not asked without an address, and a bad one is refused after it", async () => {
  let asked = 0;
  const { answer, lines } = setup({
    own: { getHost: () => (asked++, Promise.resolve([parseHostname("b.dyn.example")])) },
  });
  assertEquals(await answer("/any", { from: "10.0.0.1" }), "403 BADKEY");
  assertEquals(await answer("/k", { from: "10.0.0.1" }), "500 FAIL");
  assertEquals(await answer("/"), "200 203.0.113.7");
  assertEquals(asked, 0);
  assertEquals(await answer("/any", { from: "fe80::1" }), "500 FAIL");
  assertMatch(lines.at(-1)!, /address fe80::1 refused \(link-local\)$/);
});

Deno.test("nsupdateCommands is asked only for what is not so already", async () => {
  const { answer, updates } = setup({
    own: {
      getHost: () => Promise.resolve(["a.dyn.example", "b.dyn.example"].map(parseHostname)),
      nsupdateCommands: (host) => Promise.resolve([`add ${host}`]),
    },
    known: ["a.dyn.example"],
  });
  assertEquals(await answer("/any"), "200 OK");
  assertEquals(updates, [
    "a.dyn.example 77 203.0.113.7",
    "b.dyn.example 77 203.0.113.7 add b.dyn.example",
  ]);
});

Deno.test("nsupdateCommands is asked for hosts behind the client's router, too", async () => {
  const { answer, updates } = setup({
    own: { nsupdateCommands: (host, address) => Promise.resolve([`add ${host} ${address}`]) },
    hasPrefix: true,
  });
  assertEquals(await answer("/k", { from: "2001:db8::7" }), "200 OK");
  assertEquals(updates, [
    "a.dyn.example 30 2001:db8::7 add a.dyn.example 2001:db8::7",
    "b.dyn.example 77 2001:db8::b add b.dyn.example 2001:db8::b",
  ]);
});

Deno.test("nsupdateCommands is asked for many hosts, a few at a time", async () => {
  const hosts = Array.from({ length: 1000 }, (_, i) => parseHostname(`h${i}.dyn.example`));
  let waiting = 0, most = 0;
  const { answer, updates } = setup({
    own: {
      getHost: () => Promise.resolve(hosts),
      nsupdateCommands: async (host) => {
        most = Math.max(most, ++waiting);
        await Promise.resolve();
        waiting--;
        return [`add ${host}`];
      },
    },
  });
  assertEquals(await answer("/any"), "200 OK");
  assertEquals(updates, hosts.map((host) => `${host} 77 203.0.113.7 add ${host}`));
  assert(most > 1 && most <= 32, `${most} at a time`);
});

Deno.test("what is no longer so when other lines have come needs lines, too", async () => {
  const known = ["a.dyn.example"];
  const { answer, updates } = setup({
    own: {
      getHost: () => Promise.resolve(["a.dyn.example", "b.dyn.example"].map(parseHostname)),
      nsupdateCommands: (host) => {
        known.length = 0;
        return Promise.resolve([`add ${host}`]);
      },
    },
    known,
  });
  assertEquals(await answer("/any"), "200 OK");
  assertEquals(updates, [
    "a.dyn.example 77 203.0.113.7 add a.dyn.example",
    "b.dyn.example 77 203.0.113.7 add b.dyn.example",
  ]);
});

Deno.test("a client's networks are those that it calls from, whatever getIp says", async () => {
  const { answer, updates } = setup({
    own: { getIp: (_, headers) => Promise.resolve(parseAddress(new Map(headers).get("ip")!)) },
    networks: ["192.0.2.0/24"],
  });
  const outside = { headers: { ip: "192.0.2.9" } };
  assertEquals(await answer("/k", outside), "403 BADKEY");
  assertEquals(await answer("/k", { ...outside, from: "10.0.0.1" }), "403 BADKEY");
  const dyndns2 = { headers: { ...basic("u", "k"), ip: "192.0.2.9" } };
  assertEquals(await answer("/nic/update?hostname=a.dyn.example", dyndns2), "401 badauth");
  assertEquals(updates, []);
  const inside = { from: "192.0.2.1", headers: { ip: "198.51.100.4" } };
  assertEquals(await answer("/k", inside), "200 OK");
  assertEquals(updates, ["a.dyn.example 30 198.51.100.4"]);
});

Deno.test("hooks do not get the Authorization header, which has the key", async () => {
  const asked: string[] = [];
  const note = (...args: unknown[]) => Promise.resolve(void asked.push(JSON.stringify(args)));
  const { answer } = setup({ own: { getIp: note, nsupdateCommands: note } });
  const headers = { ...basic("u", "k"), "x-a": "b" };
  assertEquals(
    await answer("/nic/update?hostname=a.dyn.example", { headers }),
    "200 good 203.0.113.7",
  );
  assertEquals(asked, [
    '["203.0.113.7",[["x-a","b"]],"k"]',
    '["a.dyn.example","203.0.113.7",[["x-a","b"]],"k"]',
  ]);
});

Deno.test("a hook that fails is FAIL, and one that is asked too often 503", async () => {
  for (const name of ["getIp", "getHost", "nsupdateCommands"] as const) {
    for (const [result, expected] of [["FAIL", "500 FAIL"], ["BUSY", "503 FAIL"]] as const) {
      const { answer, updates } = setup({ own: { [name]: fail(result) } });
      assertEquals(await answer("/k"), expected, name);
      assertEquals(updates, []);
    }
  }
});

Deno.test("over dyndns2 the key that hooks get is the password", async () => {
  const asked: unknown[] = [];
  const { answer, updates, lines } = setup({
    own: {
      getHost: (key, address) => {
        asked.push([key, address]);
        return Promise.resolve(key === "own" ? [parseHostname("own.dyn.example")] : undefined);
      },
    },
  });
  const ask = (key: string, host: string) =>
    answer(`/nic/update?hostname=${host}.dyn.example`, { headers: basic("user", key) });
  assertEquals(await ask("own", "own"), "200 good 203.0.113.7");
  assertEquals(await ask("own", "a"), "200 nohost");
  assertEquals(await ask("k", "a"), "200 good 203.0.113.7");
  assertEquals(updates, ["own.dyn.example 77 203.0.113.7", "a.dyn.example 30 203.0.113.7"]);
  assertEquals(await ask("wrong", "a"), "401 badauth");
  assertEquals(asked, ["own", "own", "k", "wrong"].map((key) => [key, "203.0.113.7"]));
  assertEquals(lines, ["warning: unknown key from 203.0.113.7"]);
  assertEquals(await answer("/nic/update"), "401 badauth");
  assertEquals(asked.length, 4);
  const failing = setup({ own: { getHost: fail("FAIL") } });
  const headers = basic("user", "k");
  assertEquals(await failing.answer("/nic/update?hostname=a.dyn.example", { headers }), "500 911");
});

Deno.test("a call for which a hook has no commands is a call of all its hosts", async () => {
  for (const result of ["FAIL", "BUSY"] as const) {
    const { answer, updates, calls } = setup({
      own: { nsupdateCommands: fail(result) },
      hasPrefix: true,
    });
    await answer("/k", { from: "2001:db8::1" });
    const told = [...calls.all()].map(([name, { from, answer }]) => `${name} ${from} ${answer}`);
    assertEquals([told, updates], [[
      `a.dyn.example 2001:db8::1 ${result}`,
      `b.dyn.example 2001:db8::1 ${result}`,
    ], []]);
  }
});
