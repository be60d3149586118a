import { assertEquals } from "@std/assert";
import { parseHostname, parseZoneName } from "../lib/hostname.ts";
import { Zones } from "../lib/zones.ts";

Deno.test("Zones.of() is the longest zone that ends the name, at a label's boundary", () => {
  const names = ["dyn.example", "home.dyn.example", "example", "sft.mx"];
  const zones = new Zones(names.map((name) => ({
    name: parseZoneName(name),
    nameserver: { endpoint: undefined, keyFile: undefined },
    ttl: 30,
  })));
  const table: [string, string | undefined][] = [
    ["dyn.example", "dyn.example"],
    ["h.dyn.example", "dyn.example"],
    ["home.dyn.example", "home.dyn.example"],
    ["a.b.home.dyn.example", "home.dyn.example"],
    ["*.home.dyn.example", "home.dyn.example"],
    ["nothome.dyn.example", "dyn.example"],
    ["notdyn.example", "example"],
    ["a.notsft.mx", undefined],
    ["a.mx", undefined],
  ];
  for (const [name, zone] of table) {
    assertEquals([name, zones.of(parseHostname(name))?.name as string | undefined], [name, zone]);
  }
  assertEquals(new Zones().of(parseHostname("h.dyn.example")), undefined);
  assertEquals(zones.all.length, 4);
});
