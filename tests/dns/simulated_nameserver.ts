/** A nameserver as the update engine sees it, in a time that the test moves. */

import { assert } from "@std/assert";
import type { Change } from "../../lib/change.ts";
import { addressText } from "../../lib/dns/host_record.ts";
import type { Answer, FindOptions, ZoneName } from "../../lib/dns/nsupdate.ts";
import { refusalReason } from "../../lib/dns/reason.ts";

export interface Message {
  readonly kind: "ask" | "set";
  /** undefined: it had to find it. */
  readonly zone: ZoneName;
  /** Each as `NAME TYPE ADDRESS`. */
  readonly changes: readonly string[];
  readonly at: number;
  answer: Answer | undefined;
}

/** What somebody can see of a record, since when, and who made it so. */
export interface Seen {
  readonly at: number;
  readonly address: string;
  readonly cause: "set" | "lost" | "hand" | "split";
}

export class SimulatedZone {
  /** Addresses by `NAME TYPE`. */
  readonly records = new Map<string, string>();
  /** Milliseconds from a message to its answer. */
  delay: number;
  isSilent = false;

  constructor(delay: number) {
    this.delay = delay;
  }
}

interface Delivery {
  /** Whether the nameserver does what it is told. */
  takesEffect: boolean;
  answer?: Answer;
}

export class SimulatedNameserver {
  readonly zones = new Map<string, SimulatedZone>();
  readonly messages: Message[] = [];
  /** Names whose updates are refused. */
  readonly refused = new Set<string>();
  readonly aliases = new Set<string>();
  /** Milliseconds that the question for a zone takes. */
  findingDelay = 1;
  timeout = 10_000;
  isReachable = true;
  /** What becomes of an UPDATE on its way, if not what is usual. */
  deliver: (zone: string, changes: readonly Change[]) => Delivery = () => ({ takesEffect: true });
  /** Before a message about this record is handled. */
  before: (record: string, kind: "ask" | "set") => void = () => {};
  /** Whether an ask is refused, too. */
  refusesAsks = false;
  /** By `NAME TYPE`. */
  readonly seen = new Map<string, Seen[]>();
  /** Messages at a time; more wait. */
  maxSessions = 32;
  /** Messages at a time, with those that wait, at the most. */
  most = 0;
  readonly #waiting: (() => void)[] = [];
  readonly #now: () => number;
  readonly #underWay = new Set<string>();
  #count = 0;

  constructor({ now }: { now: () => number }, zones = ["dyn.example"], delay = 1) {
    this.#now = now;
    for (const zone of zones) this.zones.set(zone, new SimulatedZone(delay));
  }

  zone(name: string): SimulatedZone {
    return this.zones.get(name)!;
  }

  /** The zone that a name is in. */
  zoneOf(name: string): string | undefined {
    for (let rest = name;;) {
      if (this.zones.has(rest)) return rest;
      const dot = rest.indexOf(".");
      if (dot < 0) return undefined;
      rest = rest.slice(dot + 1);
    }
  }

  /** What somebody can see of a record now. */
  get(record: string): string {
    const zone = this.zoneOf(record.split(" ")[0]!);
    return zone === undefined ? "none" : this.zone(zone).records.get(record) ?? "none";
  }

  /** Changes a record where it is written, as somebody else does. */
  put(record: string, address: string, cause: Seen["cause"] = "hand"): void {
    const zone = this.zoneOf(record.split(" ")[0]!);
    if (zone !== undefined) this.#write(zone, record, address, cause);
  }

  /** A zone more, without records, or one less. */
  split(name: string, isThere = true): void {
    if (isThere) this.zones.set(name, new SimulatedZone(1));
    else this.zones.delete(name);
    for (const record of this.seen.keys()) {
      if (record.split(" ")[0]!.endsWith(name)) this.#see(record, "split");
    }
  }

  ask = (zone: ZoneName, changes: readonly Change[], options: FindOptions = {}) =>
    this.#exchange("ask", zone, changes, options);

  set = (zone: ZoneName, changes: readonly Change[], options: FindOptions = {}) =>
    this.#exchange("set", zone, changes, options);

  /** What was sent, without what it had to do with. */
  sent(kind: "ask" | "set"): (readonly string[])[] {
    return this.messages.filter((message) => message.kind === kind).map(({ changes }) => changes);
  }

