/** What one nameserver has of a host, and of the zone that it is in. */

import type { Ask, DnsAnswer, Server } from "./dns_client.ts";

export interface HostView {
  /** The zone's; undefined: it is not authoritative for it, and `fault` says what it says. */
  readonly serial: number | undefined;
  readonly fault?: string;
  readonly a: readonly string[];
  readonly aaaa: readonly string[];
  /** What the host is an alias of. */
  readonly alias?: string | undefined;
  /** Seconds; undefined where there is no address. */
  readonly ttl?: number | undefined;
  /** Seconds for which a resolver remembers that there is no record. */
  readonly negativeTtl?: number | undefined;
}

/** @throws {DnsError} */
export async function viewOf(
  ask: Ask,
  server: Server,
  zone: string,
  host: string,
): Promise<HostView> {
  const [soa, a, aaaa] = await Promise.all([
    ask(server, zone, "SOA"),
    ask(server, host, "A"),
    ask(server, host, "AAAA"),
  ]);
  const own = soa.answers.find(({ name, type }) => type === "SOA" && name === zone)?.soa;
  const fault = lameness(soa, zone) ?? [a, aaaa].map(failure).find((each) => each !== undefined);
  if (fault !== undefined) return { serial: undefined, fault, a: [], aaaa: [] };
  const records = [...a.answers, ...aaaa.answers].filter(({ name }) => name === host);
  const ttls = records.map(({ ttl }) => ttl);
  return {
    serial: own?.serial,
    a: valuesOf(a, host, "A"),
    aaaa: valuesOf(aaaa, host, "AAAA"),
    alias: records.find(({ type }) => type === "CNAME")?.value,
    ttl: ttls.length === 0 ? undefined : Math.max(...ttls),
    negativeTtl: own?.negativeTtl,
  };
}

/** Why a nameserver is none of a zone's, by its answer to the question for the SOA. */
function lameness({ rcode, isAuthoritative, answers }: DnsAnswer, zone: string) {
  if (rcode !== "NOERROR") return `it answers ${rcode}`;
  const hasSoa = answers.some(({ name, type }) => type === "SOA" && name === zone);
  return isAuthoritative && hasSoa ? undefined : "it is not authoritative";
}

function failure({ rcode }: DnsAnswer): string | undefined {
  return rcode === "NOERROR" || rcode === "NXDOMAIN" ? undefined : `it answers ${rcode}`;
}

/** A name's records of a type, in an order of their own. */
export function valuesOf({ answers }: DnsAnswer, host: string, wanted: string): string[] {
  return answers.filter(({ name, type }) => name === host && type === wanted)
    .map(({ value }) => value).sort();
}

/** "A 192.0.2.1, no AAAA". */
export function addressesText({ a, aaaa, alias }: HostView): string {
  if (alias !== undefined) return `an alias of ${alias}`;
  if (a.length + aaaa.length === 0) return "neither A nor AAAA";
  const text = (type: string, values: readonly string[]) =>
    values.length === 0 ? `no ${type}` : `${type} ${values.join(" and ")}`;
  return `${text("A", a)}, ${text("AAAA", aaaa)}`;
}

/** Whether a serial is before another (RFC 1982, section 3.2). */
export function isOlder(serial: number, other: number): boolean {
  const ahead = other - serial >>> 0;
  return ahead > 0 && ahead < 2 ** 31;
}
