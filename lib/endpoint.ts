/** Where to listen, and where a nameserver is: an address or name with a port. */

import { parseAddress } from "./address.ts";
import { parseHostname } from "./hostname.ts";

/** Where nameservers listen (RFC 1035, section 4.2). */
export const DNS_PORT = 53;

export interface Endpoint {
  /** An address in canonical text, or a host name; undefined is every interface of both families. */
  readonly hostname: string | undefined;
  readonly port: number;
}

/**
 * Parses `PORT`, `IP4:PORT` or `[IP6]:PORT`.
 *
 * @throws {RangeError} what is wrong with it and what would be right
 */
export function parseListen(text: string): Endpoint {
  const expected = `expected "PORT", "IP4:PORT" or "[IP6]:PORT", got ${JSON.stringify(text)}`;
  const [, bracketed, plain, digits] = /^(?:\[([^\]]*)\]:|([^:[\]]*):)?(\d+)$/.exec(text) ??
    fail(expected);
  const port = parsePort(digits!);
  const host = bracketed ?? plain;
  if (host === undefined) return { hostname: undefined, port };
  const address = parseAddress(host);
  if (address === undefined || address.zoned) return fail(expected);
  if ((bracketed !== undefined) !== host.includes(":")) return fail(expected);
  return { hostname: address.text, port };
}

/**
 * Parses `HOST` or `HOST:PORT`, the HOST an IPv4 address, an IPv6 address (in
 * brackets if a port follows) or a host name. Without a port it is DNS's, 53.
 *
 * @throws {RangeError} what is wrong with it and what would be right
 */
export function parseNameserver(text: string): Endpoint {
  const address = parseAddress(text);
  if (address !== undefined && !address.zoned) return { hostname: address.text, port: DNS_PORT };
  const [, bracketed, plain, digits] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(\d+))?$/.exec(text) ??
    fail(`expected "HOST" or "HOST:PORT", got ${JSON.stringify(text)}`);
  const port = digits === undefined ? DNS_PORT : parsePort(digits);
  const host = bracketed ?? plain!;
  const hostAddress = parseAddress(host);
  if (hostAddress !== undefined && !hostAddress.zoned) return { hostname: hostAddress.text, port };
  if (bracketed !== undefined) return fail(`${JSON.stringify(text)} has no address in brackets`);
  if (host.startsWith("*")) fail(`${JSON.stringify(text)} is a wildcard, not a nameserver`);
  return { hostname: host === "localhost" ? host : parseHostname(host), port };
}

/** `HOST:PORT` as it is written in the configuration. */
export function endpointText({ hostname, port }: Endpoint): string {
  if (hostname === undefined) return `${port}`;
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

/** Whether two listeners would need the same port of one address. */
export function overlap(one: Endpoint, other: Endpoint): boolean {
  if (one.port !== other.port) return false;
  const [a, b] = [one.hostname ?? "::", other.hostname ?? "::"];
  // "::" accepts IPv4, too.
  return a === b || a === "::" || b === "::" ||
    a === "0.0.0.0" && !b.includes(":") || b === "0.0.0.0" && !a.includes(":");
}

function parsePort(digits: string): number {
  const port = Number(digits);
  return port >= 1 && port <= 65535 ? port : fail(`${digits} is no port: expected 1 to 65535`);
}

function fail(message: string): never {
  throw new RangeError(message);
}
