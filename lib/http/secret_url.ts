/** The secret URL's protocol: the request target is the client's key, and its hosts get its address. */

import { STATUS_CODE } from "@std/http/status";
import { unusable } from "../address.ts";
import { isTakenFrom, refusal } from "../client_limits.ts";
import { type ClientList, digest, keyId } from "../clients.ts";
import type { Result } from "../dns/updater.ts";
import type { Answer } from "./answer.ts";
import type { Protocol } from "./protocol.ts";

export interface SecretUrlOptions {
  clients: Pick<ClientList, "find" | "idOf">;
  /** Logs why a request was refused. */
  warn: (message: string) => void;
}

/** Each outcome in HTTP: the one place that decides it. */
const ANSWERS = {
  OK: { status: STATUS_CODE.OK, body: "OK" },
  UPTODATE: { status: STATUS_CODE.OK, body: "UPTODATE" },
  BADKEY: { status: STATUS_CODE.Forbidden, body: "BADKEY" },
  FAIL: { status: STATUS_CODE.InternalServerError, body: "FAIL" },
  // Seconds.
  BUSY: {
    status: STATUS_CODE.ServiceUnavailable,
    body: "FAIL",
    headers: { "retry-after": "10" },
  },
} as const satisfies Record<string, Answer>;

/** Of several results the worst is the answer. */
const WORST_FIRST: Result[] = ["FAIL", "BUSY", "OK", "UPTODATE"];

export function createSecretUrl({ clients, warn }: SecretUrlOptions): Protocol {
  return {
    keyOf: ({ target }) => keyOf(target),
    parse(request, caller, known) {
      // A key that is not taken from there is one that nobody has.
      const find = (key: string) => {
        const client = clients.find(key);
        return isTakenFrom(client?.limits, caller.address) ? client : undefined;
      };
      let key = keyOf(request.target);
      let client = known ?? (key === "" ? undefined : find(key));
      // Some routers insist on a query string, be it an empty one.
      if (client === undefined && key !== "" && key.indexOf("?") === key.length - 1) {
        key = key.slice(0, -1);
        client = find(key);
      }
      if (key !== "" && client === undefined) {
        warn(`unknown key from ${caller.text}`);
        return ANSWERS.BADKEY;
      }
      if (caller.address === undefined) {
        warn(caller.problem);
        return ANSWERS.FAIL;
      }
      const { address } = caller;
      if (client === undefined) return { status: STATUS_CODE.OK, body: address.text };
      const problem = unusable(address) ?? refusal(client.limits, address);
      if (problem !== undefined) {
        warn(
          `key ${
            clients.idOf(key) ?? keyId(digest(key))
          }: address ${address.text} refused (${problem})`,
        );
        return ANSWERS.FAIL;
      }
      return { client, hosts: client.hosts, addresses: [address] };
    },
    respond: (results) => ANSWERS[WORST_FIRST.find((result) => results.includes(result))!],
    refuse: (result) => ANSWERS[result],
  };
}

/** Scheme and authority, where a target is a whole URL. */
const ORIGIN = /^https?:\/\/[^/?#]*/i;

/**
 * The update key in a request: its target as the client sent it, query string
 * and all, without the slashes at its start; "" if there is none.
 */
export function keyOf(target: string): string {
  let start = target.startsWith("/") ? 0 : ORIGIN.exec(target)?.[0].length ?? 0;
  while (target[start] === "/") start++;
  const key = target.slice(start);
  return key === "?" ? "" : key;
}
