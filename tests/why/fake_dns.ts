/** Nameservers and a resolver that say what a table has. */

import { Links } from "../../lib/why/links.ts";
import { type Ask, type DnsAnswer, DnsError, type DnsRecord } from "../../lib/why/dns_client.ts";
import type { Resolver } from "../../lib/why/resolver.ts";

/** By `ADDRESS NAME TYPE`; what is not there is refused. */
export type Said = Record<string, Partial<DnsAnswer> | DnsError>;

export function askOf(said: Said): Ask {
  return ({ address }, name, type) => {
    const answer = said[`${address} ${name} ${type}`];
    if (answer instanceof DnsError) return Promise.reject(answer);
    return Promise.resolve({
      rcode: answer === undefined ? "REFUSED" : "NOERROR",
      isAuthoritative: true,
      answers: [],
      authorities: [],
      additionals: [],
      ...answer,
    });
  };
}

export function record(name: string, type: DnsRecord["type"], value: string): DnsRecord {
  return { name, type, ttl: 30, value };
}

export function soa(name: string, serial: number): DnsRecord {
  return { ...record(name, "SOA", `ns1.${name}`), soa: { serial, negativeTtl: 60 } };
}

/** What a nameserver says that has a zone with one A record of a host. */
export function zoneAt(address: string, zone: string, serial: number, host: string, a: string) {
  return {
    [`${address} ${zone} SOA`]: { answers: [soa(zone, serial)] },
    [`${address} ${host} SOA`]: { authorities: [soa(zone, serial)] },
    [`${address} ${host} A`]: { answers: [record(host, "A", a)] },
    [`${address} ${host} AAAA`]: {},
  };
}

export function resolverOf(
  { addresses = {}, nameservers = {} }: {
    addresses?: Record<string, string[]>;
    nameservers?: Record<string, string[]>;
  },
): Resolver {
  return {
    addresses: (name) => Promise.resolve(addresses[name] ?? []),
    nameservers: (zone) => Promise.resolve(nameservers[zone] ?? []),
  };
}

/** What is told, by whatever tells it. */
export async function told(tell: (links: Links) => unknown): Promise<string[]> {
  const lines: string[] = [];
  await tell(new Links((line) => lines.push(line)));
  return lines;
}
