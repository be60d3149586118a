import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Session } from "../../lib/dns/nsupdate_session.ts";
import { SessionPool, type SessionPoolOptions } from "../../lib/dns/session_pool.ts";
import { generator } from "../support.ts";
import { type FakeTime, settle, test } from "../fake_time.ts";

const IDLE = 60_000, MAX_AGE = 600_000;

class FakeSession {
  hasEnded = false;
  ends = 0;

  end(): Promise<void> {
    this.hasEnded = true;
    this.ends++;
    return Promise.resolve();
  }
}

/** A pool of fakes. */
function fake({ now }: FakeTime, options: Partial<SessionPoolOptions> = {}) {
  const sessions: FakeSession[] = [];
  const pool = new SessionPool({
    start: () => {
      const session = new FakeSession();
      sessions.push(session);
      return Promise.resolve(session as unknown as Session);
    },
    max: 3,
    idle: IDLE,
    maxAge: MAX_AGE,
    now,
    ...options,
  });
  const ended = () => sessions.map(({ ends }) => ends);
  return { pool, sessions, ended };
}

/** Something that runs until it is told to end. */
function work(
  pool: SessionPool,
  use: "in a zone" | "finding" = "in a zone",
  share?: () => number,
) {
  const ending = Promise.withResolvers<void>();
  const made: { session: Session | undefined; end: () => void; done: Promise<void> } = {
    session: undefined,
    end: ending.resolve,
    done: pool.with(use, async (session) => {
      made.session = session;
      await ending.promise;
    }, share),
  };
  return made;
}

const nothing = () => Promise.resolve();

test("one after the other uses one session", async (time) => {
  const { pool, sessions } = fake(time);
  for (let i = 0; i < 3; i++) await pool.with("in a zone", nothing);
  assertEquals(sessions.length, 1);
  await pool.close();
});

test("no session is used twice at a time, and no more than max there are", async (time) => {
  const { pool, sessions } = fake(time);
  const works = [1, 2, 3, 4, 5].map(() => work(pool));
  await settle();
  assertEquals(works.map(({ session }) => session !== undefined), [true, true, true, false, false]);
  assertEquals(new Set(sessions).size, 3);
  works[0]!.end();
  await settle();
  assert(works[3]!.session === works[0]!.session);
  assert(works[4]!.session === undefined);
  for (const { end } of works) end();
  await Promise.all(works.map(({ done }) => done));
  await pool.close();
});

test("what has a share of the sessions leaves the others to the rest", async (time) => {
  const { pool, sessions } = fake(time, { max: 4 });
  let share = 0.25;
  const silent = [1, 2, 3].map(() => work(pool, "in a zone", () => share));
  const unknown = [1, 2, 3].map(() => work(pool, "in a zone", () => 0.75));
  await settle();
  const haveOne = (works: { session: unknown }[]) =>
    works.map(({ session }) => session !== undefined);
  assertEquals(haveOne(silent), [true, false, false]);
  assertEquals(haveOne(unknown), [true, true, false]);
  const healthy = work(pool);
  await settle();
  assert(healthy.session !== undefined);
  assertEquals(sessions.length, 4);
  // The share is asked for anew when one is free: it may answer again by then.
  share = 1;
  healthy.end();
  await settle();
  assertEquals(haveOne(silent), [true, true, false]);
  for (const { end } of [...silent, ...unknown]) end();
  await Promise.all([...silent, ...unknown].map(({ done }) => done));
  await pool.close();
});

test("a session that found zones is not used in one, and makes room", async (time) => {
  const { pool, ended } = fake(time, { max: 1 });
  await pool.with("finding", nothing);
  await pool.with("in a zone", nothing);
  assertEquals(ended(), [1, 0]);
  await pool.with("finding", nothing);
  assertEquals(ended(), [1, 1, 0]);
  await pool.close();
});

test(
  "a session ends after its time without work, the one used last is used next",
  async (time) => {
    const { pool, ended, sessions } = fake(time);
    const [first, second] = [work(pool), work(pool)];
    await settle();
    first.end();
    await settle();
    second.end();
    await settle();
    await time.pass(IDLE - 1);
    const next = work(pool);
    await settle();
    assert(next.session as unknown === sessions[1]);
    await time.pass(1);
    assertEquals(ended(), [1, 0]);
    await time.pass(IDLE);
    assertEquals(ended(), [1, 0], "one with work was ended");
    next.end();
    await settle();
    await time.pass(IDLE);
    assertEquals(ended(), [1, 1]);
    assertEquals(time.timers(), 0);
  },
);

