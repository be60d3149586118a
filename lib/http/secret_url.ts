/** The secret URL's protocol: the request target is the client's key, and its hosts get its address. */

import { STATUS_CODE } from "@std/http/status";
import { isTakenFrom } from "../client_limits.ts";
import type { Answer } from "./answer.ts";
import { type Caller, originOf } from "./client_address.ts";
import {
  type Protocol,
  type ProtocolOptions,
  RETRY_LATER,
  unknownKey,
  worstOf,
} from "./protocol.ts";
import { BadAddress } from "./request_addresses.ts";
import { wantedRecords } from "./request_prefix.ts";
import type { HttpRequest } from "./request_head.ts";
import { findKey, keyOf } from "./request_key.ts";

/** Each outcome in HTTP: the one place that decides it. */
const ANSWERS = {
  OK: { status: STATUS_CODE.OK, body: "OK" },
  UPTODATE: { status: STATUS_CODE.OK, body: "UPTODATE" },
  BADKEY: { status: STATUS_CODE.Forbidden, body: "BADKEY" },
  BADIP: { status: STATUS_CODE.BadRequest, body: "BADIP" },
  FAIL: { status: STATUS_CODE.InternalServerError, body: "FAIL" },
  BUSY: {
    status: STATUS_CODE.ServiceUnavailable,
    body: "FAIL",
    headers: RETRY_LATER,
  },
} as const satisfies Record<string, Answer>;

export interface SecretUrl extends Protocol {
  /** Whether the request has a key that somebody has. */
  hasKey(request: HttpRequest, caller: Caller): boolean;
}

export function createSecretUrl({ clients, warn, refused, failed }: ProtocolOptions): SecretUrl {
  const find = (key: string, caller: Caller) =>
    findKey(key, (key) => {
      const client = clients.find(key);
      // A key that is not taken from there is one that nobody has.
      return isTakenFrom(client?.limits, originOf(caller)) ? client : undefined;
    });
  return {
    name: "secret_url",
    keyOf: ({ target }) => keyOf(target),
    hasKey: ({ target }, caller) => find(keyOf(target), caller) !== undefined,
    parse(request, caller, known) {
      const text = keyOf(request.target);
      const found = known !== undefined
        ? { client: known, key: text, query: "" }
        : text === ""
        ? undefined
        : find(text, caller);
      if (text !== "" && found === undefined) {
        warn(...unknownKey(caller));
        return ANSWERS.BADKEY;
      }
      if (caller.address === undefined) {
        warn(caller.problem, { event: "proxy_fault" });
        if (found !== undefined) failed(found.client, caller);
        return ANSWERS.FAIL;
      }
      const { address } = caller;
      if (found === undefined) return { status: STATUS_CODE.OK, body: address.text };
      const { client, key, query } = found;
      const wanted = wantedRecords(client, query, address);
      if (wanted instanceof BadAddress) {
        refused(client, key, wanted, caller);
        return wanted.isNamed ? ANSWERS.BADIP : ANSWERS.FAIL;
      }
      const { addresses, prefixed } = wanted;
      return { client, hosts: client.hosts, addresses, prefixed, caller };
    },
    respond: (results) => ANSWERS[worstOf(results)],
    refuse: (result) => ANSWERS[result],
  };
}
