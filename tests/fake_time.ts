/** A clock and timers that only the test moves. */

export interface FakeTime {
  /** Milliseconds. */
  now(): number;
  /** Runs all that is due in these milliseconds, in order. */
  pass(ms: number): Promise<void>;
  /** How many timers are set. */
  timers(): number;
}

/** Runs with fakes of setTimeout and clearTimeout, and puts the real ones back. */
export async function withFakeTime(run: (time: FakeTime) => Promise<void>): Promise<void> {
  const { setTimeout, clearTimeout } = globalThis;
  const timers = new Map<number, { at: number; run: () => void }>();
  let now = 1000, lastId = 2 ** 40;
  const pass = async (ms: number) => {
    const end = now + ms;
    for (;;) {
      await settle();
      let next: number | undefined;
      for (const [id, { at }] of timers) {
        if (at <= end && (next === undefined || at < timers.get(next)!.at)) next = id;
      }
      if (next === undefined) break;
      const { at, run } = timers.get(next)!;
      timers.delete(next);
      now = Math.max(now, at);
      run();
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
    await run({ now: () => now, pass, timers: () => timers.size });
  } finally {
    Object.assign(globalThis, { setTimeout, clearTimeout });
  }
}

/** Lets everything run that waits for nothing but its turn. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 200; i++) await Promise.resolve();
}

/** A test with a time of its own. */
export function test(name: string, run: (time: FakeTime) => Promise<void>): void {
  Deno.test(name, () => withFakeTime(run));
}
