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
/** Octets between two looks that mean that the flood goes on. */
const GROWTH = 2 ** 20;

/** Looks when it is told to, and trims once after every flood. */
export class MemoryWatch {
  readonly #resident: () => number;
  readonly #trim: () => boolean;
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
    this.#hasTrimmed = !isGrowing && now > this.#least + WORTH && this.#trim();
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
