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
export async function inSlices<T>(
  work: Work<T>,
  { now = () => performance.now(), turn = timerTurn }: SlicesOptions = {},
): Promise<T> {
  let since = now();
  for (let step = 1;; step++) {
    const { done, value } = work.next();
    if (done) return value;
    if (step % STEPS !== 0 || now() - since < SLICE) continue;
    await turn();
    since = now();
  }
}

/**
 * A timer's time, as that is when the runtime looks for what has come from
 * outside; a message to ourselves would be there at once, and nothing else.
 */
function timerTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}
