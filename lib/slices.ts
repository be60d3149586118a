/** Long work in slices, between which the event loop has its turn and requests are answered. */

/** Work that can be interrupted at each `yield`, which is at most a few dozen microseconds away. */
export type Work<T = void> = Generator<void, T>;

export interface SlicesOptions {
  /** Milliseconds. */
  now?: () => number;
  /** Lets the event loop run. */
  turn?: () => Promise<void>;
}

/** Milliseconds of work at a time. */
const SLICE = 8;
/** The clock is looked at after so many steps: it takes longer than most of them. */
const STEPS = 16;

/** Does the work without a pause. */
export function atOnce<T>(work: Work<T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}

/** Does the work with pauses. */
export function inSlices<T>(work: Work<T>, options?: SlicesOptions): Promise<T> {
  return new Slices(options).do(work);
}

/** One work after the other, with pauses for all together: many short ones leave no room, either. */
export class Slices {
  readonly #now: () => number;
  readonly #turn: () => Promise<void>;
  #since: number;

  constructor({ now = () => performance.now(), turn = timerTurn }: SlicesOptions = {}) {
    this.#now = now;
    this.#turn = turn;
    this.#since = now();
  }

  async do<T>(work: Work<T>): Promise<T> {
    for (let step = 1;; step++) {
      const { done, value } = work.next();
      if (done) return value;
      if (step % STEPS !== 0 || this.#now() - this.#since < SLICE) continue;
      await this.#turn();
      this.#since = this.#now();
    }
  }
}

/**
 * A timer's time, as that is when the runtime looks for what has come from
 * outside; a message to ourselves would be there at once, and nothing else.
 */
function timerTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}
