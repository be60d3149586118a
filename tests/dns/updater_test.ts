import { assert, assertEquals } from "@std/assert";
import { parseAddress } from "../../lib/address.ts";
import { type Change, recordType } from "../../lib/change.ts";
import { type Result, Updater, type UpdaterOptions } from "../../lib/dns/updater.ts";
import { parseHostname, parseZoneName } from "../../lib/hostname.ts";
import type { Log } from "../../lib/log.ts";
import { atOnce } from "../../lib/slices.ts";
import { Zones } from "../../lib/zones.ts";
import { type FakeTime, settle, withFakeTime } from "../fake_time.ts";
import { generator } from "../support.ts";
import { FakeNameserver } from "./fake_nameserver.ts";

const ZONE = "dyn.example";

function change(name: string, text: string, ttl = 30): Change {
  const address = parseAddress(text)!;
  return { name: parseHostname(name), type: recordType(address), ttl, address };
}

function configured(...names: string[]): Zones {
  const nameserver = { endpoint: undefined, keyFile: undefined };
  return new Zones(names.map((name) => ({ name: parseZoneName(name), nameserver, ttl: 30 })));
}

interface World {
  time: FakeTime;
  server: FakeNameserver;
  updater: Updater;
  lines: string[];
  /** Requests one record; its result. */
  set(name: string, address: string, ttl?: number): Promise<Result>;
}

async function withWorld(
  body: (world: World) => Promise<void>,
  { zones = [ZONE], ...options }: Partial<Omit<UpdaterOptions, "zones">> & {
    zones?: string[];
    known?: Zones;
  } = {},
): Promise<void> {
  await withFakeTime(async (time) => {
    const server = new FakeNameserver(time, ...zones);
    const lines: string[] = [];
    const line = (level: string) => (text: string) => void lines.push(`${level}: ${text}`);
    const log: Log = {
      error: line("error"),
      warning: line("warning"),
      info: line("info"),
      debug: () => {},
    };
    const updater = new Updater({
      nsupdate: server,
      zones: options.known ?? new Zones(),
      minInterval: 0,
      recheck: 300_000,
      log,
      now: time.now,
      ...options,
    });
    const set = async (name: string, address: string, ttl?: number) =>
      (await updater.set([change(name, address, ttl)]))[0]!;
    await body({ time, server, updater, lines, set });
    await time.pass(60_000);
    assertEquals(server.underWay, 0, "a message is under way for ever");
  });
}

const host = (i: number) => `h${i}.${ZONE}`;
const all = <T>(count: number, run: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => run(i));

Deno.test("set() of a new record asks, and then sets it in the zone that was found", async () => {
  await withWorld(async ({ server, set, lines }) => {
    assertEquals(await set(host(0), "192.0.2.1"), "OK");
    assertEquals(server.messages, [
      { kind: "ask", zone: undefined, records: ["h0.dyn.example A 192.0.2.1"] },
      { kind: "set", zone: ZONE, records: ["h0.dyn.example A 192.0.2.1"] },
    ]);
    assertEquals(lines, ["info: h0.dyn.example A ? -> 192.0.2.1"]);
  });
});

Deno.test("set() of what is known and fresh is UPTODATE at once, and sends nothing", async () => {
  await withWorld(async ({ server, set, updater, time }) => {
    await set(host(0), "192.0.2.1");
    const sent = server.messages.length;
    assertEquals(updater.set([change(host(0), "192.0.2.1")]), ["UPTODATE"]);
    assertEquals(server.messages.length, sent);
    // After recheck it is asked for, and what was changed by hand is set again.
    await time.pass(300_000);
    assertEquals(await set(host(0), "192.0.2.1"), "UPTODATE");
    await time.pass(300_000);
    server.zones.get(ZONE)!.set("h0.dyn.example A", "192.0.2.99");
    assertEquals(await set(host(0), "192.0.2.1"), "OK");
    assertEquals(server.lookUp(host(0)), "192.0.2.1");
  });
});

