/**
 * Whether every host can be updated: each is probed at its nameserver, with the
 * key that would set it. Nothing is changed by that.
 */

import type { AddressType } from "./change.ts";
import { count } from "./count.ts";
import { type Answer, type Nsupdate, parentOf } from "./dns/nsupdate.ts";
import type { Report } from "./findings.ts";
import type { Hostname } from "./hostname.ts";
import { type Nameserver, nameserverId, nameserverText } from "./nameserver.ts";
import type { Zones } from "./zones.ts";

export type Door = Pick<Nsupdate, "probe">;

export interface ProbeHostsOptions {
  hosts: readonly Hostname[];
  /** Of hosts that have only one: the type that is to be set. */
  only?: ReadonlyMap<Hostname, AddressType>;
  /** For hosts in none of the zones. */
  nameserver: Nameserver;
  zones: Zones;
  /** Milliseconds that a nameserver may take. */
  timeout: number;
  door: (nameserver: Nameserver) => Door;
  /** Told whenever more hosts are done. */
  onProgress?: (done: number) => void;
  /** Milliseconds, of a clock that nobody sets. */
  now?: () => number;
}

type Types = readonly AddressType[];
type Refusal = Answer & { kind: "refused" };

/** Hosts of one zone that go in one message. */
interface Part {
  readonly zone: string;
  readonly hosts: readonly Hostname[];
  /** Those of the types that are not known to be fine. */
  readonly types: Types;
  /** Those that each of the hosts is to have. */
  readonly wanted: Types;
  /** Whether the hosts are only taken to be in the zone, as their neighbours are. */
  readonly isAssumed: boolean;
}

const BOTH: Types = ["A", "AAAA"];
const ONE: { readonly [type in AddressType]: Types } = { A: ["A"], AAAA: ["AAAA"] };
/** Hosts whose zone is found for each by itself, 1 to 2 ms each. Of more, neighbours tell. */
const MAX_FOUND = 5000;
/** A bigger message is not faster, and one that is refused is taken apart. */
const MAX_BATCH = 500;
/** A message has 65,535; late names are not compressed. */
const MAX_OCTETS = 60_000;
/** Of a host: a prerequisite and two deletions, each with the name (RFC 2136, section 2). */
const octetsOf = (name: Hostname) => 3 * (name.length + 2) + 3 * 10 + 4 + 16;
/** Messages at a time. */
const AT_ONCE = 3;
/** Hosts refused for one reason that are looked for; of more, the messages are counted. */
const MAX_TRACED = 100;
/** Hosts with a line each in a zone where all is well. */
const MAX_LISTED = 20;
/** Hosts that are named where one was refused. */
const MAX_NAMED = 10;

/** Probes all hosts; what was found, for each nameserver. */
export async function probeHosts(options: ProbeHostsOptions): Promise<Findings[]> {
  const { hosts, only = new Map(), nameserver, zones, door, onProgress = () => {} } = options;
  const { timeout, now = () => performance.now() } = options;
  const groups = new Map<string, { nameserver: Nameserver; hosts: Hostname[] }>();
  for (const host of hosts) {
    const own = zones.of(host)?.nameserver ?? nameserver;
    const id = nameserverId(own);
    const group = groups.get(id);
    if (group === undefined) groups.set(id, { nameserver: own, hosts: [host] });
    else group.hosts.push(host);
  }
  let done = 0;
  const onDone = (number: number) => onProgress(done += number);
  const probings = [...groups.values()].map(({ nameserver, hosts }) =>
    new Probing({ nameserver, hosts, only, zones, timeout, door: door(nameserver), onDone, now })
  );
  // Nameservers do not wait for each other.
  await Promise.all(probings.map((probing) => probing.run()));
  return probings;
}

/** What was found of one nameserver's hosts. */
export interface Findings {
  tell(report: Report): void;
}

interface ProbingOptions extends Pick<ProbeHostsOptions, "zones" | "timeout"> {
  nameserver: Nameserver;
  only: ReadonlyMap<Hostname, AddressType>;
  /** All that it is to have. */
  hosts: readonly Hostname[];
  door: Door;
  onDone: (hosts: number) => void;
  now: () => number;
}

