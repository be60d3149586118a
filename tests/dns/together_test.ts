/** Records that are set in one UPDATE: those of one name, or of one request in one zone. */

import { assert, assertEquals } from "@std/assert";
import { parseAddress } from "../../lib/address.ts";
import { type Change, recordType } from "../../lib/change.ts";
import { type Result, Updater, type UpdaterOptions } from "../../lib/dns/updater.ts";
import { parseHostname, parseZoneName } from "../../lib/hostname.ts";
import { createLog } from "../../lib/log.ts";
import { Zones } from "../../lib/zones.ts";
import { type FakeTime, withFakeTime } from "../fake_time.ts";
import { belowFrom } from "../support.ts";
import { FakeNameserver } from "./fake_nameserver.ts";

const ZONE = "dyn.example";
const HOST = `home.${ZONE}`;

function change(name: string, text: string): Change {
  const address = parseAddress(text)!;
  return { name: parseHostname(name), type: recordType(address), ttl: 30, address };
}

const both = (name: string, number: number): Change[] => [
  change(name, `192.0.2.${number}`),
  change(name, `2001:db8::${number}`),
];

interface World {
  time: FakeTime;
  server: FakeNameserver;
  updater: Updater;
  set: (changes: readonly Change[], belongTogether?: boolean) => Promise<readonly Result[]>;
  /** The sets since it was called last, each with how many records it had. */
  sets: () => number[];
}

async function withWorld(
  body: (world: World) => Promise<void>,
  options: Partial<UpdaterOptions> = {},
): Promise<void> {
  await withFakeTime(async (time) => {
    const server = new FakeNameserver(time, ZONE, "silent.example");
    const updater = new Updater({
      nsupdate: server,
      zones: new Zones(),
      minInterval: 0,
      recheck: 300_000,
      log: createLog({ write: () => {} }),
      now: time.now,
      ...options,
    });
    let seen = 0;
    const sets = () => {
      const fresh = server.messages.slice(seen).filter(({ kind }) => kind === "set");
      seen = server.messages.length;
      return fresh.map(({ records }) => records.length);
    };
    const set: World["set"] = async (...args) => await updater.set(...args);
    await body({ time, server, updater, sets, set });
    await time.pass(60_000);
    assertEquals(server.underWay, 0, "a message is under way for ever");
  });
}

/** A router with both, and the hosts behind it with an IPv6 address each. */
const household = (names: readonly string[], number: number): Change[] => [
  ...both(HOST, number),
  ...names.map((name, i) => change(name, `2001:db8:${number}::${i + 1}`)),
];

const nameserver = { endpoint: undefined, keyFile: undefined };
const configured = new Zones([{ name: parseZoneName(ZONE), nameserver, ttl: 30 }]);

for (const zones of [new Zones(), configured]) {
  const how = zones === configured ? "of the configuration" : "that must be found";
  for (const distance of [0, 20]) {
    Deno.test(`both go in one UPDATE, ${distance} ms away in a zone ${how}`, async () => {
      await withWorld(async ({ time, server, set, sets }) => {
        server.distance = distance;
        for (const pause of [0, 50, 200, 5000]) {
          for (const number of [1, 2, 3]) {
            const setting = set(both(HOST, 10 * number + pause % 7));
            await time.pass(3000);
            assertEquals([pause, number, await setting], [pause, number, ["OK", "OK"]]);
            assertEquals([pause, number, sets()], [pause, number, [2]]);
            await time.pass(pause);
          }
        }
        const again = set(both(HOST, 30 + 5000 % 7));
        await time.pass(3000);
        assertEquals(await again, ["UPTODATE", "UPTODATE"]);
        assertEquals(sets(), []);
      }, { zones });
    });
  }
}

Deno.test("one that is so already is not waited for, and not set", async () => {
  await withWorld(async ({ server, set, sets }) => {
    await set([change(HOST, "192.0.2.1")]);
    assertEquals(sets(), [1]);
    assertEquals(await set(both(HOST, 1)), ["UPTODATE", "OK"]);
    assertEquals(sets(), [1]);
    server.zones.get(ZONE)!.set(`new.${ZONE} A`, "192.0.2.7");
    assertEquals(await set(both(`new.${ZONE}`, 7)), ["UPTODATE", "OK"]);
    assertEquals(sets(), [1]);
  });
});