Deno.test("set() gives a result a record, in order, and both families stay apart", async () => {
  await withWorld(async ({ server, updater, set }) => {
    server.refused.add(host(1));
    await set(host(2), "192.0.2.1");
    const results = await updater.set([
      change(host(0), "192.0.2.1"),
      change(host(1), "192.0.2.1"),
      change(host(2), "192.0.2.1"),
      change(host(0), "2001:db8::1"),
    ]);
    assertEquals(results, ["OK", "FAIL", "UPTODATE", "OK"]);
    assertEquals([server.lookUp(host(0)), server.lookUp(host(0), "AAAA")], [
      "192.0.2.1",
      "2001:db8::1",
    ]);
  });
});

Deno.test("a family that was refused goes apart from the other, which does not wait for it", async () => {
  await withWorld(async ({ server, updater, set }) => {
    const both = (i: number) =>
      updater.set([change(host(0), `192.0.2.${i}`), change(host(0), `2001:db8::${i}`)]);
    const sets = () => server.messages.filter(({ kind }) => kind === "set").slice(before);
    let before = 0;
    assertEquals(await both(1), ["OK", "OK"]);
    assertEquals(sets().map(({ records }) => records.length), [2]);
    server.refused.add(host(0));
    assertEquals(await set(host(0), "2001:db8::2"), "FAIL");
    server.refused.delete(host(0));
    before = server.count("set");
    assertEquals(await both(3), ["OK", "OK"]);
    assertEquals(sets().map(({ records }) => records), [
      ["h0.dyn.example A 192.0.2.3"],
      ["h0.dyn.example AAAA 2001:db8::3"],
    ]);
    before = server.count("set");
    assertEquals(await both(4), ["OK", "OK"]);
    assertEquals(sets().map(({ records }) => records.length), [2]);
  });
});

Deno.test("a record can be taken away, and be known not to be there", async () => {
  await withWorld(async ({ server, updater, set, lines }) => {
    await set(host(0), "192.0.2.1");
    const none = [{ ...change(host(0), "192.0.2.1"), address: undefined }];
    assertEquals(await updater.set(none), ["OK"]);
    assertEquals(server.lookUp(host(0)), undefined);
    assertEquals(updater.set(none), ["UPTODATE"]);
    assertEquals(lines.at(-1), "info: h0.dyn.example A 192.0.2.1 -> none");
    // Also where it was never known.
    assertEquals(await updater.set([{ ...none[0]!, name: parseHostname(host(1)) }]), ["UPTODATE"]);
  });
});

Deno.test("a changed ttl is set; one that was found at the start is kept", async () => {
  await withWorld(async ({ server, set }) => {
    server.zones.get(ZONE)!.set("h1.dyn.example A", "192.0.2.1");
    assertEquals(await set(host(0), "192.0.2.1", 30), "OK");
    assertEquals(await set(host(0), "192.0.2.1", 300), "OK");
    assertEquals(await set(host(0), "192.0.2.1", 300), "UPTODATE");
    assertEquals(await set(host(1), "192.0.2.1", 300), "UPTODATE");
    assertEquals(server.count("set"), 2);
  });
});

Deno.test("records of a configured zone are asked for and set together", async () => {
  await withWorld(async ({ server, set, time }) => {
    server.distance = 10;
    const first = set("first.dyn.example", "192.0.2.1");
    await time.pass(5);
    const rest = all(100, (i) => set(host(i), "192.0.2.1"));
    await time.pass(10_000);
    assertEquals(await first, "OK");
    assertEquals(new Set(await Promise.all(rest)), new Set(["OK"]));
    assert(server.messages.every(({ zone }) => zone === ZONE));
    const largest = Math.max(
      ...server.messages.filter(({ kind }) => kind === "ask").map(({ records }) => records.length),
    );
    assert(largest >= 50, `${largest}`);
  }, { known: configured(ZONE) });
});

Deno.test("the newest address wins, and who asked for another hears what became of it", async () => {
  await withWorld(async ({ server, set, time }) => {
    server.distance = 10;
    const results = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map((address) => set(host(0), address));
    await time.pass(1000);
    assertEquals(await Promise.all(results), ["OK", "OK", "OK"]);
    assertEquals(server.lookUp(host(0)), "192.0.2.3");
  });
});

