/** The secret URL's protocol: the request target is the client's key, and its hosts get its address. */

import { STATUS_CODE } from "@std/http/status";
import { unusable } from "../address.ts";
import { isTakenFrom, refusal } from "../client_limits.ts";
import { type ClientList, digest, keyId } from "../clients.ts";
import type { Result } from "../dns/updater.ts";
import { createResponse, type Protocol } from "./protocol.ts";

export interface SecretUrlOptions {
  clients: Pick<ClientList, "find">;
  /** Logs why a request was refused. */
  warn: (message: string) => void;
}

/** Each outcome in HTTP: the one place that decides it. */
const RESPONSES = {
  OK: [STATUS_CODE.OK, "OK"],
  UPTODATE: [STATUS_CODE.OK, "UPTODATE"],
  BADKEY: [STATUS_CODE.Forbidden, "BADKEY"],
  FAIL: [STATUS_CODE.InternalServerError, "FAIL"],
  BUSY: [STATUS_CODE.ServiceUnavailable, "FAIL"],
} as const;

/** Seconds. */
const RETRY_AFTER = { "retry-after": "10" };

/** Of several results the worst is the response. */
const WORST_FIRST: Result[] = ["FAIL", "BUSY", "OK", "UPTODATE"];

export function createSecretUrl({ clients, warn }: SecretUrlOptions): Protocol {
  return {
    parse(request, caller) {
      // A key that is not taken from there is one that nobody has.
      const find = (key: string) => {
        const client = clients.find(key);
        return isTakenFrom(client?.limits, caller.address) ? client : undefined;
      };
      let key = keyOf(request.url, () => request.headers.get("host"));
      let client = key === "" ? undefined : find(key);
      // Some routers insist on a query string, be it an empty one.
      if (client === undefined && key !== "" && key.indexOf("?") === key.length - 1) {
        key = key.slice(0, -1);
        client = find(key);
      }
      if (key !== "" && client === undefined) {
        warn(`unknown key from ${caller.text}`);
        return respondWith("BADKEY");
      }
      if (caller.address === undefined) {
        warn(caller.problem);
        return respondWith("FAIL");
      }
      const { address } = caller;
      if (client === undefined) return createResponse(STATUS_CODE.OK, address.text);
      const problem = unusable(address) ?? refusal(client.limits, address);
      if (problem !== undefined) {
        warn(`key ${keyId(digest(key))}: address ${address.text} refused (${problem})`);
        return respondWith("FAIL");
      }
      return { client, hosts: client.hosts, addresses: [address] };
    },
    respond: (results) => respondWith(WORST_FIRST.find((result) => results.includes(result))!),
  };
}

function respondWith(outcome: keyof typeof RESPONSES): Response {
  const [status, body] = RESPONSES[outcome];
  return createResponse(status, body, outcome === "BUSY" ? RETRY_AFTER : undefined);
}

/**
 * The update key in a request: its target as the client sent it, query string
 * and all, without the slashes at its start; "" if there is none.
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
