import { assertEquals } from "@std/assert";
import { Clients, digest } from "../../lib/clients.ts";
import type { Answer } from "../../lib/dns/nsupdate.ts";
import { ALIAS_REASON } from "../../lib/dns/reason.ts";
import { parseHostname } from "../../lib/hostname.ts";
import type { Certificate } from "../../lib/http/certificate.ts";
import type { Nameserver } from "../../lib/nameserver.ts";
import { Health, type HealthOptions } from "../../lib/status/health.ts";
import { Zones } from "../../lib/zones.ts";
import { test } from "../fake_time.ts";

const delay = (ms: number) => new Promise<void>((resolve) => void setTimeout(resolve, ms));
const at = (port: number): Nameserver => ({
  endpoint: { hostname: "192.0.2.53", port },
  keyFile: undefined,
});
const zone = (name: string, port: number) => ({
  name: parseHostname(name),
  nameserver: at(port),
  ttl: 30,
});
const refused: Answer = { kind: "refused", reason: "REFUSED: why", isElsewhere: false };

interface World {
  health: Health;
  /** What each nameserver is asked for, by port. */
  asked: string[];
  /** How many are open. */
  open: () => number;
}

/** @param answerOf what the nameserver at a port answers; undefined is nothing */
function world(
  answerOf: (port: number) => Answer | undefined,
  config: Partial<ReturnType<HealthOptions["config"]>> = {},
  more: Partial<HealthOptions> = {},
): World {
  const clients = new Clients();
  const names = ["a.one.example", "b.one.example", "a.two.example", "a.three.example"];
  for (const [i, name] of names.entries()) {
    const limits = name.endsWith("two.example") ? { family: 6 as const } : undefined;
    clients.add(digest(name), { hosts: [{ name: parseHostname(name) }], limits });
    if (i === 0) clients.add(digest("again"), { hosts: [{ name: parseHostname(name) }] });
  }
  const asked: string[] = [];
  let open = 0;
  const all = {
    nameserver: at(1),
    zones: new Zones(),
    timeout: 10_000,
    clients,
    https: [],
    certificate: undefined,
    ...config,
  };
  const health = new Health({
    config: () => all,
    fileFaults: () => [],
    connect(nameserver, timeout) {
      open++;
      const { port } = nameserver.endpoint!;
      return {
        probe(zone, records) {
          const texts = records.map(({ name, type }) => `${name} ${type}`);
          asked.push(`${port}: ${zone ?? "?"} ${texts} ${timeout}`);
          const answer = answerOf(port);
          return answer === undefined ? new Promise(() => {}) : Promise.resolve(answer);
        },
        close: () => Promise.resolve(void open--),
      };
    },
    delay,
    ...more,
  });
  return { health, asked, open: () => open };
}

const zones = new Zones([
  zone("two.example", 2),
  zone("three.example", 3),
  zone("four.example", 4),
]);

test("each nameserver is asked about its first host, whichever answers it", async () => {
  const { health, asked, open } = world(() => ({ kind: "yes" }), { zones });
  assertEquals(await health.faults(), []);
  assertEquals(asked, [
    "1: ? a.one.example A 5000",
    "2: two.example a.two.example AAAA 5000",
    "3: three.example a.three.example A 5000",
  ]);
  assertEquals(await health.faults(), []);
  assertEquals([asked.length, open()], [3, 0]);
});

test("a nameserver that has no host in the configuration is asked about one of a hook", async () => {
  const others = ["x.four.example", "y.four.example", "x.one.example"].map(parseHostname);
  const { health, asked } = world(() => ({ kind: "yes" }), { zones }, { others: () => others });
  assertEquals(await health.faults(), []);
  assertEquals(asked.slice(-2), [
    "3: three.example a.three.example A 5000",
    "4: four.example x.four.example A 5000",
  ]);
});

test("what a nameserver says is a fault with its name, unless the host is an alias", async () => {
  const answers = [refused, { kind: "refused", reason: ALIAS_REASON, isElsewhere: false } as const];
  const { health } = world((port) => answers[port - 1] ?? { kind: "unreachable", reason: "gone" }, {
    zones,
  });
  assertEquals(await health.faults(), [
    "nameserver 192.0.2.53:1, asked about a.one.example: REFUSED: why",
    "nameserver 192.0.2.53:3, asked about a.three.example: gone",
  ]);
});

test("a silent nameserver is a fault in 5 seconds, and asked again later", async ({ pass }) => {
  let isSilent = true;
  const { health, asked, open } = world(() => isSilent ? undefined : { kind: "yes" });
  const faults = health.faults();
  await pass(5000);
  assertEquals(await faults, [
    "nameserver 192.0.2.53:1, asked about a.one.example: no answer in 5 s",
  ]);
  isSilent = false;
  assertEquals((await health.faults()).length, 1, "it is not fresh");
  await pass(500);
  assertEquals(await health.faults(), []);
  assertEquals([asked.length, open()], [2, 0]);
});

test("many silent nameservers do not make it take longer", async ({ now, pass }) => {
  const clients = new Clients();
  const all = Array.from({ length: 10 }, (_, i) => zone(`z${i}.example`, 10 + i));
  for (const { name } of all) {
    clients.add(digest(name), { hosts: [{ name: parseHostname(`h.${name}`) }] });
  }
  const { health, asked } = world(
    () => undefined,
    { zones: new Zones(all), clients, timeout: 1000 },
    { now: () => new Date(now()) },
  );
  const asking = health.faults();
  await pass(3000);
  assertEquals((await asking).length, 10);
  const slow = world(
    () => undefined,
    { zones: new Zones(all), clients },
    { now: () => new Date(now()) },
  );
  const late = slow.health.faults();
  await pass(5000);
  const faults = await late;
  assertEquals([asked.length, slow.asked.length, faults.length], [10, 4, 5]);
  assertEquals(faults.at(-1), "6 more nameservers not asked, as the others do not answer in time");
});

test("an expired certificate is a fault of https, and what is wrong with files", async () => {
  const certificate = { files: ["c.pem", "k.pem"], notAfter: new Date("2026-11-05") } as const;
  const faultsAt = (now: string, port?: number) =>
    world(() => ({ kind: "yes" }), {
      https: port === undefined ? [] : [{ hostname: undefined, port }],
      certificate: certificate as unknown as Certificate,
    }, { now: () => new Date(now), fileFaults: () => ["a file"] }).health.faults();
  assertEquals(await faultsAt("2026-11-04", 443), ["a file"]);
  assertEquals(await faultsAt("2026-11-05", 443), [
    'certificate "c.pem": it expired on 2026-11-05',
    "a file",
  ]);
  assertEquals(await faultsAt("2026-11-05"), ["a file"]);
});
