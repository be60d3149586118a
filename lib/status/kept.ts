/** What takes a while to find out, and is asked for as often as somebody likes. */

import { delay as realDelay } from "../delay.ts";

export interface KeptOptions {
  /** What it depends on: it is found out anew where that is another. */
  of?: () => unknown;
  /** Milliseconds that it is kept at least. */
  least?: number;
  /** For each millisecond that it took, it is kept for so many: 9, so that it takes a tenth of the time. */
  rest?: number;
  /** Milliseconds, of a clock that nobody sets. */
  now?: () => number;
  delay?: (ms: number) => Promise<unknown>;
}

/** Found out once for all who ask at a time, and kept for a while. */
export class Kept<T> {
  readonly #find: () => Promise<T>;
  readonly #options: Required<KeptOptions>;
  #value: Promise<T> | undefined;
  #of: unknown;

  constructor(
    find: () => Promise<T>,
    { of = () => undefined, least = 0, rest = 9, now = () => performance.now(), delay = realDelay }:
      KeptOptions = {},
  ) {
    this.#find = find;
    this.#options = { of, least, rest, now, delay };
  }

  get(): Promise<T> {
    const { of, least, rest, now, delay } = this.#options;
    const own = of();
    if (this.#value !== undefined && this.#of === own) return this.#value;
    this.#of = own;
    const startedAt = now();
    const value = this.#find();
    this.#value = value;
    // It may be large, so it goes although nobody asks any more.
    const forget = () => {
      if (this.#value === value) this.#value = undefined;
    };
    value.then(() => delay(Math.max(least, rest * (now() - startedAt))).then(forget), forget);
    return value;
  }
}
