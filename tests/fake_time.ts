/** A clock and timers that only pass() moves. */

export interface FakeTime {
  now(): number;
  /** Has this many milliseconds pass, with all that happens in them. */
  pass(ms: number): Promise<void>;
}

export async function withFakeTime(run: (time: FakeTime) => Promise<void>): Promise<void> {
  const { setTimeout, clearTimeout } = globalThis;
  const timers = new Map<number, { at: number; run: () => void }>();
  let now = 1000, lastId = 2 ** 40;
  const pass = async (ms: number) => {
    const end = now + ms;
    for (;;) {
      await settle();
      const [next] = [...timers].filter(([, { at }]) => at <= end)
        .sort(([, a], [, b]) => a.at - b.at);
      if (next === undefined) break;
      timers.delete(next[0]);
      now = Math.max(now, next[1].at);
      next[1].run();
    }
    now = end;
  };
  const fakes = {
    setTimeout(run: () => void, ms = 0) {
      timers.set(++lastId, { at: now + ms, run });
      return lastId;
    },
    clearTimeout: (id: number) => void timers.delete(id),
  };
  Object.assign(globalThis, fakes);
  try {
    await run({ now: () => now, pass });
  } finally {
    Object.assign(globalThis, { setTimeout, clearTimeout });
  }
}

/** Lets everything run that waits for nothing but its turn. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 200; i++) await Promise.resolve();
}
