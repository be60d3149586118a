/** Request to answer: a protocol says what is asked for, the updater does it. */

import { STATUS_CODE } from "@std/http/status";
import { type ClientList, digest, keyId } from "../clients.ts";
import type { Updater } from "../dns/updater.ts";
import type { Dyndns2Settings } from "../dyndns2_settings.ts";
import { limitRate, type Log } from "../log.ts";
import type { Answer } from "./answer.ts";
import { type Caller, Callers, type CallersOptions } from "./client_address.ts";
import { createDyndns2 } from "./dyndns2.ts";
import { createHooked, type HookedOptions } from "./hooked.ts";
import { belongTogether, changesOf, type Protocol, type ProtocolOptions } from "./protocol.ts";
import { observed, type Observer } from "./observer.ts";
import type { HttpRequest } from "./request_head.ts";
import { createSecretUrl } from "./secret_url.ts";

export interface HandlerOptions extends CallersOptions {
  clients: Pick<ClientList, "find" | "idOf">;
  updater: Pick<Updater, "set">;
  log: Pick<Log, "warning">;
  /** undefined: not spoken. */
  dyndns2?: Dyndns2Settings | undefined;
  /** Where the administrator's own functions decide. */
  hooked?: HookedOptions | undefined;
  /** Where somebody watches. */
  observer?: Observer | undefined;
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
  { clients, updater, log, trustedProxies, proxyHeader, dyndns2, hooked, observer }: HandlerOptions,
): Handler {
  const warn = limitRate(log.warning, {
    most: MAX_WARNINGS,
    summary: (count) => `${count} more requests were refused just now`,
  });
  const callers = new Callers({ trustedProxies, proxyHeader });
  const refused: ProtocolOptions["refused"] = (client, key, { problem, isNamed }, caller) => {
    const id = clients.idOf(key) ?? keyId(digest(key));
    const address = caller.address?.text;
    warn(`key ${id}: ${problem}`, { event: "address_refused", address, key: id });
    observer?.refused(client, isNamed ? "BADIP" : "FAIL", caller);
  };
  const failed: ProtocolOptions["failed"] = (client, caller) => {
    observer?.refused(client, "FAIL", caller);
  };
  const told = { clients, warn, refused, failed };
  const secretUrl = createSecretUrl(told);
  const byPath = dyndns2 && createDyndns2({ ...told, ...dyndns2 });
  const watched = (protocol: Protocol): Protocol =>
    observer === undefined ? protocol : observed(protocol, observer);
  const [bySecret, byName] = [watched(secretUrl), byPath && watched(byPath)];
  // A key comes first, whatever it looks like.
  const protocolOf = (request: HttpRequest, caller: Caller): Protocol =>
    byPath?.isFor(request.target) && !secretUrl.hasKey(request, caller) ? byName! : bySecret;
  const notAllowed = () => {
    observer?.answered("none", NOT_ALLOWED);
    return NOT_ALLOWED;
  };
  if (hooked !== undefined) {
    const answer = createHooked(hooked, { callers, protocolOf, updater, observer });
    return (request, from) => request.method === "GET" ? answer(request, from) : notAllowed();
  }

  return (request, from) => {
    if (request.method !== "GET") return notAllowed();
    const caller = callers.find(from, request);
    const protocol = protocolOf(request, caller);
    const call = protocol.parse(request, caller);
    if ("status" in call) return call;
    // Most requests change nothing: their results are no promise, and it costs time to make one.
    const results = updater.set(changesOf(call), belongTogether(call));
    return results instanceof Promise
      ? results.then((results) => protocol.respond(results, call))
      : protocol.respond(results, call);
  };
}