/** The hosts of one nameserver. */
class Probing implements Findings {
  readonly #options: ProbingOptions;
  readonly #unanswered: Unanswered;
  /** By zone and types. */
  readonly #good = new Map<string, { zone: string; types: Types; hosts: Hostname[] }>();
  readonly #refused = new Map<string, { text: string; isError: boolean; hosts: Hostname[] }>();
  /** How many hosts were found to be refused in a zone, of these types and for this reason. */
  readonly #traced = new Map<string, number>();
  /** Messages that were refused and not taken apart. */
  readonly #untraced = new Map<string, Untraced>();
  /** Why nothing can be said of a domain's hosts. */
  readonly #lost = new Map<string, (host: Hostname) => void>();
  #found = 0;
  #assumed = 0;
  #skipped = 0;

  constructor(options: ProbingOptions) {
    this.#options = options;
    this.#unanswered = new Unanswered(options.timeout, options.now);
  }

  async run(): Promise<void> {
    const byZone = new Map<string, Hostname[]>();
    const unknown: Hostname[] = [];
    for (const host of this.#options.hosts) {
      const zone = this.#options.zones.of(host)?.name;
      if (zone === undefined) unknown.push(host);
      else push(byZone, zone, host);
    }
    const known = this.#partsOf(byZone, false);
    if (known.length > 0) {
      // What nsupdate says when a short message fails is plainer than what it says of a long one.
      const { hosts: [first, ...others], ...part } = known.shift()!;
      await this.#probe({ ...part, hosts: [first!] });
      if (others.length > 0) known.unshift({ ...part, hosts: others });
      await inTurn(known, (part) => this.#probe(part));
    }
    if (unknown.length <= MAX_FOUND) await inTurn(unknown, (host) => this.#findOne(host));
    else await this.#probeByDomain(unknown);
  }

  tell(report: Report): void {
    const server = nameserverText(this.#options.nameserver);
    const where = (hosts: Hostname[], named: number) => `${this.#names(hosts, named)}: ${server}`;
    for (const { zone, types, hosts } of this.#good.values()) {
      this.#tellGood(`zone ${zoneText(zone)}`, `${types.join(" and ")} can be set`, hosts, report);
    }
    if (this.#assumed > 0) {
      report.ok(
        `${server}: zones were found for ${count(this.#found, "host")}; the other ` +
          `${this.#assumed} are taken to be in their neighbours' zones`,
      );
    }
    if (this.#skipped > 0) {
      report.warning(
        `${count(this.#skipped, "host")} in too many domains: ${server}: not looked at; name ` +
          "their zones under [zones]",
      );
    }
    for (const { text, isError, hosts } of this.#refused.values()) {
      report[isError ? "error" : "warning"](`${where(hosts, MAX_NAMED)}: ${text}`);
    }
    for (const { zone, types, wanted, reason, messages, hosts } of this.#untraced.values()) {
      report[types.length === wanted.length ? "error" : "warning"](
        `zone ${zoneText(zone)}: ${server}: at least ${messages} of ` +
          `${count(hosts, "more host")}, not looked at one by one: ${refusalText(types, reason)}`,
      );
    }
    for (const [reason, hosts] of this.#unanswered.all()) {
      report.error(`${where(hosts, 1)}: ${reason}`);
    }
  }

  #tellGood(zone: string, text: string, hosts: Hostname[], report: Report): void {
    if (hosts.length > MAX_LISTED) {
      return report.ok(`${zone}: ${count(hosts.length, "host")}, ${text}`);
    }
    for (const host of this.#first(hosts, MAX_LISTED)) report.ok(`${host}: ${zone}, ${text}`);
  }

  #wantedOf(host: Hostname): Types {
    const type = this.#options.only.get(host);
    return type === undefined ? BOTH : ONE[type];
  }

  /** What is to be sent for the hosts of zones: hosts of one zone that are to have the same types. */
  #partsOf(byZone: ReadonlyMap<string, readonly Hostname[]>, isAssumed: boolean): Part[] {
    return [...byZone].flatMap(([zone, hosts]) =>
      [...Map.groupBy(hosts, (host) => this.#wantedOf(host))].flatMap(([wanted, own]) =>
        partsOf({ zone, types: wanted, wanted, isAssumed }, own)
      )
    );
  }

  #names(hosts: Hostname[], named: number): string {
    const first = this.#first(hosts, named).join(", ");
    const more = hosts.length - named;
    return more <= 0 ? first : `${first} and ${count(more, "more host")}`;
  }

  /** So many of some hosts, those that come first in the configuration. */
  #first(hosts: Hostname[], limit: number): Hostname[] {
    const wanted = new Set(hosts);
    const first: Hostname[] = [];
    for (const host of this.#options.hosts) {
      if (first.length === limit) break;
      if (wanted.has(host)) first.push(host);
    }
    return first;
  }

