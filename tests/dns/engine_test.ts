import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Change } from "../../lib/change.ts";
import type { Result } from "../../lib/dns/updater.ts";
import { Zones } from "../../lib/zones.ts";
import { test } from "../fake_time.ts";
import { SimulatedNameserver } from "./simulated_nameserver.ts";
import { A, B, C, change, results, soMany, times, World, zoneNamed } from "./world.ts";

test(
  "set() is OK once the nameserver confirmed, then UPTODATE at once, without a promise",
  async (time) => {
    const world = new World(time);
    assertEquals(await world.set(A, "192.0.2.1"), "OK");
    assertEquals(world.counts, [1, 1]);
    const known = world.updater.set([change(A, "192.0.2.1"), change(A, "192.0.2.1")]);
    assertEquals(known, ["UPTODATE", "UPTODATE"]);
    assertEquals(world.counts, [1, 1]);
  },
);

test(
  "set() asks before the first change, without a zone, and sets in the one that was found",
  async (time) => {
    const table: [string | undefined, string | undefined, Result, number][] = [
      ["192.0.2.1", "192.0.2.1", "UPTODATE", 0],
      [undefined, "192.0.2.1", "OK", 1],
      ["192.0.2.9", "192.0.2.1", "OK", 1],
      [undefined, undefined, "UPTODATE", 0],
      ["192.0.2.1", undefined, "OK", 1],
    ];
    for (const [there, wanted, result, sets] of table) {
      const world = new World(time);
      if (there !== undefined) world.server.put(`${A} A`, there);
      assertEquals(await world.set(A, wanted), result);
      assertEquals(world.server.messages.map(({ kind, zone }) => `${kind} ${zone}`), [
        "ask undefined",
        ...(sets === 1 ? ["set dyn.example"] : []),
      ]);
      assertEquals(world.server.get(`${A} A`), wanted ?? "none");
      assertEquals(world.updater.set([change(A, wanted)]), ["UPTODATE"]);
    }
  },
);

test("set() hands on name, type, TTL and address", async (time) => {
  const seen: (readonly Change[])[] = [];
  const server = new SimulatedNameserver(time);
  const world = new World(time, {
    nsupdate: {
      ask: server.ask,
      set: (zone, changes, options) => {
        seen.push(changes);
        return server.set(zone, changes, options);
      },
    },
  });
  assertEquals(await world.set(A, "2001:DB8:0::1", 77), "OK");
  assertEquals(seen, [[change(A, "2001:db8::1", 77)]]);
});

test("a zone that the configuration names is not looked for", async (time) => {
  const world = new World(time, { zones: new Zones([zoneNamed("dyn.example")]) });
  assertEquals(await world.set(A, "192.0.2.1"), "OK");
  assertEquals(world.server.messages.map(({ zone }) => zone), ["dyn.example", "dyn.example"]);
  world.server.split("dyn.example", false);
  assertEquals(await world.set(A, "192.0.2.2"), "FAIL");
});

test(
  "set() asks again when recheck is over, without the zone, and puts right what was changed",
  async (time) => {
    const world = new World(time);
    await world.set(A, "192.0.2.1");
    world.server.put(`${A} A`, "203.0.113.9");
    await time.pass(299_000);
    assertEquals(await world.set(A, "192.0.2.1"), "UPTODATE");
    await time.pass(1000);
    assertEquals(await world.set(A, "192.0.2.1"), "OK");
    assertEquals(world.server.get(`${A} A`), "192.0.2.1");
    assertEquals(world.server.messages.at(-2)!.zone, undefined);
    await time.pass(300_000);
    assertEquals(await world.set(A, "192.0.2.1"), "UPTODATE");
    assertEquals(world.counts, [3, 2]);
  },
);

test("with recheck 0 every answer is asked for", async (time) => {
  const world = new World(time, { recheck: 0 });
  assertEquals(await world.set(A, "192.0.2.1"), "OK");
  for (let i = 0; i < 3; i++) assertEquals(await world.set(A, "192.0.2.1"), "UPTODATE");
  assertEquals(world.counts, [4, 1]);
});

