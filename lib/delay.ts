/** Time that passes. */

/**
 * Waits so many milliseconds, without keeping the process alive, and without
 * what setTimeout loads of Node: 10 ms of the start and 3 MB.
 */
export function pass(ms: number): Promise<unknown> {
  return new Promise((resolve) => AbortSignal.timeout(ms).addEventListener("abort", resolve));
}

/** Waits so many milliseconds, or until it is told not to. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