Deno.test("both wait for the interval of either, and the newest addresses win", async () => {
  await withWorld(async ({ time, server, set, sets }) => {
    await set([change(HOST, "192.0.2.1")]);
    sets();
    await time.pass(2000);
    const first = set(both(HOST, 2));
    const second = set([change(HOST, "2001:db8::3")]);
    await time.pass(2900);
    assertEquals(sets(), []);
    await time.pass(200);
    assertEquals([await first, await second], [["OK", "OK"], ["OK"]]);
    assertEquals(sets(), [2]);
    assertEquals([server.lookUp(HOST), server.lookUp(HOST, "AAAA")], ["192.0.2.2", "2001:db8::3"]);
  }, { minInterval: 5000 });
});

Deno.test("flush() makes both that wait for an interval, in one UPDATE", async () => {
  await withWorld(async ({ updater, set, sets }) => {
    await set(both(HOST, 1));
    const setting = set(both(HOST, 2));
    updater.flush();
    assertEquals(await setting, ["OK", "OK"]);
    assertEquals(sets(), [2, 2]);
  }, { minInterval: 5000 });
});

Deno.test("several hosts of one request: each host's in one UPDATE", async () => {
  await withWorld(async ({ server, set }) => {
    const names = Array.from({ length: 10 }, (_, i) => `h${i}.${ZONE}`);
    for (const number of [1, 2]) {
      const results = await set(names.flatMap((name) => both(name, number)));
      assertEquals(new Set(results), new Set(["OK"]));
    }
    for (const { kind, records } of server.messages) {
      if (kind !== "set") continue;
      for (const name of names) {
        const own = records.filter((record) => record.startsWith(`${name} `));
        assert(own.length !== 1, `apart: ${records}`);
      }
    }
  });
});

Deno.test("what one waits for in vain, the other does not wait for once more", async () => {
  await withWorld(async ({ time, server, set }) => {
    await set([change(HOST, "192.0.2.1")]);
    server.silent.add("*");
    const started = time.now();
    let took = 0;
    const setting = set(both(HOST, 2)).finally(() => took = time.now() - started);
    await time.pass(60_000);
    assertEquals(await setting, ["FAIL", "FAIL"]);
    assert(took <= server.timeout, `it took ${took} ms`);
    server.silent.clear();
    const again = set(both(HOST, 2));
    await time.pass(1000);
    assertEquals(await again, ["OK", "OK"]);
  });
  await withWorld(async ({ server, set }) => {
    await set([change(HOST, "192.0.2.1")]);
    server.isGone = true;
    assertEquals(await set(both(HOST, 2)), ["FAIL", "FAIL"]);
    server.isGone = false;
    server.refused.add(HOST);
    assertEquals(await set(both(HOST, 2)), ["FAIL", "FAIL"]);
    server.refused.clear();
    assertEquals(await set(both(HOST, 2)), ["OK", "OK"]);
  });
});

Deno.test("one that is on its way already is not waited for by the other", async () => {
  for (const zones of [new Zones(), configured]) {
    await withWorld(async ({ time, server, set }) => {
      server.distance = 20;
      const first = set(both(HOST, 1));
      await time.pass(5000);
      const single = set([change(HOST, "2001:db8::2")]);
      const second = set(both(HOST, 3));
      await time.pass(5000);
      assertEquals([await first, await single, await second].flat(), Array(5).fill("OK"));
      assertEquals([server.lookUp(HOST), server.lookUp(HOST, "AAAA")], [
        "192.0.2.3",
        "2001:db8::3",
      ]);
    }, { zones });
  }
});

for (const zones of [new Zones(), configured]) {
  const how = zones === configured ? "of the configuration" : "that must be found";
  for (const distance of [0, 20]) {
    Deno.test(`a household goes in one UPDATE, ${distance} ms away in a zone ${how}`, async () => {
      await withWorld(async ({ time, server, set, sets }) => {
        server.distance = distance;
        const names = [`nas.${ZONE}`, `nas.${HOST}`, ZONE, `a.b.c.${ZONE}`];
        for (const pause of [0, 50, 200, 5000]) {
          for (const number of [1, 2, 3]) {
            const setting = set(household(names, 10 * number + pause % 7), true);
            await time.pass(3000);
            assertEquals([pause, number, new Set(await setting)], [pause, number, new Set(["OK"])]);
            assertEquals([pause, number, sets()], [pause, number, [6]]);
            await time.pass(pause);
          }
        }
      }, { zones });
    });
  }

  Deno.test(`who is refused goes apart from its household, in a zone ${how}`, async () => {
    await withWorld(async ({ time, server, set, sets }) => {
      const names = [`nas.${ZONE}`, `cam.${ZONE}`, `tv.${ZONE}`];
      server.refused.add(`cam.${ZONE}`);
      for (const number of [1, 2, 3]) {
        const setting = set(household(names, number), true);
        await time.pass(1000);
        assertEquals(await setting, ["OK", "OK", "OK", "FAIL", "OK"]);
        // At first it is looked for.
        const made = sets();
        if (number > 1) assertEquals(made.toSorted(), [1, 4]);
        await time.pass(60_000);
      }
      server.refused.clear();
      for (const expected of [[1, 4], [5]]) {
        const setting = set(household(names, 5 + expected.length), true);
        await time.pass(1000);
        assertEquals(await setting, Array(5).fill("OK"));
        assertEquals(sets().toSorted(), expected);
      }
    }, { zones });
  });
}

