/**
 * The update engine: which records must change, in which order; and the
 * addresses that are known to be in the zone.
 */

import { type Address, local } from "../address.ts";
import type { Host } from "../clients.ts";
import type { AddressType } from "./dns.ts";
import type { Hostname } from "../hostname.ts";
import { limitFlood, type Log } from "../log.ts";
import { limitMessages, type NextMessage } from "./message_limit.ts";
import type { Nameserver } from "./nameserver.ts";
import type { Change, Nsupdate, Outcome } from "./nsupdate.ts";
import { HostRecord, type Result, type Wish } from "./host_record.ts";

export type { Result };

export interface Updater {
  /** Makes the address the host's only one of its family. Never throws. */
  set(host: Host, address: Address): Result | Promise<Result>;
  /** Changes that wait for their record's interval are made now, and later ones at once. */
  hurry(): void;
  /**
   * Goes on with other settings. What waits is not lost, and what is known stays
   * known, unless the nameserver is another or nobody has the host any more.
   */
  use(settings: UpdaterSettings, hosts: readonly Host[]): void;
}

export interface UpdaterSettings {
  nsupdate: Nsupdate;
  nameserver: Pick<Nameserver, "addresses" | "zone">;
  /** Seconds between two changes of one record. */
  minInterval: number;
  /** Seconds for which what the nameserver said is believed. */
  recheck: number;
}

export interface UpdaterOptions extends UpdaterSettings {
  log: Log;
  /** Records that may wait. */
  maxWaiting?: number;
  /** Requests that may wait for one record. */
  maxWaiters?: number;
  /** Milliseconds, of a clock that nobody sets. */
  now?: () => number;
}

const MAX_WAITING = 10_000;
const MAX_WAITERS = 64;
/** Lines that the log gets a second when changes fail. */
const MAX_FAILURES = 50;

export function createUpdater(options: UpdaterOptions): Updater {
  return new Engine(options);
}

class Engine implements Updater {
  #options: Required<UpdaterOptions>;
  /** By name and type: as many as the configuration has hosts, twice. */
  readonly #records = new Map<string, HostRecord>();
  readonly #logFailure: (message: string) => void;
  /** Those whose change can be sent, in order. */
  readonly #ready = new Set<HostRecord>();
  #waiting = 0;
  #isSending = false;
  #isHurried = false;
  readonly #nextMessage: NextMessage;

