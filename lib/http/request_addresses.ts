/** Addresses that a request names in its query, as routers and update clients do. */

import { type Address, parseAddress, unusable } from "../address.ts";
import { type ClientLimits, refusal } from "../client_limits.ts";

type Family = Address["family"];

/** What a client's hosts get: these addresses, one of a family at most; or none any more. */
export type Wanted = readonly Address[] | "offline";

/** Why an address is not taken, in words that hold nothing of the request but an address. */
export class BadAddress {
  /** @param isNamed whether the request names it; else it is the connection's */
  constructor(readonly problem: string, readonly isNamed: boolean) {}
}

/** Names whose values are lists of either family. */
const EITHER = ["myip", "ip", "myipv4", "ipv4"];
/** Names whose values are lists of IPv6 addresses. */
const IPV6 = ["myipv6", "myip6", "ipv6", "ip6", "ip6addr"];

/** What a router leaves where it has nothing to fill in. */
const PLACEHOLDER = /^<[^<>]*>$/;

/**
 * Which addresses the query names; the connection's, if it names none. A family
 * that is not named is not touched.
 *
 * @param query without the question mark in front
 * @param own the connection's address
 */
export function wantedAddresses(
  query: string,
  own: Address,
  limits: ClientLimits | undefined,
): Wanted | BadAddress {
  const named = query === "" ? [own] : namedAddresses(query, own);
  if (typeof named === "string") return named;
  if (named instanceof BadAddress) return named;
  for (const address of named) {
    const problem = refused(address, limits, address !== own);
    if (problem !== undefined) return problem;
  }
  return named;
}

/** Why the address must not be put into DNS, or not by this client; undefined if it may. */
export function refused(
  address: Address,
  limits: ClientLimits | undefined,
  isNamed: boolean,
): BadAddress | undefined {
  const problem = unusable(address) ?? refusal(limits, address);
  if (problem === undefined) return undefined;
  return new BadAddress(`address ${address.text} refused (${problem})`, isNamed);
}

function namedAddresses(query: string, own: Address): Wanted | BadAddress {
  const named = new Map<Family, Address | "preserve">();
  for (const [name, value] of parametersOf(query)) {
    if (name === "offline" && value?.toUpperCase() === "YES") return "offline";
    const isIpv6 = IPV6.includes(name);
    if (!isIpv6 && !EITHER.includes(name)) continue;
    for (const text of value?.split(",") ?? [undefined]) {
      const problem = add(named, text?.trim(), isIpv6);
      if (problem !== undefined) return new BadAddress(problem, true);
    }
  }
  const addresses = [named.get(4), named.get(6)].filter((value) =>
    value !== undefined && value !== "preserve"
  );
  return addresses.length > 0 || named.has(own.family) ? addresses : [own];
}

/** @param text undefined if it cannot be decoded */
function add(
  named: Map<Family, Address | "preserve">,
  text: string | undefined,
  isIpv6: boolean,
): string | undefined {
  if (text !== undefined && !isFilledIn(text)) return undefined;
  const value = text === "preserve" ? text : text === undefined ? undefined : parseAddress(text);
  if (value === undefined) return "what the request names is no address";
  const family = value !== "preserve" ? value.family : isIpv6 ? 6 : 4;
  if (isIpv6 && family === 4) return "where the request is to name an IPv6 address is an IPv4 one";
  const before = named.get(family);
  named.set(family, value);
  if (before === undefined || textOf(before) === textOf(value)) return undefined;
  return `the request names two different IPv${family} addresses`;
}

/** Whether the value of a parameter is one: a router may have had none. */
export function isFilledIn(value: string): boolean {
  return value !== "" && !PLACEHOLDER.test(value);
}

function textOf(value: Address | "preserve"): string {
  // A zone id is not part of an address's text, and is refused later on.
  return value === "preserve" ? value : `${value.text}${value.zoned ? "%" : ""}`;
}

/** The parameters of a query, decoded; undefined is a value that cannot be. */
export function* parametersOf(query: string): Generator<[name: string, value: string | undefined]> {
  for (const parameter of query.split("&")) {
    const equals = parameter.indexOf("=");
    const [name, value] = equals < 0
      ? [parameter, ""]
      : [parameter.slice(0, equals), parameter.slice(equals + 1)];
    yield [decode(name) ?? "", decode(value)];
  }
}

/** @returns undefined if it has an escape that is none, or no UTF-8 in escapes */
function decode(text: string): string | undefined {
  const spaced = text.replaceAll("+", " ");
  try {
    return spaced.includes("%") ? decodeURIComponent(spaced) : spaced;
  } catch {
    return undefined;
  }
}

/** What old FRITZ!Boxes make of the space between two URLs, and of the second one's slashes. */
const SECOND_URL = /%20https?:\/+[^/?#]*\/*/i;

/** Two URLs that an old FRITZ!Box sent as one: what is behind the first slash of each. */
export function twoInOne(text: string): [first: string, second: string] | undefined {
  const match = SECOND_URL.exec(text);
  if (match === null) return undefined;
  return [text.slice(0, match.index), text.slice(match.index + match[0].length)];
}