Deno.test("a record is changed once in min_interval, and the last address always gets in", async () => {
  await withWorld(async ({ server, set, time, updater }) => {
    assertEquals(await set(host(0), "192.0.2.1"), "OK");
    const second = set(host(0), "192.0.2.2");
    const third = set(host(0), "192.0.2.3");
    await time.pass(4900);
    assertEquals(server.lookUp(host(0)), "192.0.2.1");
    await time.pass(200);
    assertEquals([await second, await third, server.lookUp(host(0))], ["OK", "OK", "192.0.2.3"]);
    assertEquals(server.count("set"), 2);
    // At the end nobody waits.
    const last = set(host(0), "192.0.2.4");
    await settle();
    updater.flush();
    assertEquals(await last, "OK");
    assertEquals(await set(host(0), "192.0.2.5"), "OK");
  }, { minInterval: 5000 });
});

Deno.test("a refused record is tried once in min_interval, too", async () => {
  await withWorld(async ({ server, set, time }) => {
    server.refused.add(host(0));
    assertEquals(await set(host(0), "192.0.2.1"), "FAIL");
    const again = set(host(0), "192.0.2.1");
    await time.pass(4000);
    assertEquals(server.count("set"), 1);
    await time.pass(2000);
    assertEquals([await again, server.count("set")], ["FAIL", 2]);
  }, { minInterval: 5000 });
});

Deno.test("of a message that is refused, each record gets its own result", async () => {
  for (const bad of [[3], [0, 99], all(50, (i) => 2 * i), all(99, (i) => i)]) {
    await withWorld(async ({ server, set, time, lines }) => {
      for (const i of bad) server.refused.add(host(i));
      server.distance = 5;
      const results = all(100, (i) => set(host(i), "192.0.2.1"));
      await time.pass(30_000);
      const said = await Promise.all(results);
      assertEquals(said, all(100, (i) => bad.includes(i) ? "FAIL" : "OK"));
      for (let i = 0; i < 100; i++) {
        assertEquals(server.lookUp(host(i)), bad.includes(i) ? undefined : "192.0.2.1");
      }
      assert(
        lines.some((line) =>
          /^error: h\d+\.dyn\.example A could not be set to 192\.0\.2\.1: REFUSED$/.test(line)
        ),
      );
    }, { known: configured(ZONE) });
  }
});

Deno.test("a mixed ask says of each record whether it is so", async () => {
  await withWorld(async ({ server, set, time }) => {
    for (let i = 0; i < 100; i += 3) server.zones.get(ZONE)!.set(`${host(i)} A`, "192.0.2.1");
    server.distance = 5;
    const results = all(100, (i) => set(host(i), "192.0.2.1"));
    await time.pass(30_000);
    assertEquals(await Promise.all(results), all(100, (i) => i % 3 === 0 ? "UPTODATE" : "OK"));
  }, { known: configured(ZONE) });
});

Deno.test("an alias is refused, also where an address was known", async () => {
  await withWorld(async ({ server, set, lines }) => {
    assertEquals(await set(host(0), "192.0.2.1"), "OK");
    server.aliases.add(host(0));
    assertEquals(await set(host(0), "192.0.2.2"), "FAIL");
    assertEquals(await set(host(0), "192.0.2.2"), "FAIL");
    assert(lines.includes("error: h0.dyn.example A could not be set to 192.0.2.2: alias"));
    server.aliases.clear();
    assertEquals(await set(host(0), "192.0.2.2"), "OK");
  });
});

Deno.test("a zone that is split: what is set next goes into the child", async () => {
  for (const child of ["home.dyn.example", "pc.home.dyn.example"]) {
    await withWorld(async ({ server, set, time }) => {
      const name = "pc.home.dyn.example";
      assertEquals(await set(name, "192.0.2.1"), "OK");
      await time.pass(1500);
      server.zones.set(child, new Map());
      assertEquals(await set(name, "192.0.2.2"), "OK");
      assertEquals(server.lookUp(name), "192.0.2.2");
      // And back: the child is gone, and what was in it.
      server.zones.delete(child);
      await time.pass(1500);
      assertEquals(await set(name, "192.0.2.3"), "OK");
      assertEquals(server.lookUp(name), "192.0.2.3");
    });
  }
});

