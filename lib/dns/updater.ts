/**
 * The update engine of one nameserver: which records must be asked for or set,
 * in which order, and what is known of them.
 */

import { local } from "../address.ts";
import type { Change } from "../change.ts";
import { count } from "../count.ts";
import type { Hostname } from "../hostname.ts";
import { limitRate, type Log, type LogLine } from "../log.ts";
import type { Work } from "../slices.ts";
import type { Zones } from "../zones.ts";
import { addressText, HostRecord, type Pending, type Result } from "./host_record.ts";
import { Lane } from "./lane.ts";
import { type MessageKind, MessageLimit } from "./message_limit.ts";
import { type Answer, isAnswer, type Nsupdate, parentOf } from "./nsupdate.ts";
import { Pace } from "./pace.ts";
import { areReady, heldOf, partFromOthers, partFromOtherZones, putTogether } from "./together.ts";
import { type Item, type Part, partsOf, UNKNOWN_SHARE, ZoneQueue } from "./zone_queue.ts";

export type { Result };

export interface UpdaterSettings {
  nsupdate: Pick<Nsupdate, "ask" | "set">;
  /** Zones that need not be found. */
  zones: Pick<Zones, "of">;
  /** Milliseconds between two changes of one record. */
  minInterval: number;
  /** Milliseconds for which what the nameserver said is believed. */
  recheck: number;
}

/** Hears what becomes of the hosts' records. */
export interface UpdaterWatch {
  changed(name: Hostname): void;
  failed(name: Hostname, reason: string): void;
}

export interface UpdaterOptions extends UpdaterSettings {
  log: Log;
  watch?: UpdaterWatch | undefined;
  /** Records that may wait. */
  maxWaiting?: number;
  /** Requests that may wait for one record. */
  maxWaiters?: number;
  /** Records that something is known of. */
  maxRecords?: number;
  /** Milliseconds, of a clock that nobody sets. */
  now?: () => number;
}

const MAX_WAITING = 10_000;
const MAX_WAITERS = 64;
/** Half a KB each. */
const MAX_RECORDS = 400_000;
/** Lines that the log gets a second when changes fail. */
const MAX_FAILURES = 50;
/** Messages at a time that find their zone. */
const MAX_FINDING = 24;
/** Of one zone, messages that found it and give their place up to others before they are answered. */
const MAX_FOUND = 2;
/**
 * A zone may be split at any time, and what is set is to be in the child: so
 * the zone is found again with a set, which tells for its neighbours for so
 * many milliseconds.
 */
const TOLD = 100;
/** Milliseconds from a record's ask, which found the zone, in which its set needs not find it again. */
const JUST_FOUND = 1000;
const MAX_PARENTS = 10_000;

interface Found {
  readonly zone: string;
  readonly at: number;
}

export class Updater {
  #options: Required<Omit<UpdaterOptions, "watch">> & Pick<UpdaterOptions, "watch">;
  /** By name and type: as many as the configuration and hooks have hosts, twice. */
  readonly #records = new Map<string, HostRecord>();
  readonly #queues = new Map<string, ZoneQueue>();
  readonly #finding: Lane<HostRecord>;
  /** By the domain that a name is in: the zone that was found last. */
  readonly #found = new Map<string, Found>();
  /** By the domain for which a message is finding the zone now: who waits for that. */
  readonly #neighbours = new Map<string, HostRecord[]>();
  readonly #logFailure: LogLine;
  readonly #messages: MessageLimit;
  readonly #pace = new Pace();
  #waiting = 0;
  #isFlushed = false;

