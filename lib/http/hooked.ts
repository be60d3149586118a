/** The way of a request where the administrator's hooks decide. */

import { parseAddress } from "../address.ts";
import type { Change } from "../change.ts";
import type { Client } from "../clients.ts";
import type { Updater } from "../dns/updater.ts";
import { type HeaderList, HookError, type Hooks } from "../hooks/hooks.ts";
import type { Hostname } from "../hostname.ts";
import type { Answer } from "./answer.ts";
import type { Caller, Callers } from "./client_address.ts";
import type { Observer } from "./observer.ts";
import { belongTogether, changesOf, type Protocol } from "./protocol.ts";
import type { HttpRequest } from "./request_head.ts";

export interface HookedOptions {
  hooks: Pick<Hooks, "has" | "getIp" | "getHost" | "nsupdateCommands">;
  /** The TTL of a host that a hook names. */
  ttlOf: (name: Hostname) => number;
  /** Whether a record is known to be so, and needs no commands. */
  isKnown: (change: Change) => boolean;
}

/** What is built in. */
interface BuiltIn {
  callers: Pick<Callers, "find">;
  protocolOf: (request: HttpRequest, caller: Caller) => Protocol;
  updater: Pick<Updater, "set">;
  observer: Pick<Observer, "refused"> | undefined;
}

/** Calls of a hook for one request: of a household's, there may be more than may wait. */
const AT_ONCE = 32;

/** @returns what answers a GET request, asking each hook that there is */
export function createHooked(
  { hooks, ttlOf, isKnown }: HookedOptions,
  { callers, protocolOf, updater, observer }: BuiltIn,
): (request: HttpRequest, from: string) => Promise<Answer> {
  return async (request, from) => {
    const builtIn = callers.find(from, request);
    const protocol = protocolOf(request, builtIn);
    try {
      const key = protocol.keyOf(request);
      // Over dyndns2 it has the key, which hooks get where they may, and no log ever.
      const headers = [...request.headers].filter(([name]) => name !== "authorization");
      const caller = await callerOf(builtIn, from, headers, key);
      const client = await clientOf(caller, key);
      const call = protocol.parse(request, caller, client);
      if ("status" in call) return call;
      const changes = await withCommands(changesOf(call), headers, key).catch((error) => {
        if (error instanceof HookError) {
          const { hosts, prefixed = [] } = call;
          observer?.refused({ hosts: [...hosts, ...prefixed] }, error.result, call.caller);
        }
        throw error;
      });
      return protocol.respond(await updater.set(changes, belongTogether(call)), call);
    } catch (error) {
      if (!(error instanceof HookError)) throw error;
      return protocol.refuse(error.result);
    }
  };

  async function callerOf(
    builtIn: Caller,
    from: string,
    headers: HeaderList,
    key: string,
  ): Promise<Caller> {
    if (!hooks.has("getIp")) return builtIn;
    const address = await hooks.getIp(parseAddress(from)?.text ?? from, headers, key);
    // Who is named in the log, and may be banned for it, is nobody that a header can name.
    if (address === undefined) return builtIn;
    return { address, text: builtIn.text, origin: builtIn.address };
  }

  async function clientOf({ address }: Caller, key: string): Promise<Client | undefined> {
    if (key === "" || address === undefined || !hooks.has("getHost")) return undefined;
    const names = await hooks.getHost(key, address.text);
    return names && { hosts: names.map((name) => ({ name, ttl: ttlOf(name) })) };
  }

  async function withCommands(
    changes: readonly Change[],
    headers: HeaderList,
    key: string,
  ): Promise<readonly Change[]> {
    if (!hooks.has("nsupdateCommands")) return changes;
    const asked = new Map<Change, readonly string[] | undefined>();
    // While lines are awaited, what was known may change.
    for (let open; (open = changes.filter(needsLines)).length > 0;) {
      await Promise.all(
        open.slice(0, AT_ONCE).map(async (change) => {
          const { name, address } = change;
          asked.set(change, await hooks.nsupdateCommands(name, address!.text, headers, key));
        }),
      );
    }
    return changes.map((change) =>
      asked.has(change) ? { ...change, commands: asked.get(change) } : change
    );

    function needsLines(change: Change): boolean {
      return change.address !== undefined && !asked.has(change) && !isKnown(change);
    }
  }
}