Deno.test("a zone of just one name, made while its neighbours are set, is found at its next call", async () => {
  await withWorld(async ({ server, set, time }) => {
    const [name, neighbour] = ["own.dyn.example", "pc.dyn.example"];
    for (const each of [name, neighbour]) assertEquals(await set(each, "192.0.2.1"), "OK");
    await time.pass(1500);
    server.zones.set(name, new Map());
    const results = [set(neighbour, "192.0.2.2"), set(name, "192.0.2.2")];
    await time.pass(1500);
    assertEquals(await Promise.all(results), ["OK", "OK"]);
    // It went where its neighbours are, and that is not taken for granted.
    assertEquals(server.lookUp(name), undefined);
    assertEquals(await set(name, "192.0.2.2"), "OK");
    assertEquals(server.lookUp(name), "192.0.2.2");
    assertEquals(await set(name, "192.0.2.2"), "UPTODATE");
  });
});

Deno.test("a zone that was moved away while many are set is found again, in the same request", async () => {
  await withWorld(async ({ server, set, time }) => {
    for (const i of all(20, (i) => i)) assertEquals(await set(host(i), "192.0.2.1"), "OK");
    server.distance = 10;
    const results = all(20, (i) => set(host(i), "192.0.2.2"));
    await time.pass(5);
    server.zones.delete(ZONE);
    server.zones.set("example", new Map());
    await time.pass(10_000);
    assertEquals(new Set(await Promise.all(results)), new Set(["OK"]));
    for (let i = 0; i < 20; i++) assertEquals(server.lookUp(host(i)), "192.0.2.2");
  });
});

Deno.test("a host in no zone is FAIL, and delays nobody", async () => {
  await withWorld(async ({ set, lines }) => {
    const [outside, inside] = await Promise.all([
      set("h.elsewhere.example", "192.0.2.1"),
      set(host(0), "192.0.2.1"),
    ]);
    assertEquals([outside, inside], ["FAIL", "OK"]);
    assert(lines[0]!.startsWith("error: h.elsewhere.example A could not be set to"));
  });
});

Deno.test("a silent zone: its own hosts fail after the timeout, the others are OK at once", async () => {
  await withWorld(async ({ server, set, time }) => {
    server.distance = 1;
    assertEquals(
      await Promise.race([set("w.silent.example", "192.0.2.1"), time.pass(100).then(() => "late")]),
      "OK",
    );
    server.silent.add("silent.example");
    const silent = all(300, (i) => set(`s${i}.silent.example`, "192.0.2.1"));
    await time.pass(1);
    const others = [
      ...all(12, (i) => set(host(i), "192.0.2.1")),
      set("pc.child.silent.example", "192.0.2.1"),
    ];
    let ok = 0;
    for (const other of others) void other.then((result) => ok += result === "OK" ? 1 : 0);
    await time.pass(1500);
    assertEquals(ok, others.length);
    await time.pass(60_000);
    assertEquals(new Set(await Promise.all(silent)), new Set(["FAIL"]));
    // It answers again.
    server.silent.clear();
    const again = set("s0.silent.example", "192.0.2.1");
    await time.pass(5000);
    assertEquals(await again, "OK");
  }, { zones: [ZONE, "silent.example", "child.silent.example"] });
});

Deno.test("a silent nameserver costs all that wait one timeout", async () => {
  await withWorld(async ({ server, set, time }) => {
    server.silent.add("*");
    const results = all(100, (i) => set(host(i), "192.0.2.1"));
    await time.pass(21_000);
    assertEquals(new Set(await Promise.all(results)), new Set(["FAIL"]));
  });
});

