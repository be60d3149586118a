/** Request to response: a protocol says what is asked for, the updater does it. */

import { STATUS_CODE } from "@std/http/status";
import { type Change, recordType } from "../change.ts";
import type { ClientList } from "../clients.ts";
import type { Updater } from "../dns/updater.ts";
import { limitRate, type Log } from "../log.ts";
import { Callers, type CallersOptions } from "./client_address.ts";
import { type Call, createResponse } from "./protocol.ts";
import { createSecretUrl } from "./secret_url.ts";

export interface HandlerOptions extends CallersOptions {
  clients: Pick<ClientList, "find">;
  updater: Pick<Updater, "set">;
  log: Pick<Log, "warning">;
}

/** Where a request came from, as Deno.serve tells it. */
export interface ConnectionInfo {
  readonly remoteAddr: { readonly hostname: string };
}

export type Handler = (
  request: Request,
  connection: ConnectionInfo,
) => Response | Promise<Response>;

/** Lines a second. */
const MAX_WARNINGS = 10;

export function createHandler(
  { clients, updater, log, trustedProxies, proxyHeader }: HandlerOptions,
): Handler {
  const warn = limitRate(log.warning, {
    most: MAX_WARNINGS,
    summary: (count) => `${count} more requests were refused just now`,
  });
  const callers = new Callers({ trustedProxies, proxyHeader });
  const protocol = createSecretUrl({ clients, warn });

  return (request, { remoteAddr }) => {
    if (request.method !== "GET") {
      return createResponse(STATUS_CODE.MethodNotAllowed, null, { allow: "GET" });
    }
    const call = protocol.parse(request, callers.find(remoteAddr.hostname, request));
    if (call instanceof Response) return call;
    // Most requests change nothing: their results are no promise, and it costs time to make one.
    const results = updater.set(changesOf(call));
    return results instanceof Promise
      ? results.then((results) => protocol.respond(results, call))
      : protocol.respond(results, call);
  };
}

function changesOf({ hosts, addresses }: Call): Change[] {
  const changes: Change[] = [];
  for (const { name, ttl } of hosts) {
    for (const address of addresses) {
      changes.push({ name, type: recordType(address), ttl, address });
    }
  }
  return changes;
}