  /** Finds the zone of one host in each domain, and takes the others to be in it. */
  async #probeByDomain(hosts: readonly Hostname[]): Promise<void> {
    const domains = Map.groupBy(hosts, parentOf);
    const first = [...domains].slice(0, MAX_FOUND);
    const zoneOfDomain = new Map<string, string>();
    await inTurn(first, async ([domain, [host]]) => {
      const zone = await this.#findOne(host!);
      if (zone !== undefined) zoneOfDomain.set(domain, zone);
    });
    this.#found = first.length;
    const zones = new Set(zoneOfDomain.values());
    const byZone = new Map<string, Hostname[]>();
    for (const [i, [domain, own]] of [...domains].entries()) {
      const rest = i < MAX_FOUND ? own.slice(1) : own;
      const lose = this.#lost.get(domain);
      if (lose !== undefined) {
        for (const host of rest) lose(host);
        this.#options.onDone(rest.length);
        continue;
      }
      const zone = zoneOfDomain.get(domain) ?? neighbourZone(domain, zones);
      if (zone === undefined) this.#skipped += rest.length;
      else {
        for (const host of rest) push(byZone, zone, host);
        this.#assumed += rest.length;
      }
    }
    await inTurn(this.#partsOf(byZone, true), (part) => this.#probe(part));
  }