Deno.test("a nameserver that is gone fails all that wait at once", async () => {
  await withWorld(async ({ server, set }) => {
    server.isGone = true;
    assertEquals(
      new Set(await Promise.all(all(100, (i) => set(host(i), "192.0.2.1")))),
      new Set(["FAIL"]),
    );
    server.isGone = false;
    assertEquals(await set(host(0), "192.0.2.1"), "OK");
  });
});

Deno.test("after a set without an answer nothing is said before it was asked for", async () => {
  for (const makesWhatIsLost of [true, false]) {
    await withWorld(async ({ server, set, time }) => {
      assertEquals(await set(host(0), "192.0.2.1"), "OK");
      server.silent.add(ZONE);
      server.makesWhatIsLost = makesWhatIsLost;
      const lost = set(host(0), "192.0.2.2");
      await time.pass(10_000);
      assertEquals(await lost, "FAIL");
      server.silent.clear();
      const sent = server.messages.length;
      assertEquals(await set(host(0), "192.0.2.1"), makesWhatIsLost ? "OK" : "UPTODATE");
      assertEquals(server.messages[sent]!.kind, "ask");
      assertEquals(server.lookUp(host(0)), "192.0.2.1");
    });
  }
});

Deno.test("300 refused hosts, 40 ms away, keep a healthy one no longer than a second", async () => {
  for (const known of [undefined, configured(ZONE)]) {
    await withWorld(async ({ server, set, time }) => {
      server.distance = 40;
      const refused = all(300, (i) => `r${i}.dyn.example`);
      for (const name of refused) server.refused.add(name);
      const wave = () => refused.map((name) => set(name, "192.0.2.1"));
      const healthyOnes = ["new.dyn.example", "late.dyn.example", "new.dyn.example"];
      for (const [i, healthy] of healthyOnes.entries()) {
        const failing = wave();
        await time.pass(10);
        let result: Result | undefined;
        void set(healthy, `192.0.2.${2 + i}`).then((said) => result = said);
        await time.pass(1000);
        assertEquals(result, "OK", healthy);
        await time.pass(60_000);
        assertEquals(new Set(await Promise.all(failing)), new Set(["FAIL"]));
      }
      assert(server.mostUnderWay <= 32, `${server.mostUnderWay} messages at a time`);
    }, known === undefined ? {} : { known });
  }
});

Deno.test("what waits is bounded: too many records, or too many for one, are BUSY", async () => {
  await withWorld(async ({ server, set, time }) => {
    server.distance = 10;
    const results = all(12, (i) => set(host(i), "192.0.2.1"));
    const more = all(4, () => set(host(0), "192.0.2.1"));
    await time.pass(10_000);
    assertEquals(await Promise.all(results), [...all(10, () => "OK" as const), "BUSY", "BUSY"]);
    assertEquals(await Promise.all(more), ["OK", "OK", "BUSY", "BUSY"]);
  }, { maxWaiting: 10, maxWaiters: 3 });
});

Deno.test("the log gets a bounded number of failures a second", async () => {
  await withWorld(async ({ server, set, lines }) => {
    server.isGone = true;
    await Promise.all(all(500, (i) => set(host(i), "192.0.2.1")));
    assert(lines.length <= 51, `${lines.length}`);
  });
});

Deno.test("reconfigure() keeps what is known, and forgets hosts that nobody has any more", async () => {
  await withWorld(async ({ server, set, updater }) => {
    for (const i of [0, 1]) await set(host(i), "192.0.2.1");
    const settings = { nsupdate: server, zones: new Zones(), minInterval: 0, recheck: 300_000 };
    atOnce(updater.reconfigure(settings, (name) => name === host(0)));
    const sent = server.messages.length;
    assertEquals(await set(host(0), "192.0.2.1"), "UPTODATE");
    assertEquals(server.messages.length, sent);
    assertEquals(await set(host(1), "192.0.2.1"), "UPTODATE");
    assertEquals(server.messages.length, sent + 1, "the other one was asked for");
  });
});

