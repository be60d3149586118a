import { assertEquals } from "@std/assert";
import { Calls } from "../lib/calls.ts";
import { Clients, digest, type NewClient } from "../lib/clients.ts";
import { parseHostname } from "../lib/hostname.ts";
import { parseInterfaceId } from "../lib/prefix.ts";
import { atOnce } from "../lib/slices.ts";
import { welcome, Withdrawal } from "../lib/withdrawal.ts";
import { World } from "./dns/world.ts";
import { settle, test } from "./fake_time.ts";

const HOUR = 3_600_000;
/** Without a call for so long, hosts lose their addresses. */
const AFTER = 48 * HOUR;
const [A, B, C] = ["a", "b", "c"].map((label) => parseHostname(`${label}.dyn.example`)) as [
  ReturnType<typeof parseHostname>,
  ReturnType<typeof parseHostname>,
  ReturnType<typeof parseHostname>,
];

/** A client of these hosts. */
function client(names: readonly typeof A[], more: Partial<NewClient> = {}): NewClient {
  return { hosts: names.map((name) => ({ name, ttl: 30 })), ...more };
}

/** The clients, who lose their addresses after AFTER where they do not say otherwise. */
function configOf(...all: NewClient[]) {
  const clients = new Clients();
  for (const [i, client] of all.entries()) clients.add(digest(`${i}`), client);
  const least = Math.min(AFTER, ...all.map(({ withdrawAfter = AFTER }) => withdrawAfter));
  return { clients, withdrawal: { after: AFTER, least } };
}

/** Hosts that call a simulated nameserver's engine, and polls once a minute. */
class Watched {
  readonly world: World;
  readonly calls: Calls;
  readonly withdrawal: Withdrawal;
  config: ReturnType<typeof configOf> | undefined;

  constructor(world: World, config: ReturnType<typeof configOf>, most?: number) {
    const { now } = world.time;
    this.world = world;
    this.config = config;
    this.calls = new Calls({ now: () => 0, clock: now });
    this.withdrawal = new Withdrawal({
      config: () => this.config,
      calls: () => this.calls,
      updaters: world.updater,
      now,
      pause: () => Promise.resolve(),
      ...most !== undefined && { most },
    });
  }

  /** Calls from these addresses, and is told so. */
  async call(name: typeof A, ...addresses: string[]): Promise<void> {
    for (const address of addresses) await this.world.set(name, address);
    this.calls.called(name, "192.0.2.1", "OK");
  }

  /** Lets the time pass, with a poll at its end. */
  async poll(ms: number): Promise<void> {
    await this.world.time.pass(ms);
    const polled = this.withdrawal.poll();
    await this.world.time.pass(5000);
    await polled;
  }

  /** The lines that have come since the last look. */
  lines(): string[] {
    return this.world.lines.splice(0);
  }

  /** What the zone has of a host: its A and AAAA. */
  zone(name: typeof A): string[] {
    return ["A", "AAAA"].map((type) => this.world.server.get(`${name} ${type}`));
  }
}

test("a host that does not call loses its addresses, once, and its next call sets them again", async (time) => {
  const watched = new Watched(new World(time), configOf(client([A]), client([B])));
  const { world, calls } = watched;
  await watched.call(A, "192.0.2.1", "2001:db8::1");
  await watched.call(B, "192.0.2.2");
  await watched.poll(AFTER - HOUR);
  calls.called(B, "192.0.2.2", "UPTODATE");
  watched.lines();
  await watched.poll(HOUR);
  assertEquals(watched.lines(), [
    "info: a.dyn.example A 192.0.2.1 -> none (no call for 2 days)",
    "info: a.dyn.example AAAA 2001:db8::1 -> none (no call for 2 days)",
  ]);
  assertEquals([watched.zone(A), watched.zone(B)], [["none", "none"], ["192.0.2.2", "none"]]);
  // What is set by hand meanwhile stays.
  world.server.put(`${A} A`, "192.0.2.77");
  const { length } = world.server.messages;
  for (let i = 0; i < 3; i++) await watched.poll(6 * HOUR);
  assertEquals(world.server.messages.length, length);
  await watched.call(A, "192.0.2.3");
  calls.called(B, "192.0.2.2", "UPTODATE");
  watched.lines();
  await watched.poll(AFTER);
  assertEquals(watched.lines().sort(), [
    "info: a.dyn.example A 192.0.2.3 -> none (no call for 2 days)",
    "info: b.dyn.example A 192.0.2.2 -> none (no call for 2 days)",
  ]);
});