  async #findOne(host: Hostname): Promise<string | undefined> {
    const zone = await this.#find(host);
    this.#options.onDone(1);
    return zone;
  }

  /** Probes one host in the zone that nsupdate finds for it; that zone, if there is one. */
  async #find(host: Hostname): Promise<string | undefined> {
    const domain = parentOf(host);
    const wanted = this.#wantedOf(host);
    let zone: string | undefined;
    const onZone = (found: string) => zone = found;
    const answer = await this.#send(
      { domain, zone: undefined, hosts: [host], types: wanted },
      onZone,
    );
    if (answer === undefined) {
      this.#lost.set(domain, (host) => this.#unanswered.addSibling(domain, host));
    } else if (answer.kind !== "refused") this.#noteGood(zone ?? domain, [host]);
    else if (zone !== undefined) {
      await this.#narrow({ zone, hosts: [host], types: wanted, wanted, isAssumed: false }, answer);
    } else {
      const lose = (host: Hostname) => this.#noteRefused(host, this.#wantedOf(host), answer.reason);
      this.#lost.set(domain, lose);
      lose(host);
    }
    return zone;
  }

  async #probe(part: Part): Promise<void> {
    await this.#probeParts(part);
    this.#options.onDone(part.hosts.length);
  }

  async #probeParts(part: Part): Promise<void> {
    const answer = await this.#send({ ...part, domain: part.zone });
    if (answer === undefined) return;
    if (answer.kind === "refused") await this.#narrow(part, answer);
    else this.#noteGood(part.zone, part.hosts);
  }

  /** Looks for the types and the hosts for which a message was refused. */
  async #narrow(part: Part, { reason, isElsewhere }: Refusal): Promise<void> {
    const { zone, hosts, wanted, isAssumed } = part;
    if (this.#isTraced(part, reason)) return this.#noteUntraced(part, reason);
    if (hosts.length === 1 && isElsewhere && isAssumed) {
      this.#noteTraced(part, reason);
      await this.#find(hosts[0]!);
      return;
    }
    const reasons = new Map(part.types.map((type) => [type, reason]));
    if (part.types.length > 1) {
      for (const type of part.types) {
        const answer = await this.#send({ zone, domain: zone, hosts, types: [type] });
        if (answer === undefined) return;
        if (answer.kind === "refused") reasons.set(type, answer.reason);
        else reasons.delete(type);
        // Then it was the other.
        if (hosts.length > 1 && reasons.size === 1) break;
      }
    }
    const types = [...reasons.keys()];
    if (types.length === 0) return this.#noteGood(zone, hosts);
    const texts = new Set(reasons.values());
    const text = texts.size === 1
      ? [...texts][0]!
      : [...reasons].map(([type, reason]) => refusalText([type], reason)).join("; ");
    const rest: Part = { zone, hosts, types, wanted, isAssumed };
    if (hosts.length === 1) {
      this.#noteTraced(rest, text);
      return this.#noteRefused(hosts[0]!, types, text);
    }
    if (this.#isTraced(rest, text)) return this.#noteUntraced(rest, text);
    const half = hosts.length >> 1;
    await this.#probeParts({ ...rest, hosts: hosts.slice(0, half) });
    await this.#probeParts({ ...rest, hosts: hosts.slice(half) });
  }

  /** Probes hosts; the nameserver's answer, or undefined: then it is noted that there is none. */
  async #send(
    { domain, zone, hosts, types }: {
      domain: string;
      zone: string | undefined;
      hosts: readonly Hostname[];
      types: Types;
    },
    onZone?: (zone: string) => void,
  ): Promise<Answer & { kind: "yes" | "no" | "refused" } | undefined> {
    if (this.#unanswered.isGivenUp(domain)) return this.#unanswered.addSiblings(domain, hosts);
    const records = hosts.flatMap((name) => types.map((type) => ({ name, type })));
    const sentAt = this.#options.now();
    const answer = await this.#options.door.probe(zone, records, { onZone });
    if (answer.kind === "yes" || answer.kind === "no" || answer.kind === "refused") {
      this.#unanswered.answered(domain);
      return answer;
    }
    this.#unanswered.add(domain, hosts, answer, sentAt);
    return undefined;
  }

  #noteGood(zone: string, hosts: readonly Hostname[]): void {
    for (const host of hosts) {
      const types = this.#wantedOf(host);
      const id = JSON.stringify([zone, types]);
      const good = this.#good.get(id) ?? { zone, types, hosts: [] };
      this.#good.set(id, good);
      good.hosts.push(host);
    }
  }

  #noteRefused(host: Hostname, types: Types, reason: string): void {
    const text = refusalText(types, reason);
    const isError = types.length === this.#wantedOf(host).length;
    const id = JSON.stringify([isError, text]);
    const refused = this.#refused.get(id) ?? { text, isError, hosts: [] };
    this.#refused.set(id, refused);
    refused.hosts.push(host);
  }

  #isTraced(part: Part, reason: string): boolean {
    return (this.#traced.get(traceId(part, reason)) ?? 0) >= MAX_TRACED;
  }

  #noteTraced(part: Part, reason: string): void {
    const id = traceId(part, reason);
    this.#traced.set(id, (this.#traced.get(id) ?? 0) + 1);
  }

  #noteUntraced(part: Part, reason: string): void {
    const id = traceId(part, reason);
    const { zone, types, wanted } = part;
    const untraced = this.#untraced.get(id) ??
      { zone, types, wanted, reason, messages: 0, hosts: 0 };
    this.#untraced.set(id, untraced);
    untraced.messages++;
    untraced.hosts += part.hosts.length;
  }
}

interface Untraced extends Pick<Part, "zone" | "types" | "wanted"> {
  readonly reason: string;
  /** Each is refused for one of its hosts at least. */
  messages: number;
  hosts: number;
}

/**
 * Messages without an answer at this many in one domain are enough: its other
 * hosts would fare the same.
 */
const ENOUGH_OF_DOMAIN = 2;
/** Without one answer between them, or however many in case of late ones. */
const ENOUGH = { inARow: 30, late: 12 };
/** Of the timeout, without one answer. */
const ENOUGH_TIME = 1.5;

