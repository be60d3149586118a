/** Hosts that have not called in for too long lose their addresses, until they call again. */

import type { Calls } from "./calls.ts";
import { type AddressType, type Change, recordType } from "./change.ts";
import { addHost, type ClientHost } from "./clients.ts";
import type { Config } from "./config/config.ts";
import { delay } from "./delay.ts";
import type { Updaters } from "./dns/updaters.ts";
import { durationText } from "./duration.ts";
import type { Hostname } from "./hostname.ts";
import { inSlices, type Work } from "./slices.ts";

type Settings = Pick<Config, "clients" | "withdrawal">;
type HeardAt = Pick<Calls, "heardAt">;

export interface WithdrawalOptions {
  /** What is served now, the same object as long as it is; undefined once nothing is. */
  config: () => Settings | undefined;
  /** Who has called; undefined where nobody wants to know. */
  calls: () => HeardAt | undefined;
  updaters: Pick<Updaters, "set" | "isWanted">;
  /** Milliseconds, of the clock that calls go by. */
  now?: () => number;
  /** Lets those have their turn who call in. */
  pause?: () => Promise<unknown>;
  /** Hosts that lose their addresses at one poll. */
  most?: number;
}

const TYPES: readonly AddressType[] = ["A", "AAAA"];
const MOST = 10_000;
/** Hosts at a time: with many more, those who call in would have to wait. */
const BATCH = 50;
const PAUSE = 50;
/** Milliseconds until a host is tried again whose addresses could not be withdrawn. */
const RETRY = 3_600_000;

/** A host that has been silent for too long. */
interface Silent {
  readonly host: ClientHost;
  /** When it called last. */
  readonly heardAt: number;
}

export class Withdrawal {
  readonly #options: Required<WithdrawalOptions>;
  /** Those that have lost their addresses: when each had called last. */
  #done = new Map<Hostname, number>();
  /** Those that are left alone until a time, with these settings. */
  #later = new Map<Hostname, number>();
  #config: Settings | undefined;
  /** Nobody can be due before. */
  #nextAt = -Infinity;

  constructor(options: WithdrawalOptions) {
    this.#options = {
      now: () => performance.now(),
      pause: () => delay(PAUSE),
      most: MOST,
      ...options,
    };
  }

  /** Withdraws the addresses of all hosts that are due. */
  async poll(): Promise<void> {
    const config = this.#options.config();
    const calls = this.#options.calls();
    if (config?.withdrawal === undefined || calls === undefined) return;
    if (config !== this.#config) {
      this.#config = config;
      this.#later.clear();
      this.#nextAt = -Infinity;
    }
    if (this.#options.now() < this.#nextAt) return;
    const silent = await inSlices(this.#findSilent(config, calls));
    for (let i = 0; i < silent.length; i += BATCH) {
      if (i > 0) await this.#options.pause();
      // The next poll begins anew.
      if (this.#options.config() !== config) return;
      await this.#withdraw(silent.slice(i, i + BATCH), calls);
    }
  }

  /** At most as many as may be at one poll; from then on it is known who can be due next. */
  *#findSilent({ clients, withdrawal }: Settings, calls: HeardAt): Work<Silent[]> {
    const { now, most } = this.#options;
    const { after, least } = withdrawal!;
    const time = now();
    const done = new Map<Hostname, number>();
    const found = new Map<Hostname, ClientHost>();
    // Those that have lost their addresses may have called in this moment.
    let nextAt = time + least;
    for (const host of clients.all()) {
      yield;
      const { name, withdrawAfter = after } = host;
      const heardAt = calls.heardAt(name);
      const dueAt = Math.max(heardAt + withdrawAfter, this.#later.get(name) ?? -Infinity);
      if (dueAt > time) nextAt = Math.min(nextAt, dueAt);
      else if (this.#done.get(name) === heardAt) done.set(name, heardAt);
      else if (found.has(name) || found.size < most) addHost(found, host);
      else nextAt = time;
    }
    // Another of its clients may leave it more time, or all.
    if (found.size > 0) {
      for (const { name, withdrawAfter = after } of clients.all()) {
        yield;
        if (!found.has(name)) continue;
        const dueAt = calls.heardAt(name) + withdrawAfter;
        if (dueAt <= time) continue;
        found.delete(name);
        this.#later.set(name, dueAt);
        nextAt = Math.min(nextAt, dueAt);
      }
    }
    this.#done = done;
    this.#nextAt = nextAt;
    return Array.from(found.values(), (host) => ({ host, heardAt: calls.heardAt(host.name) }))
      .filter(({ heardAt }) => heardAt < time);
  }

  async #withdraw(some: readonly Silent[], calls: HeardAt): Promise<void> {
    const { now, updaters } = this.#options;
    const time = now();
    const still: Silent[] = [], changes: Change[] = [];
    for (const silent of some) {
      const { host: { name }, heardAt } = silent;
      // It has called meanwhile.
      if (calls.heardAt(name) !== heardAt) continue;
      // It is calling right now, and what it sets is not to be replaced.
      if (TYPES.some((type) => updaters.isWanted(name, type))) {
        this.#tryAgain(name, time);
        continue;
      }
      still.push(silent);
      changes.push(...withdrawalOf(silent, time));
    }
    const results = await updaters.set(changes);
    for (const { host: { name }, heardAt } of still) {
      const own = results.filter((_, i) => changes[i]!.name === name);
      if (own.includes("BUSY")) this.#tryAgain(name, time);
      else if (own.includes("FAIL")) this.#tryAgain(name, time + RETRY);
      else this.#done.set(name, heardAt);
    }
  }

  #tryAgain(name: Hostname, at: number): void {
    this.#later.set(name, at);
    this.#nextAt = Math.min(this.#nextAt, at);
  }
}

function withdrawalOf({ host: { name, ttl, family }, heardAt }: Silent, time: number): Change[] {
  const types = family === undefined ? TYPES : [recordType({ family })];
  const note = `no call for ${durationText(time - heardAt)}`;
  return types.map((type) => ({ name, type, ttl, address: undefined, note }));
}

/** Milliseconds that make no difference: nobody looks more often who is due. */
const SHORT = 60_000;

export interface WelcomeOptions {
  /** The hosts that there were. */
  before: Iterable<Hostname>;
  /** Those that there will be. */
  after: Iterable<Hostname>;
  /** As above. */
  now: () => number;
}

/**
 * Counts from now on how long those hosts are silent that are new in the
 * configuration.
 */
export function* welcome(
  calls: Pick<Calls, "heardAt" | "expect">,
  { before, after, now }: WelcomeOptions,
): Work {
  const time = now();
  const isSilent = (name: Hostname) => time - calls.heardAt(name) >= SHORT;
  const known = new Set<Hostname>();
  for (const name of before) {
    yield;
    if (isSilent(name)) known.add(name);
  }
  for (const name of after) {
    yield;
    if (isSilent(name) && !known.has(name)) calls.expect(name);
  }
}
