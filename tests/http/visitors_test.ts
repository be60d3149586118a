import { assert, assertEquals } from "@std/assert";
import { holderOf, type Visitor, Visitors } from "../../lib/http/visitors.ts";
import { belowFrom } from "../support.ts";

class Guest implements Visitor {
  hasLeft = 0;

  constructor(readonly holder: string, readonly name = "", public isWaiting = true) {}

  leave(): void {
    this.hasLeft++;
  }
}

/** Lets so many in, of this holder. */
function fill(visitors: Visitors<Guest>, holder: string, count: number): Guest[] {
  return Array.from({ length: count }, (_, i) => {
    const guest = new Guest(holder, `${holder}${i}`);
    assertEquals(visitors.add(guest), { isIn: true, gone: undefined });
    return guest;
  });
}

Deno.test("holderOf() is the IPv4 address, or the /64 of the IPv6 one", () => {
  const table: [string, string][] = [
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::ffff:c000:201", "192.0.2.1"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["2001:db8::ffff:1:2:3", "2001:db8:0:0::/64"],
    ["2001:db8:0:1::1", "2001:db8:0:1::/64"],
    ["2001:DB8:a:b:c:d:e:f", "2001:db8:a:b::/64"],
    ["::1", "0:0:0:0::/64"],
    ["fe80::1%2", "fe80:0:0:0::/64"],
    ["no:address", "no:address"],
  ];
  for (const [hostname, holder] of table) assertEquals(holderOf(hostname), holder, hostname);
});

Deno.test("one holder has a 32nd of all, and its longest waiting one goes for its next", () => {
  const visitors = new Visitors<Guest>(1000);
  const held = fill(visitors, "a", 32);
  const [first, second] = held;
  second!.isWaiting = false;
  first!.isWaiting = false;
  const next = new Guest("a");
  assertEquals(visitors.add(next), { isIn: true, gone: held[2] });
  assertEquals(held.map(({ hasLeft }) => hasLeft), held.map((_, i) => i === 2 ? 1 : 0));
  assertEquals(visitors.countOf("a"), 32);
  // Others are not touched by it, and have as many.
  fill(visitors, "b", 32);
  assertEquals(visitors.size, 64);
});

Deno.test("whose visitors are all being answered gets no more", () => {
  const visitors = new Visitors<Guest>(64);
  for (const guest of fill(visitors, "a", 2)) guest.isWaiting = false;
  fill(visitors, "b", 2);
  const refused = new Guest("a");
  assertEquals(visitors.add(refused), { isIn: false });
  assertEquals([visitors.size, visitors.countOf("a"), refused.hasLeft], [4, 2, 0]);
});

Deno.test("when all is full, the longest waiting one of whoever holds most goes", () => {
  const visitors = new Visitors<Guest>(96);
  const one = fill(visitors, "one", 1);
  const three = fill(visitors, "three", 3);
  for (let i = 0; i < 46; i++) fill(visitors, `two${i}`, 2);
  assertEquals(visitors.size, 96);
  three[0]!.isWaiting = false;
  assertEquals(visitors.add(new Guest("new")), { isIn: true, gone: three[1] });
  // Now nobody has more than two: one of those goes, but nobody's only one.
  const { gone } = visitors.add(new Guest("newer"));
  assert(gone?.name.endsWith("0") || gone === three[2]);
  assertEquals(one[0]!.hasLeft, 0);
  assertEquals(visitors.size, 96);
});

Deno.test("when all is full of those being answered, nobody gets in", () => {
  const visitors = new Visitors<Guest>(3);
  const held = ["a", "b", "c"].flatMap((holder) => fill(visitors, holder, 1));
  for (const guest of held) guest.isWaiting = false;
  assertEquals(visitors.add(new Guest("d")), { isIn: false });
  assertEquals(visitors.makeRoom(), undefined);
  held[1]!.isWaiting = true;
  assertEquals(visitors.add(new Guest("d")), { isIn: true, gone: held[1] });
  assertEquals([...visitors].map(({ holder }) => holder), ["a", "c", "d"]);
});

