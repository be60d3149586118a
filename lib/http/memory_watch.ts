/**
 * Returns memory to the system after a flood. glibc keeps the memory of thousands
 * of closed connections; Deno trims it when a worker ends (malloc_trim(3)), so one
 * that does nothing is started.
 */

export interface MemoryWatchOptions {
  /** The resident memory in octets. */
  resident?: () => number;
  /** Whether it was possible. */
  trim?: () => boolean;
}

/** Octets above the lowest reading that make a trim worthwhile. */
const WORTH = 32 * 2 ** 20;
/** Polls without a trim after one that freed nothing, at most. */
const LONGEST_PAUSE = 31;

/** Checks at each poll, and trims as long as that frees something. */
export class MemoryWatch {
  readonly #resident: () => number;
  readonly #trim: () => boolean;
  #least: number;
  /** What was in use before the trim at the last poll. */
  #before: number | undefined;
  #pause = 0;
  #pollsToSkip = 0;

  constructor(
    { resident = () => Deno.memoryUsage().rss, trim = endWorker }: MemoryWatchOptions = {},
  ) {
    this.#resident = resident;
    this.#trim = trim;
    this.#least = resident();
  }

  poll(): void {
    const now = this.#resident();
    this.#least = Math.min(this.#least, now);
    if (this.#before !== undefined) {
      // What is in use now may be freed later: it is tried again, less and less often.
      const hasHelped = this.#before - now > WORTH / 2;
      this.#pause = hasHelped ? 0 : Math.min(2 * this.#pause + 1, LONGEST_PAUSE);
      this.#pollsToSkip = this.#pause;
      this.#before = undefined;
    }
    if (this.#pollsToSkip > 0) this.#pollsToSkip--;
    else if (now > this.#least + WORTH && this.#trim()) this.#before = now;
  }
}

/** File descriptors that must be free: a worker that finds none ends the process. */
const FREE = 256;

function endWorker(): boolean {
  const files: Deno.FsFile[] = [];
  try {
    while (files.length < FREE) files.push(Deno.openSync("/dev/null"));
    for (const file of files.splice(0)) file.close();
    new Worker("data:text/javascript,close()", { type: "module" });
    return true;
  } catch {
    return false;
  } finally {
    for (const file of files) file.close();
  }
}