  async #exchange(
    kind: "ask" | "set",
    zone: ZoneName,
    changes: readonly Change[],
    options: FindOptions,
  ): Promise<Answer> {
    assert(changes.length > 0, "a message of nothing");
    assert(zone !== undefined || changes.length === 1, "the zone of many is to be found");
    for (const { name, type } of changes) {
      const record = `${name} ${type}`;
      assert(!this.#underWay.has(record), `${record} is under way twice`);
      this.#underWay.add(record);
    }
    const texts = changes.map((change) =>
      `${change.name} ${change.type} ${addressText(change.address)}`
    );
    const message: Message = { kind, zone, changes: texts, at: this.#now(), answer: undefined };
    this.messages.push(message);
    this.most = Math.max(this.most, ++this.#count);
    if (this.#count > this.maxSessions) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    options.onSent?.();
    const aborted = Promise.withResolvers<Answer>();
    const abort = () => aborted.resolve({ kind: "aborted", reason: "not waited for" });
    options.signal?.addEventListener("abort", abort);
    if (options.signal?.aborted) abort();
    const answered = this.#answer(kind, zone, changes, options);
    message.answer = await (kind === "ask" ? Promise.race([answered, aborted.promise]) : answered);
    this.#count--;
    this.#waiting.shift()?.();
    for (const { name, type } of changes) this.#underWay.delete(`${name} ${type}`);
    return message.answer;
  }

  async #answer(
    kind: "ask" | "set",
    zoneName: ZoneName,
    changes: readonly Change[],
    { onZone, signal }: FindOptions,
  ): Promise<Answer> {
    const unreachable: Answer = { kind: "unreachable", reason: "connection refused" };
    if (!this.isReachable) return await pass(1).then(() => unreachable);
    let name = zoneName;
    if (name === undefined) {
      await pass(this.findingDelay);
      name = this.zoneOf(changes[0]!.name);
      if (name === undefined) return refusal("REFUSED", true);
      onZone?.(name);
    }
    const { delay = 1, isSilent = false } = this.zones.get(name) ?? {};
    if (isSilent) return await this.#late();
    await pass(delay / 2);
    // Nobody waits for it: who knows what it would have said.
    if (kind === "ask" && signal?.aborted) return { kind: "aborted", reason: "" };
    if (!this.isReachable) return unreachable;
    for (const { name, type } of changes) this.before(`${name} ${type}`, kind);
    const delivery: Delivery = kind === "set" ? this.deliver(name, changes) : { takesEffect: true };
    const answer = this.#handle(kind, name, changes, delivery);
    if (answer.kind === "late") return await this.#late();
    await pass(delay / 2);
    return answer;
  }

  #handle(
    kind: "ask" | "set",
    name: string,
    changes: readonly Change[],
    { takesEffect, answer }: Delivery,
  ): Answer {
    const zone = this.zones.get(name);
    // A refusal may get lost, too.
    const lost = answer?.kind === "yes" ? undefined : answer;
    if (zone === undefined) return lost ?? refusal("NOTAUTH");
    if (changes.some((change) => !isIn(change.name, name))) return lost ?? refusal("NOTZONE");
    const isRefused = changes.some((change) => this.refused.has(change.name));
    if (isRefused && (kind === "set" || this.refusesAsks)) return lost ?? refusal("REFUSED");
    if (kind === "ask") {
      const isSo = changes.every(({ name, type, address }) =>
        (zone.records.get(`${name} ${type}`) ?? "none") === addressText(address)
      );
      return { kind: isSo ? "yes" : "no" };
    }
    const hasAlias = changes.some(({ name, address }) =>
      address !== undefined && this.aliases.has(name)
    );
    if (hasAlias) return lost ?? refusal("YXRRSET");
    if (takesEffect) {
      for (const { name: host, type, address } of changes) {
        this.#write(name, `${host} ${type}`, addressText(address), "set");
      }
    }
    return answer ?? { kind: "yes" };
  }

  async #late(): Promise<Answer> {
    await pass(this.timeout);
    return { kind: "late", reason: `no answer in ${this.timeout / 1000} s` };
  }

  #write(zone: string, record: string, address: string, cause: Seen["cause"]): void {
    const { records } = this.zone(zone);
    if (address === "none") records.delete(record);
    else records.set(record, address);
    this.#see(record, cause);
  }

  #see(record: string, cause: Seen["cause"]): void {
    const all = this.seen.get(record) ?? [{ at: -Infinity, address: "none", cause: "hand" }];
    const address = this.get(record);
    if (all.at(-1)!.address !== address) all.push({ at: this.#now(), address, cause });
    this.seen.set(record, all);
  }
}

function refusal(rcode: string, isElsewhere = rcode === "NOTAUTH" || rcode === "NOTZONE"): Answer {
  return { kind: "refused", reason: refusalReason(rcode, true), isElsewhere };
}

function isIn(name: string, zone: string): boolean {
  return name === zone || name.endsWith(`.${zone}`);
}

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms));
}