test("what a host had before the start is withdrawn, and where there is nothing no line says so", async (time) => {
  const watched = new Watched(new World(time), configOf(client([A, B])));
  watched.world.server.put(`${A} AAAA`, "2001:db8::1");
  await watched.poll(AFTER - 1);
  assertEquals(watched.lines(), []);
  await watched.poll(1);
  assertEquals(watched.lines(), ["info: a.dyn.example AAAA ? -> none (no call for 2 days)"]);
  // Nobody else is there who could be due.
  await watched.call(B, "192.0.2.1");
  await watched.poll(AFTER);
  assertEquals(watched.lines().slice(1), [
    "info: b.dyn.example A 192.0.2.1 -> none (no call for 2 days)",
  ]);
});

test("a host loses its addresses when the most patient of its clients has lost patience", async (time) => {
  const all = [
    client([A], { withdrawAfter: HOUR }),
    client([A, B]),
    client([C], { withdrawAfter: Infinity }),
    client([C, B], { withdrawAfter: 2 * HOUR }),
  ];
  const watched = new Watched(new World(time), configOf(...all));
  for (const name of [A, B, C]) await watched.call(name, "192.0.2.1");
  watched.lines();
  for (let hour = 1; hour < 48; hour++) await watched.poll(HOUR - 5000);
  assertEquals(watched.lines(), []);
  await watched.poll(HOUR);
  assertEquals(watched.lines().map((line) => line.split(" ")[1]).sort(), [A, B]);
  // With other settings, at once.
  watched.config = configOf(client([C], { withdrawAfter: HOUR }));
  await watched.poll(0);
  assertEquals(watched.lines(), ["info: c.dyn.example A 192.0.2.1 -> none (no call for 2 days)"]);
});

test("a host whose clients may set one family, and one behind a router, loses no more", async (time) => {
  const prefix = { length: 64, hosts: [{ name: B, id: parseInterfaceId("::1") }] };
  const config = configOf(client([A], { limits: { family: 4 }, prefix }), client([C]));
  const watched = new Watched(new World(time), config);
  for (const name of [A, B, C]) await watched.call(name, "192.0.2.1", "2001:db8::1");
  await watched.poll(AFTER);
  assertEquals([A, B, C].map((name) => watched.zone(name)), [
    ["none", "2001:db8::1"],
    ["192.0.2.1", "none"],
    ["none", "none"],
  ]);
});

test("what fails is tried again an hour later, and nothing of it any more once it succeeds", async (time) => {
  const watched = new Watched(new World(time), configOf(client([A]), client([B])));
  const { server } = watched.world;
  for (const name of [A, B]) await watched.call(name, "192.0.2.1");
  server.refused.add(A);
  watched.lines();
  await watched.poll(AFTER);
  const failure = "error: a.dyn.example A could not be set to none: ";
  const lines = watched.lines().sort();
  assertEquals([lines.length, lines[0]!.slice(0, failure.length), lines[1]], [
    2,
    failure,
    "info: b.dyn.example A 192.0.2.1 -> none (no call for 2 days)",
  ]);
  await watched.poll(HOUR - 10_000);
  assertEquals(watched.lines(), []);
  await watched.poll(10_000);
  assertEquals(watched.lines().map((line) => line.slice(0, failure.length)), [failure]);
  server.refused.delete(A);
  await watched.poll(HOUR);
  assertEquals(watched.lines(), ["info: a.dyn.example A 192.0.2.1 -> none (no call for 2 days)"]);
});

