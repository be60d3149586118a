/** How fast a nameserver answers, as far as the last messages tell. */

/** So many messages are remembered. */
const REMEMBERED = 9;
/** Milliseconds that even the fastest takes where the nameserver is far away. */
const FAR = 8;
/** What takes so many times what is usual gets no answer, within these milliseconds. */
const UNUSUAL = 20;
const SILENCE = { least: 250, most: 2000 };

export class Pace {
  readonly #durations: number[] = [];
  #silence: number = SILENCE.most;

  /** An answer came after so many milliseconds. */
  add(ms: number): void {
    this.#durations.push(ms);
    if (this.#durations.length > REMEMBERED) this.#durations.shift();
    const usual = this.#durations.toSorted((a, b) => a - b)[this.#durations.length >> 1]!;
    this.#silence = Math.min(Math.max(UNUSUAL * usual, SILENCE.least), SILENCE.most);
  }

  /** Whether more messages at a time help: time passes on the way, not in the machine. */
  get isFar(): boolean {
    return this.#durations.length > 0 && Math.min(...this.#durations) > FAR;
  }

  /** Milliseconds after which no answer is to be expected soon. */
  get silence(): number {
    return this.#silence;
  }
}