/** What stays without an answer, and when it is not tried any more: nobody waits for each host. */
class Unanswered {
  /** By reason. */
  readonly #hosts = new Map<string, Hostname[]>();
  readonly #domains = new Map<string, { messages: number; reason: string }>();
  /** Since the nameserver answered last. */
  #row: { since: number; hosts: Map<string, Hostname[]>; messages: number } | undefined;
  #late = 0;
  #givenUp: string | undefined;

  constructor(readonly timeout: number, readonly now: () => number) {}

  /** The hosts without an answer, by reason. */
  all(): Map<string, Hostname[]> {
    this.#endRow();
    return this.#hosts;
  }

  answered(domain: string): void {
    this.#domains.delete(domain);
    this.#endRow();
  }

  /** @param sentAt when the message was sent */
  add(
    domain: string,
    hosts: readonly Hostname[],
    { kind, reason }: Answer & { reason: string },
    sentAt: number,
  ): void {
    if (kind === "late") this.#late++;
    const own = this.#domains.get(domain) ?? { messages: 0, reason };
    this.#domains.set(domain, { ...own, messages: own.messages + 1 });
    this.#row ??= { since: sentAt, hosts: new Map(), messages: 0 };
    this.#row.messages++;
    for (const host of hosts) push(this.#row.hosts, own.reason, host);
    if (
      this.now() - this.#row.since >= ENOUGH_TIME * this.timeout ||
      this.#row.messages >= ENOUGH.inARow || this.#late >= ENOUGH.late
    ) this.#givenUp ??= [...this.#row.hosts.keys()][0];
  }

  isGivenUp(domain: string): boolean {
    const own = this.#domains.get(domain);
    return this.#givenUp !== undefined || (own?.messages ?? 0) >= ENOUGH_OF_DOMAIN;
  }

  /** Adds hosts that are not tried. */
  addSiblings(domain: string, hosts: readonly Hostname[]): undefined {
    for (const host of hosts) this.addSibling(domain, host);
  }

  addSibling(domain: string, host: Hostname): void {
    push(
      this.#row?.hosts ?? this.#hosts,
      this.#domains.get(domain)?.reason ?? this.#givenUp!,
      host,
    );
  }

  /** Where the nameserver was given up, one reason is enough. */
  #endRow(): void {
    for (const [reason, hosts] of this.#row?.hosts ?? []) {
      for (const host of hosts) push(this.#hosts, this.#givenUp ?? reason, host);
    }
    this.#row = undefined;
  }
}

function traceId({ zone, types, wanted }: Part, reason: string): string {
  return JSON.stringify([zone, types, wanted, reason]);
}

function refusalText(types: Types, reason: string): string {
  return types.length === BOTH.length ? reason : `${types[0]} cannot be set: ${reason}`;
}

/** The longest of the zones that a domain is in. */
function neighbourZone(domain: string, zones: Set<string>): string | undefined {
  for (let rest = domain;;) {
    if (zones.has(rest)) return rest;
    const dot = rest.indexOf(".");
    if (dot < 0) return undefined;
    rest = rest.slice(dot + 1);
  }
}

/** Hosts of one zone as messages of a good size. */
function partsOf(part: Omit<Part, "hosts">, hosts: readonly Hostname[]): Part[] {
  const parts: Part[] = [];
  let own: Hostname[] = [];
  let octets = 0;
  for (const host of hosts) {
    octets += octetsOf(host);
    if (own.length === MAX_BATCH || octets > MAX_OCTETS) {
      parts.push({ ...part, hosts: own });
      own = [];
      octets = octetsOf(host);
    }
    own.push(host);
  }
  if (own.length > 0) parts.push({ ...part, hosts: own });
  return parts;
}

function zoneText(zone: string): string {
  return zone === "" ? "." : zone;
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const values = map.get(key);
  if (values === undefined) map.set(key, [value]);
  else values.push(value);
}

/** A few at a time. */
async function inTurn<T>(items: readonly T[], run: (item: T) => Promise<unknown>): Promise<void> {
  const left = items.values();
  const worker = async () => {
    for (const item of left) await run(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