test("what is known and different is set without being asked for", async (time) => {
  const world = new World(time);
  await world.set(A, "192.0.2.1");
  assertEquals(await world.set(A, "192.0.2.2"), "OK");
  assertEquals(world.counts, [1, 2]);
});

test(
  "the newest address wins while its record is under way, and all hear what is true of it",
  async (time) => {
    const world = new World(time, {}, { delay: 40 });
    world.server.zone("dyn.example").records.set(`${A} A`, "192.0.2.9");
    const first = [1, 2].map((i) => world.ask(A, `192.0.2.${i}`));
    await time.pass(60);
    assertEquals(world.server.sent("set"), [[`${A} A 192.0.2.2`]]);
    const later = [3, 4].map((i) => world.ask(A, `192.0.2.${i}`));
    await time.pass(200);
    assertEquals(results([...first, ...later]), ["OK", "OK", "OK", "OK"]);
    assertEquals(world.server.sent("set"), [[`${A} A 192.0.2.2`], [`${A} A 192.0.2.4`]]);
  },
);

test("who waited for an address that was replaced fails with the newest", async (time) => {
  const world = new World(time, {}, { delay: 40 });
  const waiting = [world.ask(A, "192.0.2.1")];
  await time.pass(10);
  world.server.refused.add(A);
  waiting.push(world.ask(A, "192.0.2.2"));
  await time.pass(300);
  assertEquals(results(waiting), ["FAIL", "FAIL"]);
});

test("an address that is set already when its turn comes is UPTODATE", async (time) => {
  const world = new World(time, {}, { delay: 40 });
  const first = world.ask(A, "192.0.2.1");
  await time.pass(60);
  assertEquals(world.counts, [1, 1]);
  const same = world.ask(A, "192.0.2.1");
  await time.pass(100);
  assertEquals(results([first, same]), ["OK", "UPTODATE"]);
  assertEquals(world.counts, [1, 1]);
});

test("an address that is back before it was sent sends nothing", async (time) => {
  const world = new World(time, { minInterval: 5000 });
  await world.set(A, "192.0.2.1");
  const waiting = [2, 1].map((i) => world.ask(A, `192.0.2.${i}`));
  await time.pass(5000);
  assertEquals(results(waiting), ["UPTODATE", "UPTODATE"]);
  assertEquals(world.counts, [1, 1]);
});

test("min_interval holds the next change back, and the last address gets in", async (time) => {
  const world = new World(time, { minInterval: 5000 });
  assertEquals(await world.set(A, "192.0.2.1"), "OK");
  await time.pass(900);
  const waiting = [2, 3, 4].map((i) => world.ask(A, `192.0.2.${i}`));
  assertEquals(await world.set(B, "192.0.2.1"), "OK");
  await time.pass(3800);
  assertEquals(results(waiting), [undefined, undefined, undefined]);
  await time.pass(200);
  assertEquals(results(waiting), ["OK", "OK", "OK"]);
  assertEquals(world.server.sent("set").at(-1), [`${A} A 192.0.2.4`]);
  await time.pass(5000);
  assertEquals(await world.set(A, "192.0.2.5"), "OK", "nothing holds back after the interval");
  assertEquals(time.timers(), 0);
});

test("min_interval holds a change back that was refused before", async (time) => {
  const world = new World(time, { minInterval: 5000 });
  world.server.refused.add(A);
  assertEquals(await world.set(A, "192.0.2.1"), "FAIL");
  const next = world.ask(A, "192.0.2.2");
  await time.pass(4800);
  assertEquals(next.result, undefined);
  await time.pass(200);
  assertEquals(next.result, "FAIL");
  assertEquals(world.server.sent("set").length, 2);
});

