import { assert, assertEquals } from "@std/assert";
import { parseHostname } from "../../lib/hostname.ts";
import { HostRecord } from "../../lib/dns/host_record.ts";
import { Pace } from "../../lib/dns/pace.ts";
import { type Item, type Part, partsOf, ZoneQueue } from "../../lib/dns/zone_queue.ts";

/** Milliseconds, where nothing is known of how fast it answers. */
const SILENCE = new Pace().silence;

function queue(): ZoneQueue {
  return new ZoneQueue("dyn.example", false, new Pace(), () => 0, () => Promise.resolve());
}

function items(count: number): Item[] {
  return Array.from({ length: count }, (_, i) => {
    const name = parseHostname(`h${i}.dyn.example`);
    const record = new HostRecord(name, "A");
    return { record, change: { name, type: "A", ttl: 30, address: undefined }, pending: undefined };
  });
}

const sizes = (parts: Part[]) => parts.map((part) => "items" in part ? part.items.length : NaN);

Deno.test("partsOf() halves, and takes the siblings of one that was broken in eight", () => {
  const table: [number, number, number[]][] = [
    [2, 0, [1, 1]],
    [3, 0, [2, 1]],
    [500, 0, [250, 250]],
    [250, 1, [32, 32, 32, 32, 32, 32, 32, 26]],
    [3, 1, [1, 1, 1]],
    [9, 1, [2, 2, 2, 2, 1]],
  ];
  for (const [count, broken, expected] of table) {
    assertEquals(sizes(partsOf("set", items(count), { broken })), expected);
  }
});

Deno.test("partsOf() keeps every item, in order, and counts what is broken", () => {
  const all = items(77);
  const siblings = { broken: 0 };
  const parts = partsOf("ask", all, siblings);
  assertEquals(parts.flatMap((part) => "items" in part ? part.items : []), all);
  assertEquals(siblings.broken, 1);
  const [first, second] = parts.map((part) => "siblings" in part ? part.siblings : undefined);
  assert(first === second && first !== siblings);
});

Deno.test("a zone is silent when what was sent last got no answer for a while", () => {
  const zone = queue();
  assertEquals(zone.isSilent(0), false);
  const ends = [zone.begin(1000).end, zone.begin(1100).end];
  assertEquals(zone.isSilent(1000 + SILENCE - 1), false);
  assertEquals(zone.isSilent(1000 + SILENCE), true);
  ends[0]!();
  assertEquals(zone.isSilent(1000 + SILENCE), false);
  assertEquals(zone.isSilent(1100 + SILENCE), true);
  ends[1]!();
  assertEquals([zone.isSilent(9999), zone.isIdle], [false, true]);
});

Deno.test("a zone that answered what was sent later is not silent", () => {
  const zone = queue();
  const end = zone.begin(1000).end;
  zone.answered(1200);
  assertEquals(zone.isSilent(5000), false);
  zone.begin(5000);
  assertEquals(zone.isSilent(5000 + SILENCE), true);
  end();
});

Deno.test("a zone that was silent is distrusted for a minute, and so are its refusals", () => {
  const zone = queue();
  assertEquals([zone.wasSilent(0), zone.isSuspicious(0)], [false, false]);
  zone.late(1000);
  zone.refused(2000);
  assertEquals([zone.wasSilent(60_999), zone.isSuspicious(61_999)], [true, true]);
  assertEquals([zone.wasSilent(61_000), zone.isSuspicious(62_000)], [false, false]);
});

Deno.test("a zone is idle when nothing waits and nothing is under way", () => {
  const zone = queue();
  const [{ record }] = items(1) as [Item];
  assert(zone.isIdle);
  zone.asks.add(record);
  assert(!zone.isIdle);
  zone.asks.clear();
  zone.sets.add(record);
  assert(!zone.isIdle);
  zone.sets.clear();
  const end = zone.begin(0).end;
  assertEquals([zone.isIdle, zone.underWay], [false, 1]);
  end();
  assert(zone.isIdle);
});

Deno.test("a message that waits for a session is no silence until it was sent", () => {
  const zone = queue();
  const message = zone.begin();
  zone.begin();
  assertEquals([zone.isSilent(100_000), zone.underWay], [false, 2]);
  message.sent(100_000);
  assertEquals(zone.isSilent(100_000 + SILENCE - 1), false);
  assertEquals(zone.isSilent(100_000 + SILENCE), true);
});

Deno.test("a zone that answers may have all sessions, a new one most, a silent one few", () => {
  const zone = queue();
  assertEquals(zone.share(0), 0.75);
  zone.answered(1000);
  assertEquals(zone.share(1000), 1);
  zone.late(2000);
  assertEquals(zone.share(1_000_000), 0.25);
  zone.answered(1_000_001);
  assertEquals(zone.share(1_000_001), 1);
  zone.begin(1_000_002);
  assertEquals(zone.share(1_000_002 + SILENCE), 0.25);
});
