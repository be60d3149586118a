import { assert, assertEquals } from "@std/assert";
import type { Answer } from "../../lib/dns/nsupdate.ts";
import type { Result } from "../../lib/dns/updater.ts";
import { Zones } from "../../lib/zones.ts";
import { generator } from "../support.ts";
import { type FakeTime, withFakeTime } from "../fake_time.ts";
import { change, times, World, zoneNamed } from "./world.ts";

/** An UPDATE of which the answer was lost, and which takes effect later. */
interface Lost {
  readonly address: string;
  /** Whether the nameserver has answered for its record since: by the next question it has come. */
  mustCome: boolean;
}

interface Request {
  readonly record: string;
  readonly address: string;
  readonly at: number;
  /** The longest while it waited. */
  recheck: number;
  result?: Result;
  answeredAt?: number;
  /** What could be seen at its answer, and who had made it so. */
  seen?: string;
  cause?: string;
}

const SUB = "sub.dyn.example";
const NAMES = [
  ...times(5, (i) => `h${i}.dyn.example`),
  SUB,
  `x.${SUB}`,
  `y.${SUB}`,
  "z.other.example",
  "n.nowhere.example",
];
const TIMEOUT = 1000;
/** Milliseconds for which what is sent to a zone may miss that it was split, after recheck. */
const SPLIT = 3000;