test(
  "flush() makes what waits for its interval now, and what comes later at once",
  async (time) => {
    const world = new World(time, { minInterval: 5000 });
    for (const name of [A, B]) await world.set(name, "192.0.2.1");
    const waiting = [A, B].map((name) => world.ask(name, "192.0.2.2"));
    await time.pass(100);
    assertEquals(results(waiting), [undefined, undefined]);
    world.updater.flush();
    await time.pass(100);
    assertEquals(results(waiting), ["OK", "OK"]);
    assertEquals(await world.set(A, "192.0.2.3"), "OK");
    assertEquals(time.timers(), 0);
  },
);

test("the two types of a host are independent, and may go together", async (time) => {
  const world = new World(time, { minInterval: 5000 });
  const both = world.updater.set([change(A, "192.0.2.1"), change(A, "2001:db8::1")]);
  await time.pass(100);
  assertEquals(await both, ["OK", "OK"]);
  assertEquals(await world.set(A, undefined), undefined);
  assertEquals(world.updater.set([change(A, "2001:db8::1")]), ["UPTODATE"]);
});

test("changes gather while a zone is busy, and go as one message", async (time) => {
  const world = new World(time, {}, { delay: 40 });
  for (let i = 0; i < 6; i++) await world.set(`h${i}.dyn.example`, "192.0.2.1");
  await time.pass(100);
  const before = world.server.messages.length;
  const asked = times(6, (i) => world.ask(`h${i}.dyn.example`, "192.0.2.2"));
  await time.pass(200);
  assertEquals(soMany(asked), { OK: 6 });
  // One finds the zone for all.
  const sent = world.server.messages.slice(before);
  assertEquals(sent[0]!.zone, undefined);
  assert(sent.length <= 6, `${sent.length} messages`);
});

test(
  "a refused message is taken apart: the culprits fail, the others succeed",
  async (time) => {
    for (const [size, bad] of [[2, [0]], [100, [37]], [100, [0, 37, 99]], [500, [499]]] as const) {
      const world = new World(time, { zones: new Zones([zoneNamed("dyn.example")]) });
      const all = (address: string) => times(size, (i) => world.ask(`h${i}.dyn.example`, address));
      all("192.0.2.9");
      await time.pass(1000);
      for (const i of bad) world.server.refused.add(`h${i}.dyn.example`);
      const before = world.counts[1];
      const asked = all("192.0.2.1");
      await time.pass(1000);
      const failed = asked.flatMap(({ result }, i) => result === "OK" ? [] : [i]);
      assertEquals(failed, [...bad]);
      assertEquals(soMany(asked), { OK: size - bad.length, FAIL: bad.length });
      const sets = world.counts[1] - before;
      const most = 2 + bad.length * 2 * 12;
      assert(sets <= most, `${sets} messages for ${bad.length} of ${size}, and not ${most}`);
      assertEquals(
        world.lines.filter((line) => line.startsWith("error")).sort(),
        bad.map((i) =>
          `error: h${i}.dyn.example A could not be set to 192.0.2.1: REFUSED: see named's log; ` +
          "the zone's update-policy must grant this key, and the zone must not be frozen (rndc thaw)"
        ).sort(),
      );
    }
  },
);

test("an ask of which a part is not so is taken apart, and sets only that", async (time) => {
  const world = new World(time, { zones: new Zones([zoneNamed("dyn.example")]) });
  for (let i = 0; i < 100; i++) world.server.put(`h${i}.dyn.example A`, "192.0.2.1");
  const asked = times(100, (i) => world.ask(`h${i}.dyn.example`, `192.0.2.${i === 42 ? 2 : 1}`));
  await time.pass(1000);
  assertEquals(soMany(asked), { UPTODATE: 99, OK: 1 });
  assertEquals(world.server.sent("set"), [["h42.dyn.example A 192.0.2.2"]]);
});

test("an alias fails alone and says so, and nothing is added beside it", async (time) => {
  const world = new World(time);
  world.server.aliases.add(A);
  const asked = [world.ask(A, "192.0.2.1"), world.ask(B, "192.0.2.1")];
  await time.pass(200);
  assertEquals(results(asked), ["FAIL", "OK"]);
  assertMatch(
    world.lines.join(),
    /a\.dyn\.example A could not be set to 192\.0\.2\.1: this name is an alias/,
  );
  assertEquals(world.server.get(`${A} A`), "none");
});

