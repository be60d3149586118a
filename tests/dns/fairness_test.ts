import { assert, assertEquals } from "@std/assert";
import { parseHostname } from "../../lib/hostname.ts";
import { Zones } from "../../lib/zones.ts";
import { test } from "../fake_time.ts";
import { type Asked, soMany, times, World, zoneNamed } from "./world.ts";

const HOSTS = times(300, (i) => `h${i}.dyn.example`);
const HEALTHY = "healthy.dyn.example", NEW = "new.dyn.example";

function assertSoon({ result, took }: Asked, most: number, what: string): void {
  assertEquals(result, "OK", what);
  assert(took <= most, `${what} took ${took} ms`);
}

test("a healthy host is not held up by 300 that were refused before", async (time) => {
  for (const [delay, findingDelay] of [[40, 1], [40, 40], [160, 1], [160, 160]] as const) {
    const world = new World(time, { minInterval: 5000 }, { delay });
    Object.assign(world.server, { findingDelay });
    for (const name of HOSTS) world.server.refused.add(name);
    for (const name of [HEALTHY, ...HOSTS]) world.ask(name, "192.0.2.1");
    await time.pass(100_000);
    for (const position of [0, 150, 300]) {
      const what = `delay ${delay}, at ${position}`;
      const names = HOSTS.toSpliced(position, 0, HEALTHY);
      const asked = names.map((name) => world.ask(name, `192.0.2.${10 + position % 7}`));
      await time.pass(100_000);
      assertSoon(asked[position]!, 500, what);
      assertEquals(soMany(asked), { OK: 1, FAIL: 300 }, what);
    }
    for (const [i, pause] of [0, 50, 500].entries()) {
      for (const name of HOSTS) world.ask(name, `192.0.2.${20 + i}`);
      await time.pass(pause);
      const known = world.ask(HEALTHY, `192.0.2.${20 + i}`);
      const unknown = world.ask(`new${i}.dyn.example`, "192.0.2.1");
      await time.pass(100_000);
      assertSoon(known, 500, `known, ${pause} ms after them`);
      assertSoon(unknown, 800, `new, ${pause} ms after them`);
    }
    assertEquals(time.timers(), 0);
  }
});

test("of hosts that all come for the first time, each has its turn", async (time) => {
  // None is known yet to be refused: 600 messages, 16 at a time.
  for (const [delay, most] of [[40, 3000], [160, 10_000]] as const) {
    const world = new World(time, {}, { delay });
    world.server.findingDelay = delay;
    for (const name of HOSTS) world.server.refused.add(name);
    const asked = [...HOSTS.slice(150), HEALTHY, ...HOSTS.slice(0, 150)].map((name) =>
      world.ask(name, "192.0.2.1")
    );
    await time.pass(most);
    assertEquals(soMany(asked), { FAIL: 300, OK: 1 });
    assert(world.server.most <= 32, `${world.server.most} at a time`);
  }
});

test("a host of a healthy zone is not held up by 300 of silent ones", async (time) => {
  for (
    const [silent, pause] of [[1, 0], [1, 100], [1, 1000], [3, 0], [3, 100], [3, 1000]] as const
  ) {
    for (const delay of [1, 40]) {
      for (const isKnown of [false, true]) {
        for (const parent of ["", ".sub"]) {
          const what = `${silent} silent, ${pause} ms later, ${delay} ms, ${isKnown} ${parent}`;
          const zones = times(silent, (i) => `s${i}.example`);
          const world = new World(time, {}, { delay, zones: ["dyn.example", ...zones] });
          world.server.findingDelay = delay;
          const names = HOSTS.map((_, i) =>
            `a${parent === "" ? i : `.h${i}`}.${zones[i % silent]}`
          );
          if (isKnown) names.forEach((name) => world.ask(name, "192.0.2.1"));
          world.ask(HEALTHY, "192.0.2.1");
          await time.pass(20_000);
          for (const zone of zones) world.server.zone(zone).isSilent = true;
          const asked = names.map((name) => world.ask(name, "192.0.2.2"));
          await time.pass(pause);
          const healthy = [world.ask(HEALTHY, "192.0.2.2"), world.ask(NEW, "192.0.2.2")];
          await time.pass(30_000);
          for (const one of healthy) assertSoon(one, 500, what);
          assertEquals(soMany(asked), { FAIL: 300 }, what);
          assertEquals(time.timers(), 0, what);
        }
      }
    }
  }
});

test("a silent zone that the configuration names holds up no other", async (time) => {
  const zones = new Zones(["dyn.example", "s.example"].map(zoneNamed));
  const world = new World(time, { zones }, { zones: ["dyn.example", "s.example"] });
  world.server.zone("s.example").isSilent = true;
  const asked = times(300, (i) => world.ask(`h${i}.s.example`, "192.0.2.1"));
  const healthy = world.ask(HEALTHY, "192.0.2.1");
  await time.pass(20_000);
  assertSoon(healthy, 10, "healthy");
  assertEquals(soMany(asked), { FAIL: 300 });
});

test("all of a silent zone fail after one timeout, and find it when it answers again", async (time) => {
  const world = new World(time);
  world.server.zone("dyn.example").isSilent = true;
  const asked = HOSTS.map((name) => world.ask(name, "192.0.2.1"));
  await time.pass(12_100);
  assertEquals(soMany(asked), { FAIL: 300 });
  world.server.zone("dyn.example").isSilent = false;
  const again = HOSTS.map((name) => world.ask(name, "192.0.2.1"));
  await time.pass(2000);
  assertEquals(soMany(again), { OK: 300 });
});

test("a nameserver that is unreachable fails 300 at once", async (time) => {
  const world = new World(time);
  world.server.isReachable = false;
  const asked = HOSTS.map((name) => world.ask(name, "192.0.2.1"));
  await time.pass(10);
  assertEquals(soMany(asked), { FAIL: 300 });
  assert(world.server.messages.length <= 20, `${world.server.messages.length} messages`);
});

test("a healthy host is not held up by 300 that are known to be in no zone", async (time) => {
  const world = new World(time, {}, { delay: 40 });
  world.server.findingDelay = 160;
  const names = HOSTS.map((name) => parseHostname(name.replace("dyn.example", "nowhere.example")));
  for (const name of names) world.ask(name, "192.0.2.1");
  await time.pass(100_000);
  const asked = names.toSpliced(150, 0, parseHostname(HEALTHY)).map((name) =>
    world.ask(name, "192.0.2.2")
  );
  await time.pass(100_000);
  assertSoon(asked[150]!, 1000, "healthy");
});
