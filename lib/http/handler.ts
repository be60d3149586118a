/** Request to response: the secret URL's protocol. */

import { STATUS_CODE } from "@std/http/status";
import { type Address, contains, type Network, parseAddress, unusable } from "../address.ts";
import { type Clients, digest, type Hosts, keyId } from "../clients.ts";
import type { ProxyHeader } from "../config/config.ts";
import { limitFlood, type Log } from "../log.ts";
import type { Result, Updater } from "../dns/updater.ts";

export interface HandlerOptions {
  clients: Clients;
  updater: Pick<Updater, "set">;
  log: Log;
  /** Whose proxyHeader is believed. */
  trustedProxies: readonly Network[];
  proxyHeader: ProxyHeader;
}

/** Where a request came from, as Deno.serve tells it. */
export interface Connection {
  readonly remoteAddr: { readonly hostname: string };
}

export type Handler = (request: Request, connection: Connection) => Response | Promise<Response>;

/** What a request's outcome is in HTTP: the one place that decides it. */
const ANSWERS = {
  OK: [STATUS_CODE.OK, "OK"],
  UPTODATE: [STATUS_CODE.OK, "UPTODATE"],
  BADKEY: [STATUS_CODE.Forbidden, "BADKEY"],
  FAIL: [STATUS_CODE.InternalServerError, "FAIL"],
  BUSY: [STATUS_CODE.ServiceUnavailable, "FAIL"],
} as const;

const HEADERS = { "cache-control": "no-store" };
/** Seconds after which a client that was turned away may come again. */
const RETRY_AFTER = "10";

const MAX_PEERS = 1000;

/** Of several hosts' results, the one that is the answer: the worst. */
const WORST_FIRST: Result[] = ["FAIL", "BUSY", "OK", "UPTODATE"];

export function createHandler(
  { clients, updater, log, trustedProxies, proxyHeader }: HandlerOptions,
): Handler {
  const warn = limitFlood(log.warning, (count) => `${count} more requests were refused just now`);

  const peers = new PeerCache();

  function update(key: string, hosts: Hosts, address: Address): Response | Promise<Response> {
    const problem = unusable(address);
    if (problem !== undefined) {
      warn(`key ${keyId(digest(key))}: the address ${address.text} is refused: it is ${problem}`);
      return answer("FAIL");
    }
    if (hosts.length === 1) {
      const result = updater.set(hosts[0]!, address);
      return typeof result === "string" ? answer(result) : result.then(answer);
    }
    return Promise.all(hosts.map((host) => updater.set(host, address))).then((results) =>
      answer(WORST_FIRST.find((result) => results.includes(result))!)
    );
  }

  return (request, { remoteAddr }) => {
    if (request.method !== "GET") {
      const headers = { ...HEADERS, allow: "GET" };
      return new Response(null, { status: STATUS_CODE.MethodNotAllowed, headers });
    }
    const key = keyOf(request.url, () => request.headers.get("host"));
    const peer = peers.parse(remoteAddr.hostname);
    // Without proxies the headers, which take a while, are not looked at.
    const address = peer === undefined || trustedProxies.length === 0
      ? peer
      : clientAddress(peer, request.headers, trustedProxies, proxyHeader);
    const from = () => address?.text ?? `a client behind ${peer?.text ?? "an unknown address"}`;
    const hosts = key === "" ? undefined : clients.find(key);
    if (key !== "" && hosts === undefined) {
      warn(`unknown key from ${from()}`);
      return answer("BADKEY");
    }
    if (address === undefined) {
      warn(`${from()} is refused: no address in its ${proxyHeader}`);
      return answer("FAIL");
    }
    if (hosts === undefined) return new Response(address.text, { headers: HEADERS });
    return update(key, hosts, address);
  };
}

/** The addresses of those who came last: most come again, and parsing takes a while. */
class PeerCache {
  readonly #addresses = new Map<string, Address | undefined>();

  parse(text: string): Address | undefined {
    let address = this.#addresses.get(text);
    if (address === undefined) {
      address = parseAddress(text);
      if (this.#addresses.size >= MAX_PEERS) this.#addresses.clear();
      this.#addresses.set(text, address);
    }
    return address;
  }
}

function answer(result: keyof typeof ANSWERS): Response {
  const [status, body] = ANSWERS[result];
  const headers = result === "BUSY" ? { ...HEADERS, "retry-after": RETRY_AFTER } : HEADERS;
  return new Response(body, { status, headers });
}

/**
 * The update key in a request: its target as the client sent it, query string
 * and all, without the slashes at its beginning; "" if there is none.
 *
 * @param url as Deno.serve makes it: the scheme, then the client's Host header
 * letter by letter (or, of an absolute target, that one's authority), then the target
 */
export function keyOf(url: string, host: () => string | null): string {
  const authority = url.indexOf("://") + 3;
  const length = url.slice(authority).search(/[/?#]/);
  const key = trimSlashes(url, length < 0 ? url.length : authority + length);
  // Only a key with a slash may have begun in a hostile Host header.
  if (!key.includes("/")) return key;
  const name = host();
  const target = authority + (name?.length ?? 0);
  const isHosts = name !== null && url.startsWith(name, authority) && url[target] === "/";
  return isHosts ? trimSlashes(url, target) : key;
}

function trimSlashes(url: string, start: number): string {
  while (url[start] === "/") start++;
  const key = url.slice(start);
  return key === "?" ? "" : key;
}

/**
 * The address of the client: the connection's, unless that is a trusted
 * proxy's, whose header tells it. undefined if the header holds none.
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