/** Random requests before a nameserver to which everything happens that may. */
async function simulate(seed: number, time: FakeTime): Promise<void> {
  const random = generator(seed);
  const below = (most: number) => Math.floor(random() * most);
  const chance = (share: number) => random() < share;
  const pick = <T>(all: readonly T[]): T => all[below(all.length)]!;
  const { now, pass } = time;

  let recheck = pick([0, 100, 300_000]);
  const maxWaiting = pick([5, 1000]);
  const world = new World(time, {
    recheck,
    minInterval: pick([0, 20, 1000]),
    maxWaiting,
    maxWaiters: pick([2, 64]),
  }, { zones: ["dyn.example", "other.example"], delay: pick([1, 20, 120]) });
  const { server } = world;
  server.timeout = TIMEOUT;
  server.findingDelay = pick([1, 30]);
  server.refusesAsks = chance(0.2);

  const lost = new Map<string, Lost[]>();
  let isCalm = false;
  const splitAt: number[] = [];
  const silentAt: number[] = [];
  server.before = (record, kind) => {
    const all = lost.get(record) ?? [];
    lost.set(
      record,
      all.filter(({ address, mustCome }) => {
        if (!isCalm && !mustCome && !chance(0.3)) return true;
        server.put(record, address, "lost");
        return false;
      }),
    );
    // What comes after this is too late for it.
    if (kind === "ask") { for (const one of lost.get(record)!) one.mustCome = true; }
  };
  server.deliver = (_, changes) => {
    if (isCalm || chance(0.8)) return { takesEffect: true };
    const answer = pick<Answer>([
      { kind: "late", reason: "no answer" },
      { kind: "failed", reason: "nsupdate ended" },
      { kind: "yes", isUnsure: true },
    ]);
    const effect = answer.kind === "yes" ? "now" : pick(["never", "now", "later"]);
    if (effect === "later" || (answer.kind === "yes" && chance(0.5))) {
      for (const { name, type, address } of changes) {
        const record = `${name} ${type}`;
        const one = { address: address?.text ?? "none", mustCome: false };
        lost.set(record, [...lost.get(record) ?? [], one]);
      }
    }
    return { takesEffect: effect === "now", answer };
  };

  const requests: Request[] = [];
  const request = (name: string, address: string | undefined): Request => {
    const one = change(name, address, pick([30, 30, 60]));
    const record = `${name} ${one.type}`;
    const made: Request = { record, address: address ?? "none", at: now(), recheck };
    requests.push(made);
    const answered = ([result]: readonly Result[]) => {
      made.result = result!;
      made.answeredAt = now();
      made.recheck = Math.max(made.recheck, recheck);
      made.seen = server.get(record);
      made.cause = server.seen.get(record)?.at(-1)?.cause ?? "hand";
    };
    const results = world.updater.set([one]);
    if (results instanceof Promise) void results.then(answered);
    else answered(results);
    return made;
  };
  const toggle = (set: Set<string>, name: string) => void (set.delete(name) || set.add(name));
  const events: (() => void)[] = [
    () => toggle(server.refused, pick(NAMES)),
    () => toggle(server.aliases, pick(NAMES)),
    () => server.put(`${pick(NAMES)} A`, `198.51.100.${below(3)}`),
    () => {
      splitAt.push(now());
      server.split(SUB, !server.zones.has(SUB));
    },
    () => {
      const zone = pick([...server.zones.values()]);
      zone.isSilent = !zone.isSilent;
    },
    () => server.isReachable = !server.isReachable,
    () => {
      recheck = pick([0, 100, 300_000]);
      const names = NAMES.filter(() => chance(0.9));
      const zones = chance(0.3) ? [zoneNamed("other.example")] : [];
      world.reconfigure(
        { recheck, minInterval: pick([0, 20, 1000]), zones: new Zones(zones) },
        names,
      );
    },
  ];

  for (let i = 0; i < 200; i++) {
    const address = chance(0.1)
      ? undefined
      : chance(0.8)
      ? `192.0.2.${below(4)}`
      : `2001:db8::${1 + below(3)}`;
    request(pick(NAMES), address);
    if (chance(0.1)) pick(events)();
    if (!server.isReachable && chance(0.3)) server.isReachable = true;
    for (const zone of server.zones.values()) if (chance(0.05)) zone.isSilent = false;
    if ([...server.zones.values()].some(({ isSilent }) => isSilent)) silentAt.push(now());
    if (chance(0.6)) await pass(below(60));
    if (chance(0.01)) await pass(3000);
  }

  // All is well again.
  server.isReachable = true;
  server.refused.clear();
  server.aliases.clear();
  for (const zone of server.zones.values()) zone.isSilent = false;
  await pass(30_000);
  assertEquals(requests.filter(({ result }) => result === undefined), [], "some wait for ever");
  assertEquals(time.timers(), 0, "a timer is left");
  check(requests);

  isCalm = true;
  for (const record of new Set(requests.map(({ record }) => record))) {
    const [name, type] = record.split(" ");
    if (name === "n.nowhere.example") continue;
    const made = request(name!, type === "A" ? `192.0.2.${below(4)}` : `2001:db8::${1 + below(3)}`);
    await pass(5000);
    assert(made.result === "OK" || made.result === "UPTODATE", `${record}: ${made.result}`);
    // One that was changed by hand, or moved to another zone, is believed until recheck.
    const isBelieved = made.result === "UPTODATE" && made.answeredAt === made.at;
    if (!isBelieved) assertEquals(server.get(record), made.address, `${record}: ${made.result}`);
  }

  // Nothing of all this waits any more.
  for (const zone of server.zones.values()) zone.isSilent = true;
  if (maxWaiting < 1000) {
    const waiting = times(maxWaiting, (i) => request(`w${i}.dyn.example`, "192.0.2.1"));
    assertEquals(request("v.dyn.example", "192.0.2.1").result, "BUSY");
    assert(waiting.every(({ result }) => result === undefined), "something waits still");
    await pass(60_000);
    assert(waiting.every(({ result }) => result === "FAIL"), "a silent zone is not FAIL");
  }
  assertEquals(time.timers(), 0, "a timer is left");
  assert(server.most <= 12 + server.zones.size * 14, `${server.most} messages at a time`);

  /** What was said was so. */
  function check(requests: readonly Request[]): void {
    const groups = Map.groupBy(
      requests.filter(({ result }) => result === "OK" || result === "UPTODATE"),
      ({ record, answeredAt, result }) => `${record} ${answeredAt} ${result}`,
    );
    for (const group of groups.values()) {
      // Who waited for an address that was replaced hears what is true of the newest.
      const { record, address, at, result, answeredAt, seen, cause, recheck } = group.at(-1)!;
      const [name] = record.split(" ");
      // In a silent zone nothing is looked for: what waits is asked for where it was before.
      const wasSilent = silentAt.some((at) => at <= answeredAt! && at >= answeredAt! - SPLIT);
      const pause = wasSilent ? Infinity : SPLIT + recheck;
      const wasSplit = name!.endsWith(SUB) &&
        splitAt.some((at) => at <= answeredAt! && at >= answeredAt! - pause);
      // Who comes while a question is under way shares its answer.
      const since = result === "UPTODATE" ? at - recheck - TIMEOUT : at;
      const history = server.seen.get(record) ??
        [{ at: -Infinity, address: "none", cause: "hand" }];
      const wasSo = history.some((one, i) =>
        one.address === address && one.at <= answeredAt! &&
        (history[i + 1]?.at ?? Infinity) >= since
      );
      const what = `${record} ${address}: ${result} at ${answeredAt}, asked for at ${at}\n` +
        history.map((one) => `${one.at} ${one.address} (${one.cause})`).join("\n");
      assert(wasSo || wasSplit, `it was never so: ${what}`);
      const wasChanged = cause === "hand" || cause === "split" || cause === "lost";
      assert(seen === address || wasChanged || wasSplit, `it was not so any more: ${what}`);
    }
  }
}

Deno.test("whatever happens, what was said was so, and everybody gets an answer", async () => {
  const start = Number(Deno.env.get("SFTDYN_SEED") ?? Math.floor(Math.random() * 2 ** 31));
  const count = Number(Deno.env.get("SFTDYN_RUNS") ?? 100);
  for (let seed = start; seed < start + count; seed++) {
    try {
      await withFakeTime((time) => simulate(seed, time));
    } catch (error) {
      throw new Error(`with seed ${seed} (SFTDYN_SEED=${seed} repeats it)`, { cause: error });
    }
  }
});