Deno.test("makeRoom() has one go of whoever holds most, until nobody waits", () => {
  const visitors = new Visitors<Guest>(64);
  const [a] = fill(visitors, "a", 1);
  const [b, c] = fill(visitors, "b", 2);
  assertEquals([1, 2, 3, 4].map(() => visitors.makeRoom()), [b, a, c, undefined]);
  assertEquals(visitors.size, 0);
  assertEquals([a, b, c].map((guest) => guest!.hasLeft), [1, 1, 1]);
});

Deno.test("remove() forgets a visitor once, and does not end it", () => {
  const visitors = new Visitors<Guest>(64);
  const [a, b] = fill(visitors, "a", 2);
  visitors.remove(new Guest("a"));
  visitors.remove(new Guest("nobody"));
  visitors.remove(a!);
  visitors.remove(a!);
  assertEquals([visitors.size, visitors.countOf("a"), a!.hasLeft], [1, 1, 0]);
  assertEquals(visitors.makeRoom(), b);
  assertEquals([visitors.size, visitors.countOf("a")], [0, 0]);
});

Deno.test("another maximum applies to those who come then", () => {
  const visitors = new Visitors<Guest>(96);
  const held = fill(visitors, "a", 3);
  visitors.max = 32;
  assertEquals(visitors.size, 3);
  assertEquals(visitors.add(new Guest("a")), { isIn: true, gone: held[0] });
  assertEquals(visitors.countOf("a"), 3);
  visitors.max = 128;
  fill(visitors, "a", 1);
  assertEquals(visitors.countOf("a"), 4);
});

/** The same, by looking at all of them, in the order in which they came. */
class Model {
  guests: Guest[] = [];

  constructor(public max: number) {}

  of(holder: string): Guest[] {
    return this.guests.filter((guest) => guest.holder === holder);
  }

  /** Whoever may have to go for a new one of this holder, or for anybody. */
  candidates(holder?: string): Guest[] | undefined {
    const longest = (holder: string) => this.of(holder).find((guest) => guest.isWaiting);
    if (holder !== undefined && this.of(holder).length >= Math.ceil(this.max / 32)) {
      const own = longest(holder);
      return own === undefined ? [] : [own];
    }
    if (holder !== undefined && this.guests.length < this.max) return undefined;
    const waiting = [...new Set(this.guests.map(({ holder }) => holder))]
      .map(longest).filter((guest) => guest !== undefined);
    const most = Math.max(...waiting.map(({ holder }) => this.of(holder).length));
    return waiting.filter(({ holder }) => this.of(holder).length === most);
  }

  remove(guest: Guest): void {
    this.guests = this.guests.filter((each) => each !== guest);
  }
}

Deno.test("Visitors does what a naive model does", () => {
  const seed = Date.now() >>> 0;
  const below = belowFrom(seed);
  for (let run = 0; run < 100; run++) {
    const model = new Model(1 + below(150));
    const visitors = new Visitors<Guest>(model.max);
    const holders = 1 + below(40);
    for (let step = 0; step < 150; step++) {
      const what = `seed ${seed}, run ${run}, step ${step}`;
      const any = model.guests[below(model.guests.length || 1)];
      const action = below(12);
      if (action === 0 && any !== undefined) {
        visitors.remove(any);
        model.remove(any);
      } else if (action === 1) {
        const candidates = model.candidates()!;
        const gone = visitors.makeRoom();
        assert(gone === undefined ? candidates.length === 0 : candidates.includes(gone), what);
        if (gone !== undefined) model.remove(gone);
      } else if (action < 5 && any !== undefined) any.isWaiting = !any.isWaiting;
      else if (action === 5 && step % 10 === 0) visitors.max = model.max = 1 + below(150);
      else {
        const guest = new Guest(`${below(holders)}`);
        const candidates = model.candidates(guest.holder);
        const { isIn, gone } = visitors.add(guest);
        assertEquals(isIn, candidates === undefined || candidates.length > 0, what);
        if (gone === undefined) assert(!isIn || candidates === undefined, what);
        else {
          assert(candidates!.includes(gone) && gone.hasLeft === 1, what);
          model.remove(gone);
        }
        if (isIn) model.guests.push(guest);
      }
      assertEquals(visitors.size, model.guests.length, what);
      assertEquals(new Set(visitors), new Set(model.guests), what);
      for (let i = 0; i < holders; i++) {
        assertEquals(visitors.countOf(`${i}`), model.of(`${i}`).length, what);
      }
    }
  }
});