Deno.test("a household in two zones: each zone's in one UPDATE, and none waits for the other", async () => {
  await withWorld(async ({ time, server, set, sets }) => {
    server.distance = 5;
    const other = ["nas.silent.example", "cam.silent.example"];
    const names = [`nas.${ZONE}`, ...other];
    for (const number of [1, 2, 3]) {
      const setting = set(household(names, number), true);
      await time.pass(1000);
      assertEquals(await setting, Array(5).fill("OK"));
      // At first they are not known to be in one zone.
      if (number > 1) assertEquals(sets().toSorted(), [2, 3]);
      else sets();
    }
    server.silent.add("silent.example");
    const setting = set(household(names, 4), true);
    await time.pass(100);
    assertEquals([server.lookUp(HOST), server.lookUp(`nas.${ZONE}`, "AAAA")], [
      "192.0.2.4",
      "2001:db8:4::1",
    ]);
    await time.pass(60_000);
    assertEquals(await setting, ["OK", "OK", "OK", "FAIL", "FAIL"]);
  });
});

Deno.test("who is in no zone, or in a silent one, does not take its household along", async () => {
  const zoneFirst = ["nowhere.example", "silent.example"];
  for (const zones of [new Zones(), configured]) {
    for (const silent of [...zoneFirst, "nas.silent.example"]) {
      await withWorld(async ({ time, server, set }) => {
        await set(both(HOST, 1));
        server.silent.add(silent);
        const name = silent.startsWith("nas.") ? silent : `nas.${silent}`;
        const setting = set(household([name], 2), true);
        await time.pass(100);
        // Whose zone is not known may be in theirs, and is waited for, but not for long.
        const early = zoneFirst.includes(silent) ? "192.0.2.2" : "192.0.2.1";
        assertEquals([silent, server.lookUp(HOST)], [silent, early]);
        await time.pass(500);
        assertEquals([silent, server.lookUp(HOST)], [silent, "192.0.2.2"]);
        await time.pass(60_000);
        assertEquals([silent, await setting], [silent, ["OK", "OK", "FAIL"]]);
        assertEquals([silent, server.lookUp(HOST)], [silent, "192.0.2.2"]);
      }, { zones });
    }
  }
});

Deno.test("a household waits for the interval of each, and for no silent one", async () => {
  await withWorld(async ({ time, server, set, sets }) => {
    const names = [`nas.${ZONE}`, `cam.${ZONE}`];
    await set(household(names, 1), true);
    await time.pass(10_000);
    await set([change(names[0]!, "2001:db8:99::1")]);
    await time.pass(2000);
    const silent = "new.silent.example";
    server.silent.add(silent);
    const setting = set(household([...names, silent], 2), true);
    sets();
    await time.pass(2900);
    assertEquals(sets(), []);
    await time.pass(1000);
    assertEquals(sets(), [4]);
    await time.pass(10_000);
    assertEquals(await setting, ["OK", "OK", "OK", "OK", "FAIL"]);
  }, { minInterval: 5000 });
});

Deno.test("households that are changed at once have one UPDATE each, or one together", async () => {
  await withWorld(async ({ time, server, set }) => {
    const homes = Array.from({ length: 100 }, (_, home) => {
      const names = Array.from({ length: 3 + home % 30 }, (_, i) => `h${i}.home${home}.${ZONE}`);
      return (number: number) =>
        household(names, number).map((change) =>
          change.name === HOST ? { ...change, name: parseHostname(`home${home}.${ZONE}`) } : change
        );
    });
    for (const number of [1, 2]) {
      const settings = homes.map(async (home, i) => {
        await new Promise((resolve) => setTimeout(resolve, i % 7));
        return await set(home(number), true);
      });
      await time.pass(5000);
      assertEquals(new Set((await Promise.all(settings)).flat()), new Set(["OK"]));
    }
    for (const [home] of homes.entries()) {
      const own = server.messages.filter(({ kind, records }) =>
        kind === "set" && records.some((record) => record.includes(`home${home}.`))
      );
      assertEquals([home, own.length], [home, 2]);
    }
  }, { zones: configured });
});

