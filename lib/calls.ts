/** Who has called in, when, and what came of it: since the start, in memory alone. */

import type { Hostname } from "./hostname.ts";

/** What a host's client was told last. BADIP: its request named what no host can have. */
export type LastAnswer = "OK" | "UPTODATE" | "FAIL" | "BUSY" | "BADIP";

/** What is known of one host. Times are milliseconds since 1970, by the clock as it is set now. */
export interface HostCalls {
  /** When it called last; undefined: it has not. */
  readonly calledAt: number | undefined;
  /** Where that call came from, as the log says it. */
  readonly from: string;
  /** What it was told. */
  readonly answer: LastAnswer | undefined;
  /** When a record of it was changed last. */
  readonly changedAt: number | undefined;
  readonly fault: { readonly at: number; readonly reason: string } | undefined;
}

export interface CallsOptions {
  /** Hosts that something is known of; where there are more, the first that came are forgotten. */
  most?: number;
  /** Milliseconds since 1970. */
  now?: () => number;
  /** Milliseconds, of a clock that nobody sets. */
  clock?: () => number;
}

/** As many as the update engine knows records of. */
const MOST = 400_000;

/** The difference of the clocks that is none, in milliseconds: one of them was set. */
const SET = 1000;

/** All times are of the clock that nobody sets. */
type Entry = { -readonly [name in keyof HostCalls]: HostCalls[name] } & {
  /** From when on it is silent: its last call, or when it was new. */
  heardAt: number | undefined;
};

export class Calls {
  readonly #most: number;
  readonly #now: () => number;
  readonly #clock: () => number;
  readonly #entries = new Map<Hostname, Entry>();
  /** From when on all calls are known. */
  #since: number;
  /** From when on it is known who was heard. */
  #heardSince: number;
  /** What the clock that is set was ahead of the other when that was looked at last. */
  #ahead: number;

  constructor(
    { most = MOST, now = Date.now, clock = () => performance.now() }: CallsOptions = {},
  ) {
    this.#most = most;
    this.#now = now;
    this.#clock = clock;
    this.#since = this.#heardSince = clock();
    this.#ahead = now() - this.#since;
  }

  /** From when on a call of every host is known: the start, or the last call that was forgotten. */
  get since(): number {
    return Math.round(this.#since + this.#look());
  }

  get size(): number {
    return this.#entries.size;
  }

  /** A host of which nothing is known has not called since `since`. */
  of(name: Hostname): HostCalls | undefined {
    const entry = this.#entries.get(name);
    return entry && this.#toldOf(entry);
  }

  /** When a host was new that has not called yet; undefined: it was there from `since` on, or has called. */
  newAt(name: Hostname): number | undefined {
    const { calledAt, heardAt } = this.#entries.get(name) ?? {};
    if (calledAt !== undefined || heardAt === undefined) return undefined;
    return Math.round(heardAt + this.#look());
  }

  /** When it called last, of the clock that nobody sets; where that is not known, it is not after this. */
  heardAt(name: Hostname): number {
    return this.#entries.get(name)?.heardAt ?? this.#heardSince;
  }

  /** The host is new: how long it is silent counts from now. */
  expect(name: Hostname): void {
    this.#entry(name).heardAt = this.#clock();
  }

  /** Of all of which something is known. */
  names(): Iterable<Hostname> {
    return this.#entries.keys();
  }

  /** All of which something is known. */
  *all(): Iterable<readonly [Hostname, HostCalls]> {
    for (const [name, entry] of this.#entries) yield [name, this.#toldOf(entry)];
  }

  /** The host has called, and it was told this. */
  called(name: Hostname, from: string, answer: LastAnswer): void {
    const entry = this.#entry(name);
    entry.calledAt = entry.heardAt = this.#clock();
    entry.from = from;
    entry.answer = answer;
  }

  /** A record of it was changed. */
  changed(name: Hostname): void {
    this.#entry(name).changedAt = this.#clock();
  }

  /** A record of it could not be changed. */
  failed(name: Hostname, reason: string): void {
    this.#entry(name).fault = { at: this.#clock(), reason };
  }

  #toldOf({ calledAt, from, answer, changedAt, fault }: Entry): HostCalls {
    const ahead = this.#look();
    const told = (at: number | undefined) => at === undefined ? at : Math.round(at + ahead);
    return {
      calledAt: told(calledAt),
      from,
      answer,
      changedAt: told(changedAt),
      fault: fault && { ...fault, at: told(fault.at)! },
    };
  }

  /** Where the clock was set, what was before is told by it as well: how long ago it was stays true. */
  #look(): number {
    const ahead = this.#now() - this.#clock();
    if (Math.abs(ahead - this.#ahead) >= SET) this.#ahead = ahead;
    return this.#ahead;
  }

  #entry(name: Hostname): Entry {
    let entry = this.#entries.get(name);
    if (entry === undefined) {
      if (this.#entries.size >= this.#most) this.#forgetSome();
      entry = {
        calledAt: undefined,
        from: "",
        answer: undefined,
        changedAt: undefined,
        fault: undefined,
        heardAt: undefined,
      };
      this.#entries.set(name, entry);
    }
    return entry;
  }

  #forgetSome(): void {
    let left = Math.ceil(this.#most / 10);
    for (const [name, { calledAt = -Infinity, heardAt = -Infinity }] of this.#entries) {
      if (left-- === 0) break;
      this.#since = Math.max(this.#since, calledAt);
      this.#heardSince = Math.max(this.#heardSince, heardAt);
      this.#entries.delete(name);
    }
  }
}