test("who may not ask may yet set", async (time) => {
  const world = new World(time);
  world.server.refusesAsks = true;
  world.server.refused.add(A);
  const refused = world.ask(A, "192.0.2.1");
  await time.pass(2);
  await time.pass(200);
  assertEquals(refused.result, "FAIL");
  world.server.ask = () =>
    Promise.resolve({ kind: "refused", reason: "REFUSED", isElsewhere: false });
  const zones = new Zones([zoneNamed("dyn.example")]);
  world.reconfigure({ nsupdate: { ask: world.server.ask, set: world.server.set }, zones });
  assertEquals(await world.set(B, "192.0.2.1"), "OK");
});

test(
  "a name in no zone of the nameserver fails, and others that look for theirs do not",
  async (time) => {
    const world = new World(time);
    const asked = times(
      20,
      (i) => world.ask(`h${i}.${i % 2 ? "dyn" : "nowhere"}.example`, "192.0.2.1"),
    );
    await time.pass(500);
    assertEquals(soMany(asked), { FAIL: 10, OK: 10 });
  },
);

test("a failure of one that looks for its zone is not the others'", async (time) => {
  const world = new World(time);
  const { ask } = world.server;
  const failed = { kind: "failed", reason: "nsupdate ended" } as const;
  world.reconfigure({
    nsupdate: {
      ask: (zone, changes, options) =>
        changes[0]!.name === A ? Promise.resolve(failed) : ask(zone, changes, options),
      set: world.server.set,
    },
  });
  const asked = [A, B, C].map((name) => world.ask(name, "192.0.2.1"));
  await time.pass(200);
  assertEquals(results(asked), ["FAIL", "OK", "OK"]);
});

test("unreachable fails all that wait at once, in every zone", async (time) => {
  const world = new World(time, { minInterval: 0 }, { delay: 40 });
  for (const name of [A, B, C]) await world.set(name, "192.0.2.1");
  await time.pass(100);
  const asked = [A, B, C, "d.dyn.example"].map((name) => world.ask(name, "192.0.2.2"));
  world.server.isReachable = false;
  await time.pass(50);
  assertEquals(soMany(asked), { FAIL: 4 });
  world.server.isReachable = true;
  assertEquals(await world.set(A, "192.0.2.2"), "OK");
});

test(
  "a late message's records are asked for before anything else is said of them",
  async (time) => {
    for (const takesEffect of [true, false]) {
      const world = new World(time);
      await world.set(A, "192.0.2.1");
      world.server.deliver = () => ({ takesEffect, answer: { kind: "late", reason: "no answer" } });
      const lost = world.ask(A, "192.0.2.2");
      await time.pass(10_100);
      assertEquals(lost.result, "FAIL");
      world.server.deliver = () => ({ takesEffect: true });
      assertEquals(await world.set(A, "192.0.2.1"), takesEffect ? "OK" : "UPTODATE");
      // The lost one may come yet: it is asked once more.
      const [asks] = world.counts;
      world.server.put(`${A} A`, "192.0.2.77", "lost");
      assertEquals(await world.set(A, "192.0.2.1"), "OK");
      assertEquals(world.counts[0], asks + 1);
      assertEquals(world.updater.set([change(A, "192.0.2.1")]), ["UPTODATE"]);
    }
  },
);

test("an answer that is unsure is OK, and the next request asks", async (time) => {
  const world = new World(time);
  await world.set(A, "192.0.2.1");
  world.server.deliver = () => ({ takesEffect: true, answer: { kind: "yes", isUnsure: true } });
  assertEquals(await world.set(A, "192.0.2.2"), "OK");
  world.server.put(`${A} A`, "192.0.2.1");
  world.server.deliver = () => ({ takesEffect: true });
  assertEquals(await world.set(A, "192.0.2.2"), "OK");
});