  constructor(options: UpdaterOptions) {
    this.#options = {
      maxWaiting: MAX_WAITING,
      maxWaiters: MAX_WAITERS,
      now: () => performance.now(),
      ...options,
    };
    this.#nextMessage = limitMessages(this.#options.now);
    const sum = (count: number) => `${count} more changes failed just now`;
    this.#logFailure = limitFlood(options.log.error, sum, { most: MAX_FAILURES });
  }

  set(host: Host, address: Address): Result | Promise<Result> {
    const record = this.#record(host.name, address.family === 4 ? "A" : "AAAA");
    if (record.wish === undefined) {
      if (!record.isBusy && this.#isFresh(record) && record.known!.address === address.text) {
        return "UPTODATE";
      }
      if (this.#waiting >= this.#options.maxWaiting) return "BUSY";
      this.#waiting++;
      record.wish = { address, ttl: host.ttl, waiters: [] };
    } else if (record.wish.waiters.length >= this.#options.maxWaiters) return "BUSY";
    const { wish } = record;
    wish.address = address;
    wish.ttl = host.ttl;
    this.#options.log.debug(`${record.text} is to become ${address.text}`);
    const result = new Promise<Result>((resolve) => wish.waiters.push(resolve));
    this.#attend(record);
    return result;
  }

  hurry(): void {
    this.#isHurried = true;
    for (const record of this.#records.values()) this.#stopWaiting(record);
  }

  use(settings: UpdaterSettings, hosts: readonly Host[]): void {
    const isOther = settings.nameserver !== this.#options.nameserver;
    this.#options = { ...this.#options, ...settings };
    const names = new Set(hosts.map(({ name }) => name));
    for (const [key, record] of this.#records) {
      if (isOther) {
        forget(record);
        // What could be sent is in some other zone now, maybe.
        if (this.#ready.delete(record)) this.#attend(record);
      }
      this.#stopWaiting(record);
      const isIdle = record.wish === undefined && !record.isBusy && !record.isInDoubt;
      if (isIdle && !names.has(record.name)) this.#records.delete(key);
    }
  }

  /** Has a change that waits for its interval looked at again. */
  #stopWaiting(record: HostRecord): void {
    if (record.timer === undefined) return;
    clearTimeout(record.timer);
    record.timer = undefined;
    this.#attend(record);
  }

  #record(name: Hostname, type: AddressType): HostRecord {
    const key = `${name} ${type}`;
    let record = this.#records.get(key);
    if (record === undefined) this.#records.set(key, record = new HostRecord(name, type));
    return record;
  }

  #isFresh({ known, isInDoubt }: HostRecord): boolean {
    const { now, recheck } = this.#options;
    return !isInDoubt && known !== undefined && now() - known.at < recheck * 1000;
  }

  /** Brings the record's wish one step further, if nobody is at it. */
  #attend(record: HostRecord): void {
    if (record.wish === undefined || record.isBusy || this.#ready.has(record)) return;
    if (record.timer !== undefined) return;
    if (!this.#isFresh(record) || record.zone === undefined) return void this.#ask(record);
    if (record.known!.address === record.wish.address.text) return this.#fulfil(record, "UPTODATE");
    this.#queue(record);
  }

  /** Asks the nameserver which zone the record is in and which address it has. */
  async #ask(record: HostRecord): Promise<void> {
    const { nameserver, now } = this.#options;
    record.isBusy = true;
    record.known = undefined;
    let problem: string | undefined;
    try {
      const addresses = await nameserver.addresses(record.name, record.type);
      record.before = addresses.join(",") || "none";
      if (addresses.length === 1) record.known = { address: addresses[0]!, at: now() };
    } catch (error) {
      // No answer is no reason not to try, unless it is the nameserver that lost the last change.
      if (record.isInDoubt) problem = message(error);
    }
    const isWished = record.known?.address === record.wish!.address.text;
    if (problem === undefined && !isWished && record.zone === undefined) {
      try {
        record.zone = await nameserver.zone(record.name);
      } catch (error) {
        problem = message(error);
      }
    }
    record.isBusy = false;
    if (nameserver !== this.#options.nameserver) {
      forget(record);
      return this.#attend(record);
    }
    const { address } = record.wish!;
    if (problem !== undefined) return this.#fail(record, address, `nameserver: ${problem}`);
    if (record.known?.address !== address.text) return this.#queue(record);
    this.#fulfil(record, "UPTODATE");
    // What was lost before may come after: the next request asks once more.
    if (record.isInDoubt) record.known = undefined;
    record.isInDoubt = false;
  }

  /** Has the wish sent, as soon as the record's interval is over. */
  #queue(record: HostRecord): void {
    const { minInterval, now } = this.#options;
    const pause = record.changedAt + minInterval * 1000 - now();
    if (pause > 0 && !this.#isHurried) {
      record.timer = setTimeout(() => {
        record.timer = undefined;
        this.#attend(record);
      }, pause);
      return;
    }
    this.#ready.add(record);
    if (!this.#isSending) void this.#send();
  }

  async #send(): Promise<void> {
    this.#isSending = true;
    while (this.#ready.size > 0) {
      // Whoever comes within the same turn of the event loop goes along.
      await Promise.resolve();
      const { nameserver } = this.#options;
      const { zone, batch } = this.#takeBatch();
      const outcome = await this.#sendBatch(zone, batch);
      const isSame = nameserver === this.#options.nameserver;
      if (outcome.kind === "failed" && isSame) this.#failAll(outcome.reason);
    }
    this.#isSending = false;
  }

  /** As many ready records of one zone as may go in one message. */
  #takeBatch(): { zone: string; batch: [HostRecord, Wish][] } {
    const fits = this.#nextMessage();
    const batch: [HostRecord, Wish][] = [];
    let zone: string | undefined;
    for (const record of this.#ready) {
      if (this.#isFresh(record) && record.known!.address === record.wish!.address.text) {
        this.#ready.delete(record);
        this.#fulfil(record, "UPTODATE");
        continue;
      }
      zone ??= record.zone!;
      if (record.zone !== zone) continue;
      if (!fits(record.name, zone)) break;
      this.#ready.delete(record);
      record.isBusy = true;
      batch.push([record, record.wish!]);
      record.wish = undefined;
      this.#waiting--;
    }
    return { zone: zone ?? "", batch };
  }

  /** Sends what is not empty; the outcome of what was sent last. */
  async #sendBatch(zone: string, batch: [HostRecord, Wish][]): Promise<Outcome> {
    if (batch.length === 0) return { kind: "done" };
    const { log, nsupdate, nameserver } = this.#options;
    log.debug(`updating ${batch.length} records of ${zone}`);
    let outcome = await nsupdate.send(zone, batch.map(change));
    if (outcome.kind === "refused" && batch.length > 1) {
      // One bad record fails the whole UPDATE: look for it.
      const half = batch.length >> 1;
      outcome = await this.#sendBatch(zone, batch.slice(0, half));
      batch = batch.slice(half);
      if (outcome.kind !== "failed") return await this.#sendBatch(zone, batch);
    }
    for (const [record, wish] of batch) {
      this.#finish(record, wish, outcome);
      if (nameserver !== this.#options.nameserver) forget(record);
      this.#attend(record);
    }
    return outcome;
  }

  /** Where one UPDATE got no answer, those that wait would each wait as long in vain. */
  #failAll(reason: string): void {
    for (const record of this.#ready) {
      this.#ready.delete(record);
      this.#fail(record, record.wish!.address, reason);
    }
  }

  #finish(record: HostRecord, wish: Wish, outcome: Outcome): void {
    const { log, now } = this.#options;
    const { address } = wish;
    record.isBusy = false;
    if (outcome.kind === "done") {
      record.changedAt = now();
      const reach = local(address);
      const suffix = reach === undefined ? "" : ` (${reach})`;
      log.info(`${record.text} ${record.before} -> ${address.text}${suffix}`);
      record.before = address.text;
      // As above.
      record.known = record.isInDoubt ? undefined : { address: address.text, at: record.changedAt };
      record.isInDoubt = false;
      for (const resolve of wish.waiters) resolve("OK");
    } else {
      record.known = undefined;
      // The zone may have become another's.
      if (outcome.kind === "refused") record.zone = undefined;
      else record.isInDoubt = true;
      this.#reportFailure(record, address, outcome.reason);
      for (const resolve of wish.waiters) resolve("FAIL");
    }
  }

  #fail(record: HostRecord, address: Address, reason: string): void {
    this.#reportFailure(record, address, reason);
    this.#fulfil(record, "FAIL");
  }

  #reportFailure(record: HostRecord, { text }: Address, reason: string): void {
    this.#logFailure(`${record.text} could not become ${text}: ${reason}`);
  }

  #fulfil(record: HostRecord, result: Result): void {
    const { waiters } = record.wish!;
    record.wish = undefined;
    this.#waiting--;
    for (const resolve of waiters) resolve(result);
  }
}

/** What one nameserver said means nothing at another. */
function forget(record: HostRecord): void {
  record.known = undefined;
  record.zone = undefined;
}

function change([{ name, type }, { address, ttl }]: [HostRecord, Wish]): Change {
  return { name, type, ttl, address: address.text };
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
