/** Which address a request is from: the connection's, or the one that a trusted proxy names. */

import { type Address, contains, type Network, parseAddress } from "../address.ts";
import type { ProxyHeader } from "../proxy_header.ts";

/** Who sent a request. */
export interface Caller {
  /** undefined if a trusted proxy's header has none. */
  readonly address: Address | undefined;
  /** The address, or what is known instead, for the log. */
  readonly text: string;
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
  find(hostname: string, request: Pick<Request, "headers">): Caller {
    const { trustedProxies, proxyHeader } = this.#options;
    const peer = this.#peer(hostname);
    // Reading the headers takes a while.
    if (peer.address === undefined || trustedProxies.length === 0) return peer;
    const address = clientAddress(peer.address, request.headers, trustedProxies, proxyHeader);
    if (address === peer.address) return peer;
    return { address, text: address?.text ?? `a client behind ${peer.text}` };
  }

  #peer(hostname: string): Caller {
    let peer = this.#peers.get(hostname);
    if (peer === undefined) {
      const address = parseAddress(hostname);
      peer = { address, text: address?.text ?? "a client behind an unknown address" };
      if (this.#peers.size >= MAX_PEERS) this.#peers.clear();
      this.#peers.set(hostname, peer);
    }
    return peer;
  }
}

/**
 * The address of the client: the connection's, unless that is a trusted
 * proxy's, whose header names it. undefined if the header has none.
 */
export function clientAddress(
  peer: Address,
  headers: Headers,
  trusted: readonly Network[],
  proxyHeader: ProxyHeader,
): Address | undefined {
  const isTrusted = (address: Address) => trusted.some((network) => contains(network, address));
  if (!isTrusted(peer)) return peer;
  const header = headers.get(proxyHeader);
  if (header === null) return peer;
  if (proxyHeader === "X-Real-IP") return parseForwarded(header);
  // Each proxy appends the address that it was called from: only what trusted ones wrote counts.
  let address: Address | undefined = peer;
  for (const text of header.split(",").reverse()) {
    address = parseForwarded(text);
    if (address === undefined || !isTrusted(address)) break;
  }
  return address;
}

/** An address as proxies write it, some with a port: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
function parseForwarded(text: string): Address | undefined {
  const trimmed = text.trim();
  const [, inner] = /^\[([^\]]*)\](?::\d+)?$/.exec(trimmed) ?? /^([\d.]+):\d+$/.exec(trimmed) ?? [];
  return parseAddress(inner ?? trimmed);
}