test("a session ends after its age, when its work is done", async (time) => {
  const { pool, ended } = fake(time);
  const long = work(pool);
  await time.pass(MAX_AGE + 1);
  assertEquals(ended(), [0]);
  long.end();
  await long.done;
  assertEquals(ended(), [1]);
  await pool.with("in a zone", nothing);
  assertEquals(ended(), [1, 0]);
  await pool.close();
});

test("a session that has ended is not used, whether it was idle or had work", async (time) => {
  const { pool, sessions, ended } = fake(time, { max: 1 });
  await pool.with("in a zone", () => {
    sessions[0]!.hasEnded = true;
    return Promise.resolve();
  });
  await pool.with("in a zone", nothing);
  sessions[1]!.hasEnded = true;
  await pool.with("in a zone", nothing);
  assertEquals(ended(), [1, 1, 0]);
  await pool.close();
  assertEquals(time.timers(), 0);
});

test("with() throws what start or its work throws, and loses no place by it", async (time) => {
  let mayStart = false;
  const { pool } = fake(time, {
    max: 1,
    start: () =>
      mayStart
        ? Promise.resolve(new FakeSession() as unknown as Session)
        : Promise.reject(new Error("no")),
  });
  for (let i = 0; i < 3; i++) await assertRejects(() => pool.with("finding", nothing), Error, "no");
  mayStart = true;
  await assertRejects(() => pool.with("finding", () => Promise.reject(new Error("x"))), Error, "x");
  const works = [work(pool), work(pool, "finding")];
  for (const { end, done } of works) {
    end();
    await done;
  }
  await pool.close();
});

test("a start that fails lets the next one who waits try", async (time) => {
  const starts: PromiseWithResolvers<Session>[] = [];
  const { pool } = fake(time, {
    max: 1,
    start: () => {
      starts.push(Promise.withResolvers<Session>());
      return starts.at(-1)!.promise;
    },
  });
  const first = pool.with("in a zone", nothing);
  const second = pool.with("in a zone", nothing);
  starts[0]!.reject(new Error("no"));
  await assertRejects(() => first, Error, "no");
  await settle();
  starts[1]!.resolve(new FakeSession() as unknown as Session);
  await second;
  await pool.close();
});

test("retire() ends what is idle now, and the others when their work is done", async (time) => {
  const { pool, ended } = fake(time);
  const [one, other] = [work(pool), work(pool)];
  await settle();
  one.end();
  await settle();
  pool.retire();
  assertEquals(ended(), [1, 0]);
  other.end();
  await other.done;
  assertEquals(ended(), [1, 1]);
  await pool.close();
  assertEquals(ended(), [1, 1]);
  assertEquals(time.timers(), 0);
});

test("close() waits for the sessions to end", async (time) => {
  const ending = Promise.withResolvers<void>();
  const session = new FakeSession();
  session.end = () => ending.promise;
  const { pool } = fake(time, { start: () => Promise.resolve(session as unknown as Session) });
  await pool.with("in a zone", nothing);
  let isClosed = false;
  void pool.close().then(() => isClosed = true);
  await settle();
  assertEquals(isClosed, false);
  ending.resolve();
  await settle();
  assertEquals(isClosed, true);
});

test(
  "random work: everybody has a turn, alone with the session, within the bound",
  async (time) => {
    for (let seed = 1; seed <= 50; seed++) {
      const random = generator(seed);
      const below = (n: number) => Math.floor(random() * n);
      const max = 1 + below(4);
      const { pool, sessions } = fake(time, { max, idle: 20, maxAge: 200 });
      const inUse = new Set<Session>();
      const uses = new Map<Session, string>();
      let done = 0;
      for (let i = 0; i < 60; i++) {
        const use = below(3) === 0 ? "finding" : "in a zone";
        void pool.with(use, async (session) => {
          assert(!inUse.has(session) && !session.hasEnded, `seed ${seed}`);
          assertEquals(uses.get(session) ?? use, use, `seed ${seed}`);
          uses.set(session, use);
          inUse.add(session);
          assert(sessions.filter(({ hasEnded }) => !hasEnded).length <= max, `seed ${seed}`);
          await new Promise<void>((resolve) => setTimeout(resolve, below(30)));
          inUse.delete(session);
          if (below(5) === 0) (session as unknown as FakeSession).hasEnded = true;
        }).then(() => done++);
        if (below(2) === 0) await time.pass(below(20));
      }
      await time.pass(5000);
      assertEquals(done, 60, `seed ${seed}`);
      assertEquals(sessions.map(({ ends }) => ends), sessions.map(() => 1), `seed ${seed}`);
      assertEquals(time.timers(), 0, `seed ${seed}`);
    }
  },
);