test("NOTAUTH has the zone found again, once, in the same request", async (time) => {
  const world = new World(time, { minInterval: 5000 }, {
    zones: ["dyn.example", "sub.dyn.example"],
  });
  const name = "a.sub.dyn.example";
  await world.set(name, "192.0.2.1");
  await time.pass(5000);
  world.server.split("sub.dyn.example", false);
  assertEquals(await world.set(name, "192.0.2.2"), "OK");
  assertEquals(world.server.get(`${name} A`), "192.0.2.2");
  world.server.zones.clear();
  await time.pass(5000);
  assertEquals(await world.set(name, "192.0.2.3"), "FAIL");
});

test(
  "a record that is always elsewhere is tried twice, however many ask for it",
  async (time) => {
    const world = new World(time, { recheck: 0 }, { delay: 20 });
    await world.set(A, "192.0.2.1");
    world.server.deliver = () => ({
      takesEffect: false,
      answer: { kind: "refused", reason: "NOTAUTH", isElsewhere: true },
    });
    const first = world.ask(A, "192.0.2.2");
    for (let i = 0; i < 100; i++) {
      await time.pass(10);
      world.ask(A, `192.0.2.${3 + i}`);
    }
    assertEquals(first.result, "FAIL");
    assert(first.took < 500, `${first.took} ms`);
  },
);

test("who waits for a neighbour's zone to be found does not wait for its answer", async (time) => {
  // The neighbour is the apex of a zone that is silent.
  const apex = "sub.dyn.example";
  for (const kind of ["ask", "set"]) {
    const world = new World(time, {}, { zones: ["dyn.example", apex] });
    await world.set(B, "192.0.2.1");
    if (kind === "set") await world.set(apex, "192.0.2.1");
    await time.pass(1000);
    world.server.zone(apex).isSilent = true;
    world.ask(apex, "192.0.2.2");
    const healthy = world.ask(B, "192.0.2.2");
    await time.pass(1000);
    assertEquals(healthy.result, "OK", kind);
    await time.pass(20_000);
  }
});

test("an address that changes faster than the nameserver answers is set all the same", async (time) => {
  const world = new World(time, { recheck: 0 }, { delay: 20 });
  const first = world.ask(A, "192.0.2.1");
  for (let i = 0; i < 50; i++) {
    await time.pass(10);
    world.ask(A, `192.0.2.${2 + i}`);
  }
  assertEquals(first.result, "OK");
  assert(first.took < 100, `${first.took} ms`);
});

test("another ttl is set, unless the record was found at the start", async (time) => {
  const world = new World(time);
  assertEquals(await world.set(A, "192.0.2.1", 30), "OK");
  assertEquals(await world.set(A, "192.0.2.1", 60), "OK");
  assertEquals(world.lines.at(-1), "info: a.dyn.example A 192.0.2.1 -> 192.0.2.1 (ttl 60)");
  assertEquals(world.updater.set([change(A, "192.0.2.1", 60)]), ["UPTODATE"]);
  world.server.put(`${B} A`, "192.0.2.1");
  for (const ttl of [30, 60]) assertEquals(await world.set(B, "192.0.2.1", ttl), "UPTODATE");
  assertEquals(world.counts, [2, 2]);
  // After recheck, too.
  await time.pass(300_000);
  assertEquals(await world.set(A, "192.0.2.1", 90), "OK");
  assertEquals(await world.set(B, "192.0.2.1", 90), "UPTODATE");
});

test("set() is BUSY where maxWaiting records wait, but not for these", async (time) => {
  const world = new World(time, { maxWaiting: 2 }, { delay: 40 });
  const asked = [A, B, C, A].map((name, i) => world.ask(name, `192.0.2.${i}`));
  await time.pass(500);
  assertEquals(results(asked), ["OK", "OK", "BUSY", "OK"]);
  assertEquals(world.server.get(`${A} A`), "192.0.2.3");
});