test("a host that calls while it is withdrawn keeps its address, whoever comes first", async (time) => {
  const watched = new Watched(new World(time, { minInterval: 1000 }), configOf(client([A])));
  const { world, calls, withdrawal } = watched;
  await watched.call(A, "192.0.2.1");
  await time.pass(AFTER);
  // The zone is slow, and the call is under way.
  world.server.zone("dyn.example").delay = 500;
  const first = world.ask(A, "192.0.2.2");
  await settle();
  await withdrawal.poll();
  await time.pass(2000);
  assertEquals([first.result, watched.zone(A)], ["OK", ["192.0.2.2", "none"]]);
  // It is not heard of yet: its answer is on its way.
  calls.called(A, "192.0.2.2", "OK");
  await watched.poll(0);
  assertEquals(watched.zone(A), ["192.0.2.2", "none"]);
  // The call comes after.
  await time.pass(AFTER);
  const polled = withdrawal.poll();
  await settle();
  const second = world.ask(A, "192.0.2.3");
  await time.pass(5000);
  await polled;
  assertEquals([second.result, watched.zone(A)], ["OK", ["192.0.2.3", "none"]]);
});

test("a host that calls while others are looked at, or withdrawn, keeps its address", async (time) => {
  const names = Array.from({ length: 60 }, (_, i) => parseHostname(`h${i}.dyn.example`));
  const [early, late] = [names[0]!, names[59]!];
  const config = configOf(client(names));
  let looks = 0;
  const clients = new class extends Clients {
    override *all() {
      yield* config.clients.all();
      if (++looks === 2) watched.calls.called(early, "192.0.2.1", "UPTODATE");
    }
  }();
  const watched = new Watched(new World(time), { ...config, clients });
  for (const name of names) watched.world.server.put(`${name} A`, "192.0.2.1");
  await time.pass(AFTER);
  const polled = watched.withdrawal.poll();
  await settle();
  watched.calls.called(late, "192.0.2.1", "UPTODATE");
  await time.pass(5000);
  await polled;
  assertEquals(names.filter((name) => watched.zone(name)[0] !== "none"), [early, late]);
});

for (const maxWaiting of [20, 10_000]) {
  test(`many hosts go by and by, where ${maxWaiting} changes may wait`, async (time) => {
    const names = Array.from({ length: 120 }, (_, i) => parseHostname(`h${i}.dyn.example`));
    const world = new World(time, { maxWaiting });
    const watched = new Watched(world, configOf(client(names)), 70);
    for (const name of names) world.server.put(`${name} A`, "192.0.2.1");
    const left = () => names.filter((name) => watched.zone(name)[0] !== "none").length;
    await watched.poll(AFTER);
    const first = left();
    assertEquals([first < 120, first >= 50], [true, true], `${first} left`);
    for (let i = 0; i < 12; i++) await watched.poll(60_000);
    assertEquals(left(), 0);
    assertEquals(watched.lines().filter((line) => !line.includes(" ? -> none (no call")), []);
  });
}

test("a reload in the middle ends it, as does the end", async (time) => {
  const names = Array.from({ length: 60 }, (_, i) => parseHostname(`h${i}.dyn.example`));
  const watched = new Watched(new World(time), configOf(client(names)));
  for (const name of names) watched.world.server.put(`${name} A`, "192.0.2.1");
  await time.pass(AFTER);
  const polled = watched.withdrawal.poll();
  await settle();
  watched.config = undefined;
  await time.pass(5000);
  await polled;
  assertEquals(watched.lines().length, 50);
  await watched.poll(AFTER);
  assertEquals(watched.lines(), []);
  watched.config = configOf(client(names.slice(0, 55)));
  await watched.poll(0);
  assertEquals(watched.lines().length, 5);
});

test("hosts that are new in the configuration count from now on", async (time) => {
  const calls = new Calls({ clock: time.now });
  calls.called(B, "192.0.2.1", "OK");
  await time.pass(HOUR);
  // As well where nobody can be due yet.
  const options = { before: [A], now: time.now };
  atOnce(welcome(calls, { ...options, after: [A, B, C] }));
  assertEquals([A, B, C].map((name) => calls.heardAt(name)), [1000, time.now(), time.now()]);
  assertEquals(calls.of(B)?.calledAt === undefined, false);
  const then = time.now();
  await time.pass(HOUR);
  atOnce(welcome(calls, { ...options, before: [A, B], after: [A, B, C] }));
  assertEquals([B, C].map((name) => calls.heardAt(name)), [then, time.now()], "C was gone");
});
