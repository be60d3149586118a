/**
 * Gives back to the system what a flood has left. glibc keeps the memory of
 * thousands of ended connections for itself; Deno has it trimmed when a worker
 * ends (malloc_trim(3)), so one that does nothing is started.
 */

export interface MemoryWatchOptions {
  /** The memory that is in use, resident, in octets. */
  resident?: () => number;
  trim?: () => void;
}

/** Octets over the least that there was that are worth it. */
const WORTH = 32 * 2 ** 20;
/** Octets between two looks that mean that the flood goes on. */
const GROWTH = 2 ** 20;

/** Looks when it is told to, and trims once after every flood. */
export class MemoryWatch {
  readonly #resident: () => number;
  readonly #trim: () => void;
  #least: number;
  #last: number;
  #hasTrimmed = false;

  constructor(
    { resident = () => Deno.memoryUsage().rss, trim = endWorker }: MemoryWatchOptions = {},
  ) {
    this.#resident = resident;
    this.#trim = trim;
    this.#least = this.#last = resident();
  }

  look(): void {
    const now = this.#resident();
    const isGrowing = now > this.#last + GROWTH;
    this.#last = now;
    // What is still there after it is needed.
    if (this.#hasTrimmed || now < this.#least) this.#least = now;
    this.#hasTrimmed = !isGrowing && now > this.#least + WORTH;
    if (this.#hasTrimmed) this.#trim();
  }
}

function endWorker(): void {
  new Worker("data:text/javascript,close()", { type: "module" });
}
