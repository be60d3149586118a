/** What several tests need: random numbers that a seed decides, and deadlines. */

/** Milliseconds after which what is waited for will not happen any more, on a busy machine either. */
const DEADLINE = 60_000;

/** Waits until something is so, looking every few milliseconds; for what no event tells. */
export async function until(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  timeout = DEADLINE,
): Promise<void> {
  const deadline = Date.now() + timeout;
  while (!await isSo()) {
    if (Date.now() > deadline) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Numbers from 0 to below n, the same for the same seed (a linear congruential generator). */
export function belowFrom(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * n);
  };
}

/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
export function generator(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ seed >>> 15, 1 | seed);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) / 2 ** 32;
  };
}

/** The promise's outcome, or an error that says what did not happen in time. */
export async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`not in time: ${what}`)), DEADLINE);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
