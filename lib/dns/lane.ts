/**
 * Work that goes one at a time, and more at a time only where the nameserver is
 * far away: there, for each pause in which something waited in vain, half as many again.
 */

export interface LaneOptions<T> {
  /** Never throws. May release its place before it ends. */
  run: (item: T, release: () => void) => Promise<void>;
  /** At a time. */
  max: number;
  /** Whether the nameserver is far away. */
  isFar: () => boolean;
  /** Milliseconds, of a clock that nobody sets. */
  now: () => number;
}

/** Milliseconds until more may go; then twice as long each time, until one ends. */
const FIRST_PAUSE = 20;
/** Of the places, so many are for what was not added as low. */
const RESERVED = 0.5;

export class Lane<T> {
  readonly #run: LaneOptions<T>["run"];
  readonly #max: number;
  readonly #isFar: () => boolean;
  readonly #now: () => number;
  readonly #items: T[] = [];
  readonly #low: T[] = [];
  #running = 0;
  #runningLow = 0;
  #allowed = 1;
  #pause = FIRST_PAUSE;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isFromFront = false;

  constructor({ run, max, isFar, now }: LaneOptions<T>) {
    this.#run = run;
    this.#max = max;
    this.#isFar = isFar;
    this.#now = now;
  }

  /** How many wait. */
  get size(): number {
    return this.#items.length + this.#low.length;
  }

  add(item: T): void {
    this.#items.push(item);
    this.#pump();
  }

  /** Adds what can wait for others, which it never delays by more than one message. */
  addLow(item: T): void {
    this.#low.push(item);
    this.#pump();
  }

  /** Takes out all that waits. */
  clear(): T[] {
    const all = [...this.#items.splice(0), ...this.#low.splice(0)];
    this.#pump();
    return all;
  }

  #pump(): void {
    while (this.#running < this.#allowed) {
      const isLow = this.#items.length === 0;
      if (isLow && this.#low.length === 0) break;
      if (isLow && this.#runningLow >= Math.max(1, this.#max * RESERVED)) break;
      this.#start(takeFrom(isLow ? this.#low : this.#items, this.#nextEnd()), isLow);
    }
    if (this.size > 0) return this.#growLater();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#running === 0) this.#allowed = 1;
  }

  /** From both ends in turn: who is new does not wait for a backlog, and the backlog goes on. */
  #nextEnd(): boolean {
    return this.#isFromFront = !this.#isFromFront;
  }

  #start(item: T, isLow: boolean): void {
    this.#running++;
    if (isLow) this.#runningLow++;
    let hasLeft = false;
    const leave = () => {
      if (hasLeft) return;
      hasLeft = true;
      this.#running--;
      if (isLow) this.#runningLow--;
      this.#pump();
    };
    void this.#run(item, leave).then(() => {
      this.#pause = FIRST_PAUSE;
      leave();
    });
  }

  #growLater(): void {
    if (this.#timer !== undefined || this.#allowed >= this.#max) return;
    const due = this.#now() + this.#pause;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#pause *= 2;
      const isFull = this.#running >= this.#allowed && this.size > 0;
      // Where this comes late, it is this machine that is busy, and more makes it worse.
      const isBusy = this.#now() - due > FIRST_PAUSE;
      // Half as many again: a session takes a while to start.
      if (isFull && this.#isFar() && !isBusy) {
        this.#allowed = Math.min(this.#max, this.#allowed + Math.ceil(this.#allowed / 2));
      }
      this.#pump();
    }, this.#pause);
  }
}

function takeFrom<T>(items: T[], isFromFront: boolean): T {
  return (isFromFront ? items.shift() : items.pop())!;
}
