/** Request to answer: a protocol says what is asked for, the updater does it. */

import { STATUS_CODE } from "@std/http/status";
import type { ClientList } from "../clients.ts";
import type { Updater } from "../dns/updater.ts";
import { limitRate, type Log } from "../log.ts";
import type { Answer } from "./answer.ts";
import { Callers, type CallersOptions } from "./client_address.ts";
import { createHooked, type HookedOptions } from "./hooked.ts";
import { changesOf } from "./protocol.ts";
import type { HttpRequest } from "./request_head.ts";
import { createSecretUrl } from "./secret_url.ts";

export interface HandlerOptions extends CallersOptions {
  clients: Pick<ClientList, "find" | "idOf">;
  updater: Pick<Updater, "set">;
  log: Pick<Log, "warning">;
  /** Where the administrator's own functions decide. */
  hooked?: HookedOptions | undefined;
}

/** @param from the address of the connection's other end */
export type Handler = (request: HttpRequest, from: string) => Answer | Promise<Answer>;

const NOT_ALLOWED: Answer = {
  status: STATUS_CODE.MethodNotAllowed,
  body: null,
  headers: { allow: "GET" },
};
/** Lines a second. */
const MAX_WARNINGS = 10;

export function createHandler(
  { clients, updater, log, trustedProxies, proxyHeader, hooked }: HandlerOptions,
): Handler {
  const warn = limitRate(log.warning, {
    most: MAX_WARNINGS,
    summary: (count) => `${count} more requests were refused just now`,
  });
  const callers = new Callers({ trustedProxies, proxyHeader });
  const protocol = createSecretUrl({ clients, warn });
  if (hooked !== undefined) {
    const answer = createHooked(hooked, { callers, protocol, updater });
    return (request, from) => request.method === "GET" ? answer(request, from) : NOT_ALLOWED;
  }

  return (request, from) => {
    if (request.method !== "GET") return NOT_ALLOWED;
    const call = protocol.parse(request, callers.find(from, request));
    if ("status" in call) return call;
    // Most requests change nothing: their results are no promise, and it costs time to make one.
    const results = updater.set(changesOf(call));
    return results instanceof Promise
      ? results.then((results) => protocol.respond(results, call))
      : protocol.respond(results, call);
  };
}
