import { assert, assertEquals } from "@std/assert";
import { parseAddress } from "../../lib/address.ts";
import { type Change, recordType } from "../../lib/change.ts";
import type { Nsupdate } from "../../lib/dns/nsupdate.ts";
import { Updaters } from "../../lib/dns/updaters.ts";
import { parseHostname, parseZoneName } from "../../lib/hostname.ts";
import { createLog } from "../../lib/log.ts";
import { type Nameserver, nameserverText } from "../../lib/nameserver.ts";
import { atOnce } from "../../lib/slices.ts";
import { Zones } from "../../lib/zones.ts";
import { type FakeTime, withFakeTime } from "../fake_time.ts";
import { FakeNameserver } from "./fake_nameserver.ts";

const A: Nameserver = { endpoint: { hostname: "192.0.2.1", port: 53 }, keyFile: undefined };
const B: Nameserver = { endpoint: { hostname: "192.0.2.2", port: 53 }, keyFile: undefined };

function change(name: string, text: string): Change {
  const address = parseAddress(text)!;
  return { name: parseHostname(name), type: recordType(address), ttl: 30, address };
}

function zones(...all: [string, Nameserver][]): Zones {
  return new Zones(all.map(([name, nameserver]) => ({
    name: parseZoneName(name),
    nameserver,
    ttl: 30,
  })));
}

const hosts = (...names: string[]) => names.map(parseHostname);

/** Two nameservers that both have all zones, and what goes to each. */
async function withServers(
  body: (
    updaters: Updaters,
    a: FakeNameserver,
    b: FakeNameserver,
    started: string[],
    time: FakeTime,
  ) => Promise<void>,
  initial = zones(["b.example", B]),
): Promise<void> {
  await withFakeTime(async (time) => {
    const all = ["a.example", "b.example"] as const;
    const [a, b] = [new FakeNameserver(time, ...all), new FakeNameserver(time, ...all)];
    const started: string[] = [];
    const connect = (nameserver: Nameserver) => {
      started.push(nameserverText(nameserver));
      const server = nameserver.endpoint!.hostname === "192.0.2.1" ? a : b;
      return {
        ask: server.ask.bind(server),
        set: server.set.bind(server),
        retire() {},
        close: () => Promise.resolve(),
      } as unknown as Nsupdate;
    };
    const log = createLog({ level: "error" });
    const settings = { timeout: 1000, minInterval: 0, recheck: 300_000 };
    const updaters = new Updaters({ nameserver: A, zones: initial, ...settings, log, connect });
    await body(updaters, a, b, started, time);
    await updaters.close();
  });
}

const SETTINGS = { nameserver: A, timeout: 1000, minInterval: 0, recheck: 300_000 };

Deno.test("each host goes to its zone's nameserver, and the results come in order", async () => {
  await withServers(async (updaters, a, b) => {
    b.refused.add("x.b.example");
    const changes = ["h.a.example", "x.b.example", "i.a.example", "h.b.example"]
      .map((name) => change(name, "192.0.2.9"));
    assertEquals(await updaters.set(changes), ["OK", "FAIL", "OK", "OK"]);
    assertEquals([a.lookUp("h.a.example"), b.lookUp("h.a.example")], ["192.0.2.9", undefined]);
    assertEquals([a.lookUp("h.b.example"), b.lookUp("h.b.example")], [undefined, "192.0.2.9"]);
    // What is known is said at once, for one nameserver.
    assertEquals(updaters.set([changes[0]!]), ["UPTODATE"]);
    assertEquals(updaters.set([]), []);
    // A zone of the configuration is not looked for.
    assert(b.messages.every(({ zone }) => zone === "b.example"));
  });
});

Deno.test("a nameserver with one key has one engine, however many zones it has", async () => {
  await withServers((_updaters, _a, _b, started) => {
    assertEquals(started, ["nameserver 192.0.2.1:53", "nameserver 192.0.2.2:53"]);
    return Promise.resolve();
  }, zones(["b.example", B], ["c.example", B], ["a.example", A]));
});

Deno.test("reconfigure() keeps what is known, but not of a host that another nameserver had meanwhile", async () => {
  await withServers(async (updaters, a, b) => {
    const h = change("h.a.example", "192.0.2.9");
    const own = hosts("h.a.example");
    assertEquals(await updaters.set([h]), ["OK"]);
    atOnce(updaters.reconfigure({ ...SETTINGS, zones: zones(["b.example", B]) }, own));
    assertEquals(updaters.set([h]), ["UPTODATE"]);
    atOnce(updaters.reconfigure({ ...SETTINGS, zones: zones(["a.example", B]) }, own));
    assertEquals(await updaters.set([change("h.a.example", "192.0.2.8")]), ["OK"]);
    assertEquals(b.lookUp("h.a.example"), "192.0.2.8");
    const asked = a.count("ask");
    atOnce(updaters.reconfigure({ ...SETTINGS, zones: zones() }, own));
    assertEquals(await updaters.set([h]), ["UPTODATE"]);
    assertEquals(a.count("ask"), asked + 1);
  });
});

Deno.test("what another engine may still be changing after a reload is asked for at the next two calls", async () => {
  await withServers(async (updaters, a, b, _started, time) => {
    const set = (text: string) => updaters.set([change("h.a.example", text)]);
    a.distance = 100;
    const former = set("192.0.2.8");
    const settings = { ...SETTINGS, zones: zones(["a.example", B]) };
    atOnce(updaters.reconfigure(settings, hosts("h.a.example")));
    assertEquals(await set("192.0.2.9"), ["OK"]);
    await time.pass(1000);
    assertEquals(await former, ["OK"]);
    // What the former one set later is noticed.
    const asked = b.count("ask");
    assertEquals(await set("192.0.2.9"), ["UPTODATE"]);
    assertEquals(b.count("ask"), asked + 1);
    assertEquals(set("192.0.2.9"), ["UPTODATE"]);
  });
});

Deno.test("flush() makes what waits for its interval now, at every nameserver", async () => {
  await withServers(async (updaters, a, b) => {
    atOnce(updaters.reconfigure(
      { ...SETTINGS, zones: zones(["b.example", B]), minInterval: 3_600_000 },
      hosts("x.a.example", "x.b.example"),
    ));
    const set = (text: string) =>
      updaters.set([change("x.a.example", text), change("x.b.example", text)]);
    assertEquals(await set("192.0.2.8"), ["OK", "OK"]);
    const waiting = set("192.0.2.9");
    assertEquals(updaters.load.waiting, 2);
    updaters.flush();
    assertEquals(await waiting, ["OK", "OK"]);
    assertEquals(updaters.load.waiting, 0);
    assert(a !== b);
  });
});

Deno.test("set() of nothing has no results", async () => {
  await withServers((updaters) => {
    assertEquals(updaters.set([]), []);
    return Promise.resolve();
  });
});
