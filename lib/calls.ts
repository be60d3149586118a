/** Who has called in, when, and what came of it: since the start, in memory alone. */

import type { Hostname } from "./hostname.ts";

/** What a host's client was told last. BADIP: its request named what no host can have. */
export type LastAnswer = "OK" | "UPTODATE" | "FAIL" | "BUSY" | "BADIP";

/** What is known of one host. Times are milliseconds since 1970. */
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

type Entry = { -readonly [name in keyof HostCalls]: HostCalls[name] } & {
  /** When it called last, of the clock that nobody sets. */
  heardAt: number | undefined;
};

const WORST_FIRST: readonly LastAnswer[] = ["BADIP", "FAIL", "BUSY", "OK", "UPTODATE"];

export class Calls {
  readonly #most: number;
  readonly #now: () => number;
  readonly #clock: () => number;
  readonly #entries = new Map<Hostname, Entry>();
  #since: number;
  /** The same, of the clock that nobody sets. */
  #heardSince: number;

  constructor(
    { most = MOST, now = Date.now, clock = () => performance.now() }: CallsOptions = {},
  ) {
    this.#most = most;
    this.#now = now;
    this.#clock = clock;
    this.#since = now();
    this.#heardSince = clock();
  }

  /** From when on a call of every host is known: the start, or the last call that was forgotten. */
  get since(): number {
    return this.#since;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** A host of which nothing is known has not called since `since`. */
  of(name: Hostname): HostCalls | undefined {
    return this.#entries.get(name);
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
  all(): Iterable<readonly [Hostname, HostCalls]> {
    return this.#entries;
  }

  /** The host has called, and it was told this: of several in one call, the worst. */
  called(name: Hostname, from: string, answers: readonly LastAnswer[]): void {
    const entry = this.#entry(name);
    entry.calledAt = this.#now();
    entry.heardAt = this.#clock();
    entry.from = from;
    entry.answer = worst(answers);
  }

  /** A record of it was changed. */
  changed(name: Hostname): void {
    this.#entry(name).changedAt = this.#now();
  }

  /** A record of it could not be changed. */
  failed(name: Hostname, reason: string): void {
    this.#entry(name).fault = { at: this.#now(), reason };
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
    for (const [name, { calledAt = 0, heardAt = 0 }] of this.#entries) {
      if (left-- === 0) break;
      this.#since = Math.max(this.#since, calledAt);
      this.#heardSince = Math.max(this.#heardSince, heardAt);
      this.#entries.delete(name);
    }
  }
}

function worst(answers: readonly LastAnswer[]): LastAnswer {
  // As a rule.
  if (answers.length === 1) return answers[0]!;
  let least = WORST_FIRST.length - 1;
  for (const answer of answers) least = Math.min(least, WORST_FIRST.indexOf(answer));
  return WORST_FIRST[least]!;
}