test(
  "set() is BUSY where maxWaiters wait for one record, and the newest of these wins",
  async (time) => {
    const world = new World(time, { maxWaiters: 2 }, { delay: 40 });
    const asked = [1, 2, 3].map((i) => world.ask(A, `192.0.2.${i}`));
    await time.pass(500);
    assertEquals(results(asked), ["OK", "OK", "BUSY"]);
    assertEquals(world.server.get(`${A} A`), "192.0.2.2");
  },
);

test("everything that ends makes room for others, in whichever way", async (time) => {
  const world = new World(time, { maxWaiting: 1 });
  const ways: [string, () => void][] = [
    ["OK", () => {}],
    ["FAIL", () => world.server.refused.add(A)],
    ["FAIL", () => world.server.zones.clear()],
    ["FAIL", () => world.server.isReachable = false],
  ];
  let address = 0;
  for (const [result, prepare] of ways) {
    prepare();
    for (let i = 0; i < 3; i++) assertEquals(await world.set(A, `192.0.2.${++address}`), result);
  }
});

test("the log tells the old and the new address, and which are not public", async (time) => {
  const world = new World(time);
  for (const address of ["192.0.2.1", "10.0.0.1", undefined, "::1"]) await world.set(A, address);
  assertEquals(world.lines, [
    "info: a.dyn.example A ? -> 192.0.2.1",
    "info: a.dyn.example A 192.0.2.1 -> 10.0.0.1 (private)",
    "info: a.dyn.example A 10.0.0.1 -> none",
    "info: a.dyn.example AAAA ? -> ::1 (loopback)",
  ]);
});

test("the log says why a record is changed that nobody asked for, until somebody does", async (time) => {
  const world = new World(time);
  await world.set(A, "192.0.2.1");
  const noted = { ...change(A, undefined), note: "no call for 2 days" };
  const [first, second] = [world.updater.set([noted]), world.ask(A, "192.0.2.2")];
  await time.pass(100);
  // They hear what is true of the newest.
  assertEquals([await first, second.result], [["OK"], "OK"]);
  const again = world.updater.set([noted]);
  await time.pass(100);
  assertEquals(await again, ["OK"]);
  assertEquals(world.lines.slice(1), [
    "info: a.dyn.example A 192.0.2.1 -> 192.0.2.2",
    "info: a.dyn.example A 192.0.2.2 -> none (no call for 2 days)",
  ]);
});

test("a record that is not there has no TTL that could be another", async (time) => {
  const world = new World(time, { recheck: 1000 });
  await world.set(A, "192.0.2.1");
  await world.set(A, undefined);
  const { length } = world.server.sent("set");
  for (const pause of [0, 2000]) {
    await time.pass(pause);
    assertEquals(await world.set(A, undefined, 60), "UPTODATE");
  }
  assertEquals(world.server.sent("set").length, length);
});

test("the log gets 50 lines a second when changes fail", async (time) => {
  const world = new World(time);
  world.server.isReachable = false;
  const asked = times(200, (i) => world.ask(`h${i}.dyn.example`, "192.0.2.1"));
  await time.pass(900);
  assertEquals(soMany(asked), { FAIL: 200 });
  assertEquals(world.lines.length, 50);
});

test("one answer that is lost does not make a zone silent that answers others", async (time) => {
  const world = new World(time);
  await world.set(A, "192.0.2.1");
  world.server.deliver = () => ({ takesEffect: false, answer: { kind: "late", reason: "" } });
  world.ask(A, "192.0.2.2");
  for (const name of ["d.dyn.example", "e.dyn.example", "f.dyn.example"]) {
    await time.pass(200);
    world.server.put(`${name} A`, "192.0.2.1");
    assertEquals(await world.set(name, "192.0.2.1"), "UPTODATE");
    assertEquals(world.server.messages.at(-1)!.zone, undefined, name);
  }
  // They would be asked for where they were, and not in a zone that was split off since.
  await time.pass(20_000);
});
