/**
 * Gives back to the system what a flood has left. glibc keeps the memory of
 * thousands of ended connections for itself; Deno has it trimmed when a worker
 * ends (malloc_trim(3)), so one that does nothing is started.
 */

export interface MemoryWatchOptions {
  /** The memory that is in use, resident, in octets. */
  resident?: () => number;
  /** Whether it could be. */
  trim?: () => boolean;
}

/** Octets over the least that there was that are worth it. */
const WORTH = 32 * 2 ** 20;
/** Looks without a trim after one that gave nothing back, at the most. */
const LONGEST_PAUSE = 31;

/** Looks when it is told to, and trims as long as that gives something back. */
export class MemoryWatch {
  readonly #resident: () => number;
  readonly #trim: () => boolean;
  #least: number;
  /** What was in use before the trim at the last look. */
  #before: number | undefined;
  #pause = 0;
  #looksToSkip = 0;

  constructor(
    { resident = () => Deno.memoryUsage().rss, trim = endWorker }: MemoryWatchOptions = {},
  ) {
    this.#resident = resident;
    this.#trim = trim;
    this.#least = resident();
  }

  look(): void {
    const now = this.#resident();
    this.#least = Math.min(this.#least, now);
    if (this.#before !== undefined) {
      // What is held now may be let go of later: it is tried again, less and less often.
      const hasHelped = this.#before - now > WORTH / 2;
      this.#pause = hasHelped ? 0 : Math.min(2 * this.#pause + 1, LONGEST_PAUSE);
      this.#looksToSkip = this.#pause;
      this.#before = undefined;
    }
    if (this.#looksToSkip > 0) this.#looksToSkip--;
    else if (now > this.#least + WORTH && this.#trim()) this.#before = now;
  }
}

/** File descriptors that must be free for it: a worker that finds none ends the process. */
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
