/** What a protocol is: how a request asks for updates, and how the results are reported. */

import { type AddressType, type Change, recordType } from "../change.ts";
import type { Client, ClientList, Host } from "../clients.ts";
import type { Result } from "../dns/updater.ts";
import type { LogLine } from "../log.ts";
import type { Answer } from "./answer.ts";
import type { Caller } from "./client_address.ts";
import type { BadAddress, Wanted } from "./request_addresses.ts";
import type { HttpRequest } from "./request_head.ts";

/** A valid request of a client: each host gets each address, or loses all that the client may set. */
export interface Call {
  readonly client: Client;
  /** Those of the client's hosts that the request is for. */
  readonly hosts: readonly Host[];
  /** Usable ones. */
  readonly addresses: Wanted;
  readonly caller: Caller;
  /** The records of the hosts behind the client's router; undefined if they are left alone. */
  readonly prefixed?: readonly Change[] | undefined;
}

export interface Protocol<OwnCall extends Call = Call> {
  readonly name: "secret_url" | "dyndns2";
  /** The key in a request, as it was sent; "" if there is none. */
  keyOf(request: HttpRequest): string;
  /**
   * What a GET request asks for, or the answer if nothing has to be updated.
   *
   * @param known who has the request's key, where that is known already
   */
  parse(request: HttpRequest, caller: Caller, known?: Client): OwnCall | Answer;
  /**
   * @param results one per record: of the first host for each address, then of the
   * next host, and at the end of those behind the client's router
   */
  respond(results: readonly Result[], call: OwnCall): Answer;
  /** The answer where it was not possible to find out what is asked for. */
  refuse(result: "FAIL" | "BUSY"): Answer;
}

/** Whose request it is: of a client's hosts those that it is for. */
export type Callee = Pick<Client, "hosts" | "prefix">;

export interface ProtocolOptions {
  clients: Pick<ClientList, "find">;
  /** Logs why a request was refused. */
  warn: LogLine;
  /** Hears of a request of a client whose address is not taken; the key as it was sent. */
  refused: (client: Callee, key: string, address: BadAddress, caller: Caller) => void;
  /** Hears of a request of a client that cannot be carried out for another reason. */
  failed: (client: Callee, caller: Caller) => void;
}

/** The line for a request with a key that nobody has. */
export function unknownKey({ address, text }: Caller): Parameters<LogLine> {
  return [`unknown key from ${text}`, { event: "unknown_key", address: address?.text }];
}

const TYPES: AddressType[] = ["A", "AAAA"];

/** The records that a call asks for, in the order in which results are told. */
export function changesOf({ client, hosts, addresses, prefixed }: Call): Change[] {
  const changes: Change[] = [];
  for (const { name, ttl } of hosts) {
    if (addresses === "offline") {
      const family = client.limits?.family;
      const types = family === undefined ? TYPES : [recordType({ family })];
      for (const type of types) changes.push({ name, type, ttl, address: undefined });
    } else {
      for (const address of addresses) {
        changes.push({ name, type: recordType(address), ttl, address });
      }
    }
  }
  if (prefixed !== undefined) changes.push(...prefixed);
  return changes;
}

/** Whether the records are for one household, and go in one UPDATE where they can. */
export function belongTogether({ prefixed }: Call): boolean {
  return prefixed !== undefined;
}

const WORST_FIRST: Result[] = ["FAIL", "BUSY", "OK", "UPTODATE"];

/** Of several results the worst; UPTODATE if there is none, as nothing had to be done. */
export function worstOf(results: readonly Result[]): Result {
  return WORST_FIRST.find((result) => results.includes(result)) ?? "UPTODATE";
}

/** The results of a call: those of each of its hosts, and of the hosts behind the client's router. */
export function resultsOf(
  { hosts, prefixed = [] }: Call,
  results: readonly Result[],
): { each: Result[][]; behind: Result[] } {
  const own = results.length - prefixed.length;
  const records = own / hosts.length;
  return {
    each: hosts.map((_, i) => results.slice(i * records, (i + 1) * records)),
    behind: results.slice(own),
  };
}

/** Seconds, where too many changes wait. */
export const RETRY_LATER = { "retry-after": "10" } as const;
