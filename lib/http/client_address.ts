/** Which address a request is from: the connection's, or the one that a trusted proxy names. */

import { type Address, isInAny, type Network, parseAddress } from "../address.ts";
import type { ProxyHeader } from "../proxy_header.ts";
import { forwardedFor } from "./forwarded.ts";
import type { HttpRequest } from "./request_head.ts";

/** Who sent a request. */
export type Caller = Known | Unknown;

interface Known {
  readonly address: Address;
  /** For the log. */
  readonly text: string;
  /** Where it calls from, if that is known, where `address` is one that somebody has chosen. */
  readonly origin?: Address | undefined;
}

interface Unknown {
  readonly address: undefined;
  /** What is known instead of the address, for the log. */
  readonly text: string;
  /** Why it is not known, for the log. */
  readonly problem: string;
}

/** Where the request comes from, whatever address it is to set. */
export function originOf(caller: Caller): Address | undefined {
  return "origin" in caller ? caller.origin : caller.address;
}

export interface CallersOptions {
  /** Networks whose proxyHeader is trusted. */
  trustedProxies: readonly Network[];
  proxyHeader: ProxyHeader;
}

const MAX_PEERS = 1000;

/** Finds out who sent a request. */
export class Callers {
  readonly #options: CallersOptions;
  /** The latest ones by the address of their connection: most come again, and parsing takes a while. */
  readonly #peers = new Map<string, Caller>();

  constructor(options: CallersOptions) {
    this.#options = options;
  }

  /** @param hostname the address of the connection's other end */
  find(hostname: string, request: Pick<HttpRequest, "headers">): Caller {
    const { trustedProxies, proxyHeader } = this.#options;
    const peer = this.#peer(hostname);
    // Reading the headers takes a while.
    if (peer.address === undefined || trustedProxies.length === 0) return peer;
    return clientOf(peer, request.headers, trustedProxies, proxyHeader);
  }

  #peer(hostname: string): Caller {
    let peer = this.#peers.get(hostname);
    if (peer === undefined) {
      const address = parseAddress(hostname);
      peer = address === undefined
        ? unknown("an unknown address", "the other end of its connection has no IP address")
        : { address, text: address.text };
      if (this.#peers.size >= MAX_PEERS) this.#peers.clear();
      this.#peers.set(hostname, peer);
    }
    return peer;
  }
}

/**
 * The client: the connection's other end, unless that is a trusted proxy, whose
 * header names it. A trusted proxy itself never is the client, also where another
 * one names it: its address would be published for that of somebody else.
 */
export function clientOf(
  peer: Known,
  headers: HttpRequest["headers"],
  trusted: readonly Network[],
  proxyHeader: ProxyHeader,
): Caller {
  if (!isInAny(trusted, peer.address)) return peer;
  const header = headers.get(proxyHeader) ?? "";
  let proxy = peer.text;
  // Each proxy appends the address that it was called from: only what trusted ones wrote counts.
  for (const named of clientsIn(header, proxyHeader)) {
    if (typeof named === "string") return unknown(proxy, `the proxy ${proxy} ${named}`);
    if (!isInAny(trusted, named)) return { address: named, text: named.text };
    proxy = named.text;
  }
  const hint = proxy === peer.text ? "" : " (if it is no proxy, trusted_proxies has too much)";
  return unknown(
    proxy,
    `the proxy ${proxy} did not say, in ${proxyHeader}, whom it asks for${hint}`,
  );
}

/** Whom each proxy asks for, the nearest one's first: an address, or what the proxy did instead. */
function* clientsIn(header: string, proxyHeader: ProxyHeader): Generator<Address | string> {
  // Those who wrote nothing, or were told to write nothing.
  if (header.trim() === "") return;
  if (proxyHeader === "Forwarded") return yield* forwardedFor(header);
  const texts = proxyHeader === "X-Real-IP" ? [header] : header.split(",").reverse();
  for (const text of texts) {
    yield parseWithPort(text) ?? `sent something else than an address in ${proxyHeader}`;
  }
}

function unknown(proxy: string, problem: string): Unknown {
  return { address: undefined, text: `a client behind ${proxy}`, problem };
}

/** An address as proxies write it, some with a port: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
function parseWithPort(text: string): Address | undefined {
  const trimmed = text.trim();
  const [, inner] = /^\[([^\]]*)\](?::\d+)?$/.exec(trimmed) ?? /^([\d.]+):\d+$/.exec(trimmed) ?? [];
  return parseAddress(inner ?? trimmed);
}