Deno.test("a household that is too big for one UPDATE goes in several", async () => {
  await withWorld(async ({ time, server, set, sets }) => {
    server.distance = 5;
    const table: [hosts: number, sets: number[]][] = [
      [498, [500]],
      [700, [202, 500]],
      [4998, Array(10).fill(500)],
    ];
    for (const [i, [hosts, expected]] of table.entries()) {
      const names = Array.from({ length: hosts }, (_, i) => `h${i}.${ZONE}`);
      const setting = set(household(names, i + 1), true);
      await time.pass(200_000);
      assertEquals(new Set(await setting), new Set(["OK"]));
      assertEquals(sets().toSorted((a, b) => a - b), expected);
    }
  }, { zones: configured });
});

Deno.test("who is new in a household goes in one UPDATE with it", async () => {
  for (const zones of [new Zones(), configured]) {
    await withWorld(async ({ time, set, sets }) => {
      const names = [`nas.${ZONE}`, `tv.${HOST}`];
      for (const number of [0, 1, 2]) {
        const setting = set(household(names.slice(0, number), number), true);
        await time.pass(1000);
        assertEquals(new Set(await setting), new Set(["OK"]));
        assertEquals([number, sets()], [number, [2 + number]]);
      }
    }, { zones });
  }
});

const OTHERS = [`nas.${ZONE}`, ZONE, "x.silent.example", "x.nowhere.example"];

Deno.test("random requests for both and for either, and faults: all are answered, and the last is true", async () => {
  const seed = Date.now() >>> 0;
  const below = belowFrom(seed);
  for (let round = 0; round < 1000; round++) {
    const options = {
      minInterval: [0, 20, 3000][below(3)]!,
      recheck: [0, 100, 300_000][below(3)]!,
      maxWaiting: [3, 1000][below(2)]!,
      zones: [new Zones(), configured][below(2)]!,
    };
    await withWorld(async ({ time, server, updater, set }) => {
      server.distance = [0, 1, 30, 700][below(4)]!;
      server.timeout = 2000;
      let unanswered = 0;
      for (let i = 0; i < 60; i++) {
        const name = [
          HOST,
          ...OTHERS,
        ][below(5)]!;
        const all = both(name, 1 + below(3)).map((change) =>
          below(8) === 0 ? { ...change, address: undefined } : change
        );
        const some = below(3) === 0 ? [all[below(2)]!] : all;
        const others = household(OTHERS, 1 + below(3)).slice(2)
          .filter((change) => change.name !== name && below(2) === 0);
        const isHousehold = below(3) === 0;
        const changes = isHousehold ? [...some, ...others] : some;
        unanswered++;
        void set(changes, isHousehold).then((results) => {
          unanswered--;
          assertEquals(results.length, changes.length);
        });
        if (below(8) === 0) server.isGone = !server.isGone;
        if (below(8) === 0) server.refused.add(name);
        if (below(4) === 0) server.refused.clear();
        if (below(8) === 0) server.silent.add(["*", ZONE, "silent.example", name][below(4)]!);
        if (below(3) === 0) server.silent.clear();
        if (below(10) === 0) server.zones.get(ZONE)!.delete(`${HOST} A`);
        await time.pass([0, 0, 1, 30, 150, 2500][below(6)]!);
      }
      server.isGone = false;
      server.refused.clear();
      server.silent.clear();
      await time.pass(120_000);
      assertEquals(unanswered, 0, `seed ${seed}, round ${round}: somebody waits for ever`);
      assertEquals([...updater.unfinished()].filter(({ pending }) => pending), []);
      const last = set(both(HOST, 9));
      await time.pass(30_000);
      const told = (await last).filter((result) => result === "OK" || result === "UPTODATE");
      assertEquals(told.length, 2, `seed ${seed}, round ${round}`);
      assertEquals([server.lookUp(HOST), server.lookUp(HOST, "AAAA")], [
        "192.0.2.9",
        "2001:db8::9",
      ]);
    }, options);
  }
});
