import { assertEquals } from "@std/assert";
import { Calls } from "../../lib/calls.ts";
import { parseHostname } from "../../lib/hostname.ts";
import { atOnce } from "../../lib/slices.ts";
import { hostReports } from "../../lib/status/report.ts";
import { host } from "./sample.ts";

const name = (label: string) => parseHostname(`${label}.dyn.example`);

Deno.test("hosts are in the order of their last call, before them those that have not called", () => {
  let clock = 0;
  const calls = new Calls({ now: () => Date.UTC(2026, 10, 5), clock: () => clock++ });
  calls.called(name("b"), "192.0.2.1", "OK");
  calls.changed(name("b"));
  calls.called(name("a"), "192.0.2.2", "UPTODATE");
  calls.failed(name("a"), "why");
  calls.called(name("b"), "192.0.2.3", "FAIL");
  const options = {
    calls,
    names: ["z", "a", "y", "a"].map(name),
    hasOthers: true,
    addressOf: (own: string, type: string) => own === name("b") ? `${type} of b` : undefined,
  };
  const { hosts, leftOut } = atOnce(hostReports(options));
  assertEquals([...hosts, leftOut], [
    host(name("y")),
    host(name("z")),
    host(name("a"), {
      last_call: "2026-11-05T00:00:00.003Z",
      from: "192.0.2.2",
      answer: "UPTODATE",
      last_fault: "2026-11-05T00:00:00.004Z",
      fault: "why",
    }),
    host(name("b"), {
      a: "A of b",
      aaaa: "AAAA of b",
      last_call: "2026-11-05T00:00:00.005Z",
      from: "192.0.2.3",
      answer: "FAIL",
      last_change: "2026-11-05T00:00:00.002Z",
    }),
    0,
  ]);
  const own = atOnce(hostReports({ ...options, hasOthers: false }));
  assertEquals(own.hosts, hosts.slice(0, 3), "b is in the configuration no more");
  const some = atOnce(hostReports({ ...options, most: 3 }));
  assertEquals([some.hosts.map(({ host }) => host), some.leftOut], [["y", "z", "a"].map(name), 1]);
});

Deno.test("a host that could not be changed, but has not called, has no call", () => {
  const calls = new Calls({ now: () => 0, clock: () => 0 });
  calls.failed(name("a"), "why");
  const { hosts: [host] } = atOnce(
    hostReports({ calls, names: [name("a")], hasOthers: false, addressOf: () => "none" }),
  );
  assertEquals([host?.last_call, host?.from, host?.a, host?.fault], [null, null, "none", "why"]);
});