Deno.test("random requests, faults and delays: what is said is so, and nobody waits for ever", async () => {
  const seed = Date.now() >>> 0;
  console.log(`seed ${seed}`);
  const random = generator(seed);
  const below = (n: number) => Math.floor(random() * n);
  for (let round = 0; round < 20; round++) {
    await withWorld(async ({ server, set, time }) => {
      server.distance = [0, 1, 20][below(3)]!;
      server.timeout = 2000;
      const names = [...all(20, host), "a.b.dyn.example", "c.b.dyn.example", "x.other.example"];
      for (let i = 0; i < 3; i++) server.refused.add(names[below(names.length)]!);
      /** The newest request of each host that nobody has followed. */
      const newest = new Map<string, number>();
      let requests = 0, answered = 0;
      for (let step = 0; step < 150; step++) {
        const name = names[below(names.length)]!;
        const address = `192.0.2.${1 + below(4)}`;
        const own = ++requests;
        newest.set(name, own);
        void set(name, address).then((result) => {
          answered++;
          if (newest.get(name) !== own || result === "FAIL" || result === "BUSY") return;
          assertEquals(server.lookUp(name), address, `seed ${seed}, ${name}: ${result}`);
        });
        const event = below(40);
        if (event === 0) server.silent.add([ZONE, "other.example", "*"][below(3)]!);
        else if (event === 1) server.silent.clear();
        else if (event === 2) server.isGone = !server.isGone;
        if (below(3) > 0) await time.pass(below(200));
      }
      server.silent.clear();
      server.isGone = false;
      server.refused.clear();
      await time.pass(120_000);
      assertEquals(answered, requests, `seed ${seed}`);
      for (const name of names) {
        const last = set(name, "192.0.2.9");
        await time.pass(30_000);
        assert((await last) !== "FAIL", `seed ${seed}`);
        assertEquals(server.lookUp(name), "192.0.2.9", `seed ${seed}`);
      }
      assert(server.mostUnderWay <= 40, `${server.mostUnderWay}`);
    }, { zones: [ZONE, "b.dyn.example", "other.example"], minInterval: [0, 500][below(2)]! });
  }
});

const OWN = ["update add h0.dyn.example 60 A 192.0.2.1", "update add x.dyn.example 60 TXT a"];

/** A change that commands of its own make. */
function own(name: string, address: string): Change {
  return { ...change(name, address), commands: OWN };
}

Deno.test("commands of its own are sent alone, and what they made of it is asked for", async () => {
  await withWorld(async ({ server, updater, set, lines }) => {
    const sent: (readonly string[] | undefined)[][] = [];
    const realSet = server.set.bind(server);
    server.set = (zone, records, options) => {
      sent.push(records.map(({ commands }) => commands));
      return realSet(zone, records, options);
    };
    assertEquals(await updater.set([own(host(0), "192.0.2.1")]), ["OK"]);
    assertEquals(lines, ["info: h0.dyn.example A ? -> 192.0.2.1 (own commands)"]);
    // Whether they have set it is for the nameserver to say.
    assert(!updater.isKnown(change(host(0), "192.0.2.1")));
    assertEquals(await updater.set([own(host(0), "192.0.2.1")]), ["UPTODATE"]);
    assert(updater.isKnown(change(host(0), "192.0.2.1")));
    assert(!updater.isKnown(change(host(0), "192.0.2.2")));
    assertEquals(updater.set([own(host(0), "192.0.2.1")]), ["UPTODATE"]);
    // A TTL of theirs is none of ours.
    assertEquals(await set(host(0), "192.0.2.1", 300), "UPTODATE");
    assertEquals(server.count("ask"), 2);
    const changes = [0, 1, 2, 3, 4, 5].map((i) =>
      (i % 2 === 0 ? own : change)(host(i), "192.0.2.7")
    );
    assertEquals(await updater.set(changes), ["OK", "OK", "OK", "OK", "OK", "OK"]);
    const withOwn = sent.filter((message) => message.some((commands) => commands !== undefined));
    assertEquals(withOwn, [[OWN], [OWN], [OWN], [OWN]]);
  });
});