  constructor(options: UpdaterOptions) {
    this.#options = {
      maxWaiting: MAX_WAITING,
      maxWaiters: MAX_WAITERS,
      maxRecords: MAX_RECORDS,
      now: () => performance.now(),
      ...options,
    };
    this.#messages = new MessageLimit(this.#options.now);
    this.#finding = new Lane({
      run: (record, release) => this.#find(record, release),
      max: MAX_FINDING,
      isFar: () => this.#pace.isFar,
      now: this.#options.now,
    });
    this.#logFailure = limitRate(options.log.error, {
      most: MAX_FAILURES,
      summary: (number) => `${count(number, "more change")} failed just now`,
    });
  }

  /**
   * Makes the records so, those of one name in one UPDATE; a result a record, in
   * order, and not a promise where nothing has to be sent. Never throws.
   *
   * @param belongTogether whether those of one zone go in one UPDATE
   */
  set(
    changes: readonly Change[],
    belongTogether = false,
  ): readonly Result[] | Promise<readonly Result[]> {
    const wanted: HostRecord[] = [];
    const results = changes.map((change) => this.#set(change, wanted));
    if (belongTogether) {
      for (const some of this.#messages.slices("set", wanted)) putTogether(some, this.#zoneOf);
    } else if (wanted.length > 1) putTogether(wanted);
    for (const record of wanted) this.#attend(record);
    const areKnown = results.every((result) => typeof result === "string");
    return areKnown ? results as Result[] : Promise.all(results);
  }

  /** Whether the record is known to be so: set() would send nothing. */
  isKnown({ name, type, ttl, address }: Change): boolean {
    if (this.isWanted(name, type)) return false;
    const record = this.#records.get(keyOf(name, type));
    return record !== undefined && this.#isSo(record, addressText(address), ttl);
  }

  /** Whether a change of the record waits or is under way. */
  isWanted(name: Hostname, type: HostRecord["type"]): boolean {
    const record = this.#records.get(keyOf(name, type));
    return record !== undefined && (record.pending !== undefined || record.isBusy);
  }

  /** The address that the record had when it was last known, "none" if it had none; undefined: never. */
  addressOf(name: Hostname, type: HostRecord["type"]): string | undefined {
    const before = this.#records.get(keyOf(name, type))?.before;
    return before === "?" ? undefined : before;
  }

  /** Records that wait for a change. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Changes that wait for their record's interval are made now, and later ones at once. */
  flush(): void {
    this.#isFlushed = true;
    for (const record of this.#records.values()) this.#stopWaiting(record);
  }

  /** The hosts of which something is known or wanted; again if both of a host's records are. */
  *names(): Generator<Hostname> {
    for (const { name } of this.#records.values()) yield name;
  }

  /** The records that are being changed, or that something lost may still change. */
  *unfinished(): Generator<HostRecord> {
    for (const record of this.#records.values()) {
      if (record.pending !== undefined || record.isBusy || record.isInDoubt) yield record;
    }
  }

  /** Has a record asked for at its next two calls: another engine may still be changing it. */
  doubt({ name, type }: HostRecord): void {
    this.#record(name, type).isInDoubt = true;
  }

  #record(name: Hostname, type: HostRecord["type"]): HostRecord {
    const key = keyOf(name, type);
    let record = this.#records.get(key);
    if (record === undefined) {
      if (this.#records.size >= this.#options.maxRecords) this.#forgetSome();
      this.#records.set(key, record = new HostRecord(name, type));
    }
    return record;
  }

  /** Forgets some of the oldest that nobody waits for: they are asked for again. */
  #forgetSome(): void {
    const { now, minInterval, maxRecords } = this.#options;
    let left = Math.ceil(maxRecords / 10);
    for (const [key, record] of this.#records) {
      if (left-- === 0) break;
      if (isIdle(record) && now() - record.triedAt >= minInterval) this.#records.delete(key);
    }
  }

  /**
   * Goes on with other settings at once. What is left to do is returned: what
   * waits is not lost, and what is known stays known, unless nobody has the host
   * any more.
   */
  reconfigure(settings: UpdaterSettings, isKept: (name: Hostname) => boolean): Work {
    this.#options = { ...this.#options, ...settings };
    for (const [name, queue] of this.#queues) {
      if (queue.isIdle) this.#queues.delete(name);
    }
    return this.#reconsider(isKept);
  }

  *#reconsider(isKept: (name: Hostname) => boolean): Work {
    for (const [key, record] of this.#records) {
      yield;
      this.#stopWaiting(record);
      if (isKept(record.name)) continue;
      // Another may change it from now on.
      record.known = undefined;
      if (isIdle(record)) this.#records.delete(key);
    }
  }

  /** @param wanted gets the record, if something must be done */
  #set(
    { name, type, ttl, address, commands, note }: Change,
    wanted: HostRecord[],
  ): Result | Promise<Result> {
    const record = this.#record(name, type);
    if (record.pending === undefined) {
      if (!record.isBusy && this.#isSo(record, addressText(address), ttl)) return "UPTODATE";
      if (this.#waiting >= this.#options.maxWaiting) return "BUSY";
      this.#waiting++;
      record.pending = {
        address,
        ttl,
        commands,
        note,
        hasRetried: false,
        foundAt: -Infinity,
        waiters: [],
      };
    } else if (record.pending.waiters.length >= this.#options.maxWaiters) return "BUSY";
    const { pending } = record;
    pending.address = address;
    pending.ttl = ttl;
    pending.commands = commands;
    pending.note = note;
    this.#options.log.debug(`${record.text} will be set to ${addressText(address)}`);
    wanted.push(record);
    return new Promise<Result>((resolve) => pending.waiters.push(resolve));
  }

  #isFresh({ known, isInDoubt }: HostRecord): boolean {
    const { now, recheck } = this.#options;
    return !isInDoubt && known !== undefined && now() - known.at < recheck;
  }

  /** Whether it is known to be so. */
  #isSo(record: HostRecord, address: string, ttl: number): boolean {
    return this.#isFresh(record) && !record.known!.isPresumed && isAs(record, address, ttl);
  }

  /** Has a change that waits for its interval looked at again. */
  #stopWaiting(record: HostRecord): void {
    if (record.timer === undefined) return;
    clearTimeout(record.timer);
    record.timer = undefined;
    this.#attend(record);
  }

  /** Nobody is at it any more: the next step, if there is one. */
  #release(record: HostRecord): void {
    record.isBusy = false;
    this.#attend(record);
  }

  /** Brings the record's pending change one step further, if nobody is at it. */
  #attend(record: HostRecord): void {
    const { pending } = record;
    if (pending === undefined || record.isBusy || record.timer !== undefined) return;
    if (this.#isSo(record, addressText(pending.address), pending.ttl)) {
      return this.#fulfil(record, "UPTODATE");
    }
    if (this.#mustBeSet(record, pending)) this.#queueSet(record);
    else this.#queueAsk(record);
  }

  /** Whether it is known not to be as it is to be. */
  #mustBeSet(record: HostRecord, { address, ttl, together }: Pending): boolean {
    if (record.toSet === addressText(address)) return true;
    if (!this.#isFresh(record) || isAs(record, addressText(address), ttl)) return false;
    if (together === undefined) return true;
    // A set that finds its zone is of one record. To ask finds it as well.
    const queue = this.#queueOf(record);
    return queue !== undefined && !this.#mustFindZone(record, queue);
  }

  /** Has those go on that waited for one of these. */
  #attendHeld(together: ReadonlySet<HostRecord> | undefined): void {
    for (const record of heldOf(together)) this.#attend(record);
  }

  /** What the record waits for in vain, the others of its zone would, too. */
  #failHeld(
    record: HostRecord,
    together: ReadonlySet<HostRecord> | undefined,
    reason: string,
  ): void {
    const held = heldOf(together);
    const zone = this.#zoneOf(record);
    const isElsewhere = (other: HostRecord) =>
      other.name !== record.name && this.#zoneOf(other) !== zone;
    const others = held.filter(isElsewhere);
    for (const { pending } of held) pending!.together = undefined;
    for (const each of held) if (!isElsewhere(each)) this.#fail(each, reason);
    putTogether(others);
    // Later than what fails with the record.
    queueMicrotask(() => {
      for (const other of others) this.#attend(other);
    });
  }

  /** The zone that the record is in, as far as that is known. */
  readonly #zoneOf = ({ name, zone }: HostRecord): string | undefined =>
    this.#options.zones.of(name)?.name ?? zone;

  /** The queue of that zone; undefined if it must be found. */
  #queueOf(record: HostRecord): ZoneQueue | undefined {
    const configured = this.#options.zones.of(record.name)?.name;
    record.zone = configured ?? record.zone;
    return record.zone === undefined
      ? undefined
      : this.#queue(record.zone, configured !== undefined);
  }

  #queue(zone: string, isConfigured = false): ZoneQueue {
    let queue = this.#queues.get(zone);
    if (queue === undefined || queue.isConfigured !== isConfigured) {
      queue = new ZoneQueue(
        zone,
        isConfigured,
        this.#pace,
        this.#options.now,
        (queue, part) => this.#sendPart(queue, part),
      );
      this.#queues.set(zone, queue);
    }
    return queue;
  }

  #queueAsk(record: HostRecord): void {
    record.isBusy = true;
    record.pending!.isReady = false;
    const queue = this.#queueOf(record);
    if (queue?.isConfigured || queue?.isSilent(this.#options.now())) {
      return this.#join(queue, "ask", record);
    }
    this.#queueFinding(record);
  }

  #queueFinding(record: HostRecord): void {
    if (record.wasRefused || this.#isProbablySilent(record.name)) this.#finding.addLow(record);
    else this.#finding.add(record);
  }

  /** Whether the longest of the zones that end the name gives no answer: the name's may be another. */
  #isProbablySilent(name: string): boolean {
    for (let rest = name;;) {
      const queue = this.#queues.get(rest);
      if (queue !== undefined) return queue.wasSilent(this.#options.now());
      const dot = rest.indexOf(".");
      if (dot < 0) return false;
      rest = rest.slice(dot + 1);
    }
  }

  /** Has it set, as soon as its interval is over. */
  #queueSet(record: HostRecord): void {
    const { minInterval, now } = this.#options;
    const pause = record.triedAt + minInterval - now();
    if (pause > 0 && !this.#isFlushed) {
      record.timer = setTimeout(() => {
        record.timer = undefined;
        this.#attend(record);
      }, pause);
      return;
    }
    const { together } = record.pending!;
    let all = [record];
    if (together !== undefined) {
      record.pending!.isReady = true;
      if (!areReady(together) || this.#askAgain(together)) return;
      all = heldOf(together);
    }
    for (const each of all) each.isBusy = true;
    for (const each of all) this.#enqueueSet(each);
  }

  /** Whether they are asked once more, which finds their zone, as they waited long since they were. */
  #askAgain(together: ReadonlySet<HostRecord>): boolean {
    const all = heldOf(together);
    const mustFind = all.some((record) => {
      const queue = this.#queueOf(record);
      return queue === undefined || this.#mustFindZone(record, queue);
    });
    if (!mustFind || all.some(({ pending }) => pending!.wasAskedAgain)) return false;
    for (const record of all) {
      record.toSet = undefined;
      record.pending!.isReady = false;
      record.pending!.wasAskedAgain = true;
    }
    for (const record of all) this.#attend(record);
    return true;
  }

  #enqueueSet(record: HostRecord): void {
    const queue = this.#queueOf(record);
    if (queue === undefined || this.#mustFindZone(record, queue)) return this.#queueFinding(record);
    this.#queueSetIn(queue, record);
  }

  #mustFindZone(record: HostRecord, queue: ZoneQueue): boolean {
    const time = this.#options.now();
    if (queue.isConfigured || queue.isSilent(time)) return false;
    if (time - record.pending!.foundAt < JUST_FOUND) return false;
    const found = this.#found.get(parentOf(record.name));
    return found === undefined || found.zone !== queue.name || time - found.at >= TOLD;
  }

  #queueSetIn(queue: ZoneQueue, record: HostRecord): void {
    const isSuspicious = !record.isProven && queue.isSuspicious(this.#options.now());
    const isOwn = record.pending!.commands !== undefined;
    if (record.wasRefused) queue.apart.addLow({ record });
    else if (isSuspicious || isOwn) queue.apart.add({ record });
    else this.#join(queue, "set", record);
  }

  #join(queue: ZoneQueue, kind: MessageKind, record: HostRecord): void {
    (kind === "ask" ? queue.asks : queue.sets).add(record);
    if (!queue.isRunning) void this.#run(queue);
  }

  /** Sends what waits for the zone, one message after the other: while one is under way, changes gather. */
  async #run(queue: ZoneQueue): Promise<void> {
    queue.isRunning = true;
    while (queue.waiting > 0) await this.#sendSome(queue);
    queue.isRunning = false;
  }

  async #sendSome(queue: ZoneQueue): Promise<void> {
    // Whoever comes within the same turn of the event loop goes along.
    await Promise.resolve();
    queue.didAsk = queue.sets.size === 0 || (queue.asks.size > 0 && !queue.didAsk);
    const kind = queue.didAsk ? "ask" : "set";
    const items = this.#take(queue, kind);
    if (items.length === 0) return;
    await this.#pause(queue, kind, items);
    await this.#send(queue, kind, items, { broken: 0 });
  }

  /** Waits until a message of these may go. */
  async #pause(queue: ZoneQueue, kind: MessageKind, items: readonly Item[]): Promise<void> {
    const pause = this.#messages.pause(kind, items.map(({ record }) => record), queue.name);
    if (pause > 0) await passed(pause);
  }

  /** As many records as may go in one message. */
  #take(queue: ZoneQueue, kind: MessageKind): Item[] {
    const fits = this.#messages.next(kind);
    const items: Item[] = [];
    const waiting = kind === "ask" ? queue.asks : queue.sets;
    for (const record of waiting) {
      if (!this.#isStill(record, kind)) {
        waiting.delete(record);
        this.#release(record);
      } else if (kind === "set" && record.pending!.commands !== undefined) {
        // It got them while it waited.
        waiting.delete(record);
        queue.apart.add({ record });
      } else {
        const group = kind === "ask" ? [record] : this.#groupOf(record, waiting);
        if (!fits(group, queue.name)) break;
        for (const each of group) {
          waiting.delete(each);
          items.push(this.#item(each, kind));
        }
      }
    }
    return items;
  }

  /** The record, and those of these that go in one message with it. */
  #groupOf(record: HostRecord, waiting: ReadonlySet<HostRecord>): HostRecord[] {
    const together = record.pending!.together;
    if (together === undefined) return [record];
    return [...together].filter((each) =>
      waiting.has(each) && each.pending!.together === together && this.#isStill(each, "set") &&
      each.pending!.commands === undefined
    );
  }

  /** Whether this is what the record needs; while it waited, its address may have become another. */
  #isStill(record: HostRecord, kind: MessageKind): boolean {
    const pending = record.pending!;
    if (this.#isSo(record, addressText(pending.address), pending.ttl)) return false;
    return this.#mustBeSet(record, pending) === (kind === "set");
  }

  #item(record: HostRecord, kind: MessageKind): Item {
    const { name, type } = record;
    const pending = record.pending!;
    const { ttl, address, commands, note } = pending;
    const change: Change = {
      name,
      type,
      ttl,
      address,
      ...(commands && { commands }),
      ...(note && { note }),
    };
    if (kind === "ask") return { record, change, pending: undefined };
    record.triedAt = this.#options.now();
    record.toSet = undefined;
    record.pending = undefined;
    this.#waiting--;
    // It may have been on its way before it had to wait for others.
    this.#attendHeld(pending.together);
    return { record, change, pending };
  }

  async #sendPart(queue: ZoneQueue, part: Part): Promise<void> {
    if ("items" in part) {
      await this.#pause(queue, part.kind, part.items);
      return await this.#send(queue, part.kind, part.items, part.siblings);
    }
    const { record } = part;
    const { commands } = record.pending!;
    const pause = commands === undefined ? 0 : this.#messages.pauseOf(commands);
    if (pause > 0) await passed(pause);
    if (this.#isStill(record, "set")) {
      await this.#send(queue, "set", [this.#item(record, "set")], { broken: 0 });
    } else this.#release(record);
  }

  async #send(
    queue: ZoneQueue,
    kind: MessageKind,
    items: readonly Item[],
    siblings: { broken: number },
  ): Promise<void> {
    const { nsupdate, log, now } = this.#options;
    log.debug(`${kind} of ${items.length} in ${queue.name}`);
    let sentAt = now();
    const message = queue.begin();
    const answer = await nsupdate[kind](queue.name, items.map(({ change }) => change), {
      onSent: () => message.sent(sentAt = now()),
      share: () => queue.share(now()),
    });
    message.end();
    if (isAnswer(answer)) {
      this.#pace.add(now() - sentAt);
      queue.answered(now());
    }
    const isNotAll = answer.kind === "no" || answer.kind === "refused";
    if (isNotAll && items.length > 1 && !this.#isElsewhere(queue, answer)) {
      for (const part of partsOf(kind, items, siblings)) queue.apart.add(part);
      return;
    }
    for (const item of items) this.#conclude(queue, kind, item, answer);
    if (answer.kind === "unreachable") this.#failAll(answer.reason);
    if (answer.kind === "late") queue.late(now());
    // What commands of its own do to nsupdate tells nothing of the others.
    const isOwn = answer.kind === "failed" && items.some(({ change }) => change.commands);
    if (answer.kind === "late" || (answer.kind === "failed" && !isOwn)) {
      this.#failQueue(queue, answer.reason);
    }
  }

  /** Whether its zone must be found anew: the nameserver has no such zone, or not this name in it. */
  #isElsewhere(queue: ZoneQueue, answer: Answer): boolean {
    return answer.kind === "refused" && answer.isElsewhere && !queue.isConfigured;
  }

  /** Sends one record's message without a zone, which nsupdate finds. */
  async #find(record: HostRecord, release: () => void): Promise<void> {
    const { nsupdate, now, log } = this.#options;
    const kind = this.#isStill(record, "set") ? "set" : "ask";
    const parent = parentOf(record.name);
    if (!this.#mustBeFound(record, kind, parent)) return;
    const item = this.#item(record, kind);
    log.debug(`${kind} of ${record.text}, and of its zone`);
    const tellNeighbours = this.#tellsNeighbours(parent);
    const silence = new AbortController();
    let queue: ZoneQueue | undefined;
    let end: (() => void) | undefined;
    let sentAt = now();
    // What is silent keeps nobody else from being found, or set.
    let timer = setTimeout(() => {
      release();
      for (const held of partFromOthers(record)) this.#attend(held);
    }, this.#pace.silence);
    const onZone = (zone: string) => {
      clearTimeout(timer);
      queue = this.#foundZone(record, zone);
      tellNeighbours();
      const mayAbort = kind === "ask";
      if (mayAbort && queue.isSilent(now())) return silence.abort();
      end = queue.begin(now()).end;
      if (queue.underWay <= MAX_FOUND) release();
      timer = setTimeout(() => {
        if (mayAbort && this.#finding.size > 0) silence.abort();
        else release();
      }, this.#pace.silence);
    };
    const answer = await nsupdate[kind](undefined, [item.change], {
      onZone,
      onSent: () => sentAt = now(),
      share: () => this.#queueOf(record)?.share(now()) ?? UNKNOWN_SHARE,
      signal: silence.signal,
    });
    clearTimeout(timer);
    end?.();
    if (isAnswer(answer)) {
      this.#pace.add(now() - sentAt);
      queue?.answered(now());
    }
    if (answer.kind === "late") queue?.late(now());
    tellNeighbours();
    if (answer.kind === "aborted" && queue !== undefined) return this.#join(queue, kind, record);
    this.#conclude(queue, kind, item, answer);
    if (answer.kind === "unreachable") this.#failAll(answer.reason);
    else if (queue === undefined) {
      // A failure tells nothing of the others.
      if (answer.kind === "late") this.#failFinding(answer.reason);
    } else if (
      answer.kind === "late" || (answer.kind === "failed" && item.change.commands === undefined)
    ) {
      this.#failQueue(queue, answer.reason);
    }
  }

  /** Whether its turn to have its zone found is still needed; else it goes on without. */
  #mustBeFound(record: HostRecord, kind: MessageKind, parent: string): boolean {
    if (!this.#isStill(record, kind)) {
      this.#release(record);
      return false;
    }
    if (kind === "ask") return true;
    const queue = this.#queueOf(record);
    if (queue !== undefined && !this.#mustFindZone(record, queue)) {
      const { together, isReady } = record.pending!;
      if (together !== undefined && !isReady) this.#release(record);
      else this.#queueSetIn(queue, record);
      return false;
    }
    const neighbours = this.#neighbours.get(parent);
    if (queue === undefined || neighbours === undefined) return true;
    neighbours.push(record);
    return false;
  }

  /** Has neighbours wait for the zone that is being found; returns what lets them go on. */
  #tellsNeighbours(parent: string): () => void {
    if (this.#neighbours.has(parent)) return () => {};
    const neighbours: HostRecord[] = [];
    this.#neighbours.set(parent, neighbours);
    return () => {
      if (this.#neighbours.get(parent) !== neighbours) return;
      this.#neighbours.delete(parent);
      for (const neighbour of neighbours) this.#release(neighbour);
    };
  }

  #foundZone(record: HostRecord, zone: string): ZoneQueue {
    record.zone = zone;
    record.foundAt = this.#options.now();
    if (record.pending !== undefined) record.pending.foundAt = this.#options.now();
    for (const held of partFromOtherZones(record, this.#zoneOf)) this.#attend(held);
    if (this.#found.size >= MAX_PARENTS) this.#found.clear();
    // The apex of a zone says nothing of its neighbours.
    if (zone !== record.name) {
      this.#found.set(parentOf(record.name), { zone, at: this.#options.now() });
    }
    return this.#queue(zone);
  }

  #conclude(
    queue: ZoneQueue | undefined,
    kind: MessageKind,
    item: Item,
    answer: Answer,
  ): void {
    const { record, change } = item;
    const address = addressText(change.address);
    switch (answer.kind) {
      case "yes":
        if (answer.isUnsure) record.isInDoubt = true;
        return kind === "ask" ? this.#confirmed(record, change) : this.#made(item);
      case "no":
        // Somebody else has changed it, and what it is now is not known.
        if (record.before === address) record.before = "?";
        record.known = undefined;
        record.ttl = undefined;
        // Not what was asked for: it would be asked for again and again where it changes faster.
        record.toSet = addressText(record.pending!.address);
        return this.#release(record);
      case "refused":
        if (queue !== undefined && this.#isElsewhere(queue, answer) && this.#retry(item)) return;
        if (kind === "ask" && queue !== undefined && !answer.isElsewhere) {
          // Who may not ask may yet set; that tells.
          record.toSet = address;
          return this.#release(record);
        }
        if (kind === "set" || queue === undefined) record.wasRefused = true;
        if (kind === "set") {
          record.isProven = false;
          queue?.refused(this.#options.now());
        }
        return this.#failed(item, answer.reason);
      default:
        if (kind === "set") record.isInDoubt = true;
        this.#failHeld(record, (item.pending ?? record.pending)?.together, answer.reason);
        return this.#failed(item, answer.reason);
    }
  }

  /** Once more in the same request, its zone found anew; false if it was already. */
  #retry({ record, change, pending }: Item): boolean {
    const waiting = pending ?? record.pending;
    record.zone = undefined;
    this.#found.delete(parentOf(record.name));
    if (waiting === undefined || waiting.hasRetried) return false;
    waiting.hasRetried = true;
    if (pending !== undefined && record.pending === undefined) {
      record.toSet = addressText(change.address);
      record.triedAt = -Infinity;
      record.pending = pending;
      this.#waiting++;
    } else if (pending !== undefined) {
      // They hear what becomes of the newer address.
      record.pending!.hasRetried = true;
      record.pending!.waiters.push(...pending.waiters);
    }
    this.#release(record);
    return true;
  }

  /** The nameserver says that it is as it was asked for. */
  #confirmed(record: HostRecord, { address, ttl }: Change): void {
    const text = addressText(address);
    const { pending } = record;
    record.before = text;
    // What was lost before may come after: the next request asks once more.
    record.known = record.isInDoubt
      ? undefined
      : { address: text, at: this.#options.now(), isPresumed: false };
    record.isInDoubt = false;
    record.isBusy = false;
    if (pending === undefined || addressText(pending.address) !== text) return this.#attend(record);
    if (record.ttl === undefined || record.ttl === ttl) return this.#fulfil(record, "UPTODATE");
    record.toSet = text;
    this.#attend(record);
  }

  /** It was set. */
  #made({ record, change: { address, ttl, commands, note }, pending }: Item): void {
    const { log, now, zones, watch } = this.#options;
    const text = addressText(address);
    const reach = address === undefined ? undefined : local(address);
    const notes = [
      ...(reach === undefined ? [] : [reach]),
      ...(commands === undefined && record.before === text && record.ttl !== ttl
        ? [`ttl ${ttl}`]
        : []),
      ...(commands === undefined ? [] : ["own commands"]),
      ...(note === undefined ? [] : [note]),
    ];
    const suffix = notes.length === 0 ? "" : ` (${notes.join(", ")})`;
    const { name: host, type, before: old } = record;
    log.info(`${record.text} ${old} -> ${text}${suffix}`, {
      event: "changed",
      host,
      type,
      old,
      new: text,
      result: "OK",
    });
    watch?.changed(record.name);
    record.before = text;
    // As above. And what commands of its own have made of it is asked for.
    record.known = record.isInDoubt || commands !== undefined ? undefined : {
      address: text,
      at: now(),
      isPresumed: now() - record.foundAt >= JUST_FOUND && zones.of(record.name) === undefined,
    };
    // What is not there has none.
    record.ttl = commands === undefined && address !== undefined ? ttl : undefined;
    record.isInDoubt = false;
    record.isProven = true;
    record.wasRefused = false;
    for (const resolve of pending!.waiters) resolve("OK");
    this.#release(record);
  }

  #failed({ record, change, pending }: Item, reason: string): void {
    record.known = undefined;
    record.toSet = undefined;
    record.isBusy = false;
    if (pending === undefined) {
      if (record.pending !== undefined) this.#fail(record, reason);
      return;
    }
    this.#reportFailure(record, addressText(change.address), reason);
    for (const resolve of pending.waiters) resolve("FAIL");
    this.#attend(record);
  }

  /** Those that wait would each wait as long in vain. */
  #failAll(reason: string): void {
    this.#failFinding(reason);
    for (const queue of this.#queues.values()) this.#failQueue(queue, reason);
  }

  #failFinding(reason: string): void {
    for (const record of this.#finding.clear()) this.#failWaiting(record, reason);
  }

  #failQueue(queue: ZoneQueue, reason: string): void {
    for (const record of [...queue.asks, ...queue.sets]) this.#failWaiting(record, reason);
    queue.asks.clear();
    queue.sets.clear();
    for (const part of queue.apart.clear()) {
      if ("record" in part) this.#failWaiting(part.record, reason);
      else for (const item of part.items) this.#failed(item, reason);
    }
  }

  #failWaiting(record: HostRecord, reason: string): void {
    this.#failHeld(record, record.pending!.together, reason);
    record.isBusy = false;
    record.toSet = undefined;
    this.#fail(record, reason);
  }

  #fail(record: HostRecord, reason: string): void {
    this.#reportFailure(record, addressText(record.pending!.address), reason);
    this.#fulfil(record, "FAIL");
  }

  #reportFailure(record: HostRecord, address: string, reason: string): void {
    const problem = `could not be set to ${address}: ${reason}`;
    this.#logFailure(`${record.text} ${problem}`, {
      event: "change_failed",
      host: record.name,
      type: record.type,
      new: address,
      result: "FAIL",
    });
    this.#options.watch?.failed(record.name, `${record.type} ${problem}`);
  }

  #fulfil(record: HostRecord, result: Result): void {
    const { waiters, together } = record.pending!;
    record.pending = undefined;
    record.toSet = undefined;
    this.#waiting--;
    for (const resolve of waiters) resolve(result);
    this.#attendHeld(together);
  }
}

function passed(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms));
}

/** Whether nothing is done with it, or may yet happen to it. */
function isIdle({ pending, isBusy, isInDoubt }: HostRecord): boolean {
  return pending === undefined && !isBusy && !isInDoubt;
}

function keyOf(name: Hostname, type: HostRecord["type"]): string {
  return `${name} ${type}`;
}

/** Whether what is known of it is this. The TTL cannot be asked for: what was found is left as it is. */
function isAs({ known, ttl: own }: HostRecord, address: string, ttl: number): boolean {
  return known!.address === address && (own === undefined || own === ttl);
}
