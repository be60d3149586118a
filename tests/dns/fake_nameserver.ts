/** A nameserver with zones, as lib/dns/nsupdate.ts answers for it: for the engine's own tests. */

import { assert } from "@std/assert";
import type { Change } from "../../lib/change.ts";
import type { Answer, FindOptions, Nsupdate } from "../../lib/dns/nsupdate.ts";
import type { FakeTime } from "../fake_time.ts";

export interface Message {
  kind: "ask" | "set";
  /** As it was given; undefined if it was to be found. */
  zone: string | undefined;
  /** Each as `NAME TYPE ADDRESS`. */
  records: string[];
}

const elsewhere: Answer = { kind: "refused", reason: "NOTAUTH: not here", isElsewhere: true };

export class FakeNameserver implements Pick<Nsupdate, "ask" | "set"> {
  readonly messages: Message[] = [];
  /** Zone to its records: `NAME TYPE` to address. */
  readonly zones = new Map<string, Map<string, string>>();
  readonly refused = new Set<string>();
  readonly aliases = new Set<string>();
  /** Zones, names whose zones are not found, or "*", that give no answer. */
  readonly silent = new Set<string>();
  isGone = false;
  /** Milliseconds for the zone to be found, and as many for an answer. */
  distance = 0;
  timeout = 10_000;
  /** Of sets without an answer, whether they were made all the same. */
  makesWhatIsLost = false;
  underWay = 0;
  mostUnderWay = 0;
  readonly #records = new Set<string>();

  constructor(readonly time: FakeTime, ...zones: string[]) {
    for (const zone of zones) this.zones.set(zone, new Map());
  }

  ask(zone: string | undefined, records: readonly Change[], options?: FindOptions) {
    return this.#answer("ask", zone, records, options);
  }

  set(zone: string | undefined, records: readonly Change[], options?: FindOptions) {
    return this.#answer("set", zone, records, options);
  }

  /** The zone that holds the name: the longest that ends it. */
  zoneOf(name: string): string | undefined {
    const all = [...this.zones.keys()].filter((zone) => name === zone || name.endsWith(`.${zone}`));
    return all.sort((a, b) => b.length - a.length)[0];
  }

  /** What the world sees. */
  lookUp(name: string, type = "A"): string | undefined {
    return this.zones.get(this.zoneOf(name) ?? "")?.get(`${name} ${type}`);
  }

  count(kind: Message["kind"]): number {
    return this.messages.filter((message) => message.kind === kind).length;
  }

  async #answer(
    kind: Message["kind"],
    zone: string | undefined,
    records: readonly Change[],
    { onZone, onSent, signal }: FindOptions = {},
  ): Promise<Answer> {
    const texts = records.map(({ name, type, address }) =>
      `${name} ${type} ${address?.text ?? "none"}`
    );
    const names = records.map(({ name, type }) => `${name} ${type}`);
    for (const name of names) {
      assert(!this.#records.has(name), `${name} is in two messages`);
      this.#records.add(name);
    }
    assert(zone !== undefined || records.length === 1, "several records without a zone");
    onSent?.();
    this.messages.push({ kind, zone, records: texts });
    this.mostUnderWay = Math.max(this.mostUnderWay, ++this.underWay);
    try {
      if (this.isGone) return { kind: "unreachable", reason: "it is gone" };
      if (this.silent.has("*") || this.silent.has(records[0]!.name)) {
        return await this.#late(signal);
      }
      const found = zone ?? await this.#find(records[0]!.name, onZone);
      if (found === undefined) return elsewhere;
      if (this.silent.has(found)) {
        if (kind === "set" && this.makesWhatIsLost) this.#make(found, records);
        return await this.#late(signal);
      }
      await this.#wait(this.distance);
      return this.#outcome(kind, found, records);
    } finally {
      this.underWay--;
      for (const name of names) this.#records.delete(name);
    }
  }

  async #find(name: string, onZone: FindOptions["onZone"]): Promise<string | undefined> {
    await this.#wait(this.distance);
    const zone = this.zoneOf(name);
    if (zone !== undefined) onZone?.(zone);
    return zone;
  }

  #outcome(kind: Message["kind"], zone: string, records: readonly Change[]): Answer {
    const own = this.zones.get(zone);
    if (own === undefined) return elsewhere;
    if (kind === "ask") {
      const isSo = records.every(({ name, type, address }) =>
        own.get(`${name} ${type}`) === address?.text
      );
      return { kind: isSo ? "yes" : "no" };
    }
    if (records.some(({ name }) => this.refused.has(name))) {
      return { kind: "refused", reason: "REFUSED", isElsewhere: false };
    }
    if (records.some(({ name, address }) => address !== undefined && this.aliases.has(name))) {
      return { kind: "refused", reason: "alias", isElsewhere: false };
    }
    this.#make(zone, records);
    return { kind: "yes" };
  }

  #make(zone: string, records: readonly Change[]): void {
    const own = this.zones.get(zone)!;
    for (const { name, type, address } of records) {
      if (address === undefined) own.delete(`${name} ${type}`);
      else own.set(`${name} ${type}`, address.text);
    }
  }

  async #late(signal: AbortSignal | undefined): Promise<Answer> {
    const aborted = Promise.withResolvers<Answer>();
    const abort = () => aborted.resolve({ kind: "aborted", reason: "not waited for" });
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort);
    const late = this.#wait(this.timeout).then((): Answer => ({
      kind: "late",
      reason: `no answer in ${this.timeout / 1000} s`,
    }));
    return await Promise.race([aborted.promise, late]);
  }

  #wait(ms: number): Promise<void> {
    return ms === 0 ? Promise.resolve() : new Promise((resolve) => void setTimeout(resolve, ms));
  }
}