Deno.test("commands of its own that do not set the address are OK each time, and never UPTODATE", async () => {
  await withWorld(async ({ server, updater }) => {
    server.set = () => Promise.resolve({ kind: "yes" });
    for (let i = 0; i < 3; i++) {
      assertEquals(await updater.set([own(host(0), "192.0.2.1")]), ["OK"]);
    }
    assert(!updater.isKnown(change(host(0), "192.0.2.1")));
  }, { known: configured(ZONE) });
});

Deno.test("commands of its own that nsupdate does not take fail alone", async () => {
  await withWorld(async ({ server, updater, set, lines }) => {
    const realSet = server.set.bind(server);
    server.set = (zone, records, options) =>
      records.some(({ commands }) => commands !== undefined)
        ? Promise.resolve({ kind: "failed", reason: "syntax error" })
        : realSet(zone, records, options);
    const others = [1, 2, 3].map((i) => set(host(i), "192.0.2.1"));
    const failing = updater.set([own(host(0), "192.0.2.1")]);
    assertEquals(await failing, ["FAIL"]);
    assertEquals(await Promise.all(others), ["OK", "OK", "OK"]);
    assertEquals(lines.filter((line) => line.startsWith("error")), [
      "error: h0.dyn.example A could not be set to 192.0.2.1: syntax error",
    ]);
  }, { known: configured(ZONE) });
});

Deno.test("commands that come while a change without any waits are sent alone, too", async () => {
  await withWorld(async ({ server, updater, set, time }) => {
    await Promise.all([0, 1].map((i) => set(host(i), "192.0.2.1")));
    server.distance = 10;
    const sent: number[] = [];
    const realSet = server.set.bind(server);
    server.set = (zone, records, options) => {
      if (records.some(({ commands }) => commands !== undefined)) sent.push(records.length);
      return realSet(zone, records, options);
    };
    const first = set(host(2), "192.0.2.2");
    const waiting = [0, 1].map((i) => set(host(i), "192.0.2.2"));
    const newer = updater.set([own(host(0), "192.0.2.3")]);
    await time.pass(1000);
    assertEquals(await Promise.all([first, ...waiting]), ["OK", "OK", "OK"]);
    assertEquals(await newer, ["OK"]);
    assertEquals(server.lookUp(host(0)), "192.0.2.3");
    assertEquals(sent, [1]);
  }, { known: configured(ZONE) });
});

Deno.test("of very many records the oldest are forgotten, and asked for again", async () => {
  await withWorld(async ({ server, updater, set }) => {
    for (let i = 0; i < 25; i++) await set(host(i), "192.0.2.1");
    const known = all(25, (i) => updater.isKnown(change(host(i), "192.0.2.1")));
    assertEquals(known.slice(0, 4), [false, false, false, false]);
    assertEquals(known.slice(-10), all(10, () => true));
    assert([...updater.names()].length <= 20);
    const sets = server.count("set");
    assertEquals(await set(host(0), "192.0.2.1"), "UPTODATE");
    assertEquals(server.count("set"), sets);
  }, { known: configured(ZONE), maxRecords: 20 });
});

Deno.test("whoever watches hears of each change and each failure, and what was known last", async () => {
  const heard: string[] = [];
  const watch = {
    changed: (name: string) => heard.push(`${name} changed`),
    failed: (name: string, reason: string) => heard.push(`${name}: ${reason}`),
  };
  await withWorld(async ({ updater, set }) => {
    const [inside, outside] = [parseHostname(host(0)), parseHostname("h.other.example")];
    assertEquals(updater.addressOf(inside, "A"), undefined);
    await set(inside, "192.0.2.1");
    await set(inside, "192.0.2.1");
    await set(outside, "192.0.2.1");
    assertEquals(updater.addressOf(inside, "A"), "192.0.2.1");
    assertEquals([updater.addressOf(inside, "AAAA"), updater.addressOf(outside, "A")], [
      undefined,
      undefined,
    ]);
    assertEquals(heard.length, 2);
    assertEquals(heard[0], `${inside} changed`);
    assert(heard[1]!.startsWith(`${outside}: A could not be set to 192.0.2.1: `), heard[1]);
  }, { watch });
});
