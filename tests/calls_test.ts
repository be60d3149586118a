import { assertEquals } from "@std/assert";
import { Calls } from "../lib/calls.ts";
import { parseHostname } from "../lib/hostname.ts";

const [A, B, C] = ["a.dyn.example", "b.dyn.example", "c.dyn.example"].map(parseHostname) as [
  ReturnType<typeof parseHostname>,
  ReturnType<typeof parseHostname>,
  ReturnType<typeof parseHostname>,
];

Deno.test("of a host its last call, last change and last fault are known", () => {
  let time = 1000;
  const calls = new Calls({ now: () => time, clock: () => time - 900 });
  assertEquals([calls.since, calls.size, calls.of(A)], [1000, 0, undefined]);
  time = 2000;
  calls.called(A, "192.0.2.1", "OK");
  calls.changed(A);
  time = 3000;
  calls.called(A, "192.0.2.2", "FAIL");
  calls.failed(A, "A could not be set to 192.0.2.2: refused");
  calls.failed(B, "AAAA could not be set to ::2: refused");
  const fault = { at: 3000, reason: "A could not be set to 192.0.2.2: refused" };
  assertEquals(calls.of(A), {
    calledAt: 3000,
    from: "192.0.2.2",
    answer: "FAIL",
    changedAt: 2000,
    fault,
  });
  assertEquals(calls.of(B)?.calledAt, undefined, "to be changed is no call");
  assertEquals([...calls.all()].map(([name]) => name), [A, B]);
});

Deno.test("how long ago something was stays true when the clock is set", () => {
  let [ahead, clock] = [1_000_000, 0];
  const calls = new Calls({ now: () => ahead + clock, clock: () => clock });
  const ages = () => {
    const { calledAt, changedAt, fault } = calls.of(A)!;
    return [calls.since, calledAt!, changedAt!, fault!.at].map((time) => ahead + clock - time);
  };
  clock = 5000;
  calls.called(A, "192.0.2.1", "OK");
  calls.changed(A);
  calls.failed(A, "why");
  clock = 65_000;
  assertEquals(ages(), [65_000, 60_000, 60_000, 60_000]);
  for (const set of [1e12, 5, 2e12]) {
    ahead = set;
    assertEquals(ages(), [65_000, 60_000, 60_000, 60_000]);
  }
  // Nobody notices, and a time that moves would look like another call.
  const { calledAt } = calls.of(A)!;
  ahead += 999;
  assertEquals(calls.of(A)!.calledAt, calledAt);
});

Deno.test("where there are too many, the first are forgotten, and it is told since when all are known", () => {
  let time = 0;
  const calls = new Calls({ most: 2, now: () => time, clock: () => time });
  for (const [i, name] of [A, B, C].entries()) {
    time = i + 1;
    calls.called(name, "192.0.2.1", "OK");
  }
  assertEquals([...calls.all()].map(([name]) => name), [B, C]);
  assertEquals(calls.since, 1, "A may have called at 1, and not after");
  assertEquals([A, B].map((name) => calls.heardAt(name)), [1, 2]);
});

Deno.test("how long a host is silent goes by a clock that nobody sets, and may count from later", () => {
  let [time, clock] = [1000, 10];
  const calls = new Calls({ now: () => time, clock: () => clock });
  clock = 20;
  calls.called(B, "192.0.2.1", "OK");
  [time, clock] = [0, 30];
  calls.changed(A);
  calls.expect(C);
  assertEquals([A, B, C].map((name) => calls.heardAt(name)), [10, 20, 30]);
  assertEquals(calls.of(C)?.calledAt, undefined, "it has not called");
  assertEquals([A, B, C].map((name) => calls.newAt(name)), [undefined, undefined, 0]);
});
