/** The sessions of one nameserver: started when they are needed, kept while there is work, bounded. */

import type { Session } from "./nsupdate_session.ts";

/**
 * A session that was given a zone line keeps it for all its messages, so those
 * that are to find the zone have sessions of their own.
 */
export type SessionUse = "in a zone" | "finding";

export interface SessionPoolOptions {
  start: () => Promise<Session>;
  max: number;
  /** Milliseconds without work after which a session ends. */
  idle: number;
  /** Milliseconds after which it ends in any case: the nameserver's name may have another address. */
  maxAge: number;
  /** Milliseconds, of a clock that nobody sets. */
  now: () => number;
}

/**
 * After a start, there is no other for so many times as long as it took: while
 * it starts a program, Deno does nothing else, and on a busy machine that is a
 * tenth of a second.
 */
const REST = 4;
const LONGEST_REST = 1000;
const STOPPING = "sftdyn is stopping";

interface Pooled {
  readonly session: Session;
  readonly use: SessionUse;
  readonly startedAt: number;
  readonly generation: number;
  /** The share of what it works for. */
  share: number;
  timer: ReturnType<typeof setTimeout> | undefined;
}

export class SessionPool {
  readonly #options: SessionPoolOptions;
  /** The last one used is used next, so that those not needed any more end. */
  readonly #idle: Pooled[] = [];
  #waiting: (() => void)[] = [];
  readonly #busy = new Set<Pooled>();
  readonly #ending = new Set<Promise<void>>();
  /** How many there are of each use. */
  readonly #counts: Record<SessionUse, number> = { "in a zone": 0, finding: 0 };
  /** When the next one may be started. */
  #startAt = -Infinity;
  #startTimer: ReturnType<typeof setTimeout> | undefined;
  #generation = 0;
  #isRetired = false;
  #isClosed = false;

  constructor(options: SessionPoolOptions) {
    this.#options = options;
  }

  /** Sessions that there are, or that are being started. */
  get size(): number {
    return this.#counts["in a zone"] + this.#counts.finding;
  }

  /**
   * Runs with a session that nobody else has meanwhile. Where run calls renew,
   * all that were started before count as useless, too: they may know an old key.
   * All work with this share of the sessions or a smaller one has no more of them at a time.
   *
   * @throws what start throws
   */
  async with<T>(
    use: SessionUse,
    run: (session: Session, renew: () => void) => Promise<T>,
    share: () => number = () => 1,
  ): Promise<T> {
    const pooled = await this.#take(use, share);
    try {
      return await run(pooled.session, () => {
        if (pooled.generation === this.#generation) this.#generation++;
      });
    } finally {
      this.#busy.delete(pooled);
      this.#giveBack(pooled);
    }
  }

  /** Ends those without work now, and the others as soon as they have none. */
  retire(): void {
    this.#isRetired = true;
    for (const pooled of this.#idle.splice(0)) this.#end(pooled);
  }

  /** Ends all of them, whatever is under way. */
  async close(): Promise<void> {
    this.retire();
    this.#isClosed = true;
    this.#wake();
    await Promise.all([...this.#ending, ...[...this.#busy].map(({ session }) => session.end())]);
  }

  async #take(use: SessionUse, shareOf: () => number): Promise<Pooled> {
    while (true) {
      if (this.#isClosed) throw new Error(STOPPING);
      const share = shareOf();
      const found = this.#idle.findLastIndex((pooled) => pooled.use === use);
      if (!this.#isWithin(share)) {
        await new Promise<void>((resolve) => this.#waiting.push(resolve));
      } else if (found >= 0) {
        const [pooled] = this.#idle.splice(found, 1);
        clearTimeout(pooled!.timer);
        if (this.#isUsable(pooled!)) return this.#lend(pooled!, share);
        this.#end(pooled!);
      } else if (this.#mayStart(use)) return await this.#start(use, share);
      else if (this.size >= this.#options.max && this.#idle.length > 0) {
        this.#end(this.#idle.shift()!);
      } else {
        const woken = new Promise<void>((resolve) => this.#waiting.push(resolve));
        if (this.size < this.#options.max) this.#wakeLater();
        await woken;
      }
    }
  }

  /** Whether one more may work with this share. */
  #isWithin(share: number): boolean {
    if (share >= 1) return true;
    let count = 0;
    for (const pooled of this.#busy) if (pooled.share <= share) count++;
    return count < Math.max(1, share * this.#options.max);
  }

  #lend(pooled: Pooled, share: number): Pooled {
    pooled.share = share;
    this.#busy.add(pooled);
    return pooled;
  }

  #mayStart(use: SessionUse): boolean {
    const { max, now } = this.#options;
    return this.size < max && (this.#counts[use] === 0 || now() >= this.#startAt);
  }

  async #start(use: SessionUse, share: number): Promise<Pooled> {
    const { start, now } = this.#options;
    this.#counts[use]++;
    const generation = this.#generation;
    const startedAt = now();
    // Nobody else starts one meanwhile.
    this.#startAt = Infinity;
    try {
      const session = await start();
      if (this.#isClosed) {
        await session.end();
        throw new Error(STOPPING);
      }
      return this.#lend({ session, use, startedAt, generation, share, timer: undefined }, share);
    } catch (error) {
      this.#leave(use);
      throw error;
    } finally {
      this.#startAt = now() + Math.min(REST * (now() - startedAt), LONGEST_REST);
      this.#wake();
    }
  }

  /** Has those that wait look again as soon as one may be started. */
  #wakeLater(): void {
    if (this.#startTimer !== undefined) return;
    const pause = Math.min(Math.max(this.#startAt - this.#options.now(), 1), LONGEST_REST);
    this.#startTimer = setTimeout(() => this.#wake(), pause);
    Deno.unrefTimer(this.#startTimer);
  }

  #wake(): void {
    clearTimeout(this.#startTimer);
    this.#startTimer = undefined;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  #giveBack(pooled: Pooled): void {
    const { idle, maxAge, now } = this.#options;
    const isOld = now() - pooled.startedAt > maxAge;
    if (!this.#isUsable(pooled) || this.#isRetired || isOld) return this.#end(pooled);
    this.#idle.push(pooled);
    pooled.timer = setTimeout(() => {
      this.#idle.splice(this.#idle.indexOf(pooled), 1);
      this.#end(pooled);
    }, idle);
    Deno.unrefTimer(pooled.timer);
    this.#wake();
  }

  #isUsable({ session, generation }: Pooled): boolean {
    return !session.hasEnded && generation === this.#generation;
  }

  #end({ session, use, timer }: Pooled): void {
    clearTimeout(timer);
    const ending = session.end().finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
    this.#leave(use);
  }

  #leave(use: SessionUse): void {
    this.#counts[use]--;
    this.#wake();
  }
}
