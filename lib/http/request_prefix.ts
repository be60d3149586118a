/** The prefix that a request brings, which the hosts behind a client's router get. */

import type { Address, Network } from "../address.ts";
import type { Change } from "../change.ts";
import type { Client } from "../clients.ts";
import { join, parsePrefix, prefixOf, prefixText } from "../prefix.ts";
import {
  BadAddress,
  isFilledIn,
  parametersOf,
  refused,
  type Wanted,
  wantedAddresses,
} from "./request_addresses.ts";

/** What a request asks for. */
export interface WantedRecords {
  /** Of the client's own hosts. */
  readonly addresses: Wanted;
  /** Of those behind its router; undefined if they are left alone. */
  readonly prefixed: readonly Change[] | undefined;
}

/**
 * What the query asks for, or why it gets nothing of it.
 *
 * @param query without the question mark in front
 * @param own the connection's address
 */
export function wantedRecords(
  client: Client,
  query: string,
  own: Address,
): WantedRecords | BadAddress {
  const addresses = wantedAddresses(query, own, client.limits);
  if (addresses instanceof BadAddress) return addresses;
  const prefixed = prefixedRecords(client, query, own, addresses);
  return prefixed instanceof BadAddress ? prefixed : { addresses, prefixed };
}

const NAMES = ["ip6lanprefix", "ipv6prefix", "ip6prefix", "prefix"];

/**
 * The records of the hosts behind the client's router, as they are to be; undefined
 * if the request says nothing of them. Where it may name addresses, it names the
 * prefix as well; else that is the connection's.
 *
 * @param query without the question mark in front
 * @param own the connection's address
 * @param wanted what the client's own hosts get
 */
export function prefixedRecords(
  { prefix, address, limits }: Client,
  query: string,
  own: Address,
  wanted: Wanted,
): readonly Change[] | undefined | BadAddress {
  if (prefix === undefined) return undefined;
  const { length, hosts } = prefix;
  if (wanted === "offline") {
    return hosts.map(({ name, ttl }) => ({ name, type: "AAAA", ttl, address: undefined }));
  }
  const isNamed = address === "request";
  const found = isNamed ? namedPrefix(query, length) : ownPrefix(own, length);
  if (typeof found === "string") return new BadAddress(found, true);
  if (found === undefined) return undefined;
  const changes: Change[] = [];
  for (const { name, ttl, id } of hosts) {
    const address = join(found, id);
    if (address.family === 4) {
      return new BadAddress(`prefix ${prefixText(found)} refused (of IPv4 addresses)`, isNamed);
    }
    const problem = refused(address, limits, isNamed);
    if (problem !== undefined) return problem;
    changes.push({ name, type: "AAAA", ttl, address });
  }
  return changes;
}

function ownPrefix(own: Address, length: number): Network | undefined {
  return own.family === 4 ? undefined : prefixOf(own, length);
}

/** @returns what is wrong, as text */
function namedPrefix(query: string, length: number): Network | undefined | string {
  let found: Network | undefined;
  for (const [name, value] of parametersOf(query)) {
    if (!NAMES.includes(name)) continue;
    const text = value?.trim();
    if (text !== undefined && !isFilledIn(text)) continue;
    const prefix = text === undefined ? undefined : parsePrefix(text);
    if (prefix === undefined) return "what the request names is no prefix";
    if (found !== undefined && prefixText(found) !== prefixText(prefix)) {
      return "the request names two different prefixes";
    }
    found = prefix;
  }
  // What a router without one may say, and no network's.
  if (found?.address.parts.every((part) => part === 0)) {
    return `prefix ${prefixText(found)} refused (unspecified)`;
  }
  if (found === undefined || found.bits <= length) return found;
  return `prefix ${prefixText(found)} refused (longer than the client's ${length} bits)`;
}
