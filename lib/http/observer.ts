/** What is remembered of every request, for whoever watches sftdyn: who called, and how many were answered how. */

import type { Calls } from "../calls.ts";
import type { Client } from "../clients.ts";
import type { Result } from "../dns/updater.ts";
import type { Answer } from "./answer.ts";
import type { Caller } from "./client_address.ts";
import { type Call, changesOf, type Protocol } from "./protocol.ts";

/** "none": what is no request of any protocol. */
export type ProtocolName = Protocol["name"] | "none";

export class Observer {
  readonly #calls: Pick<Calls, "called">;
  readonly #requests = new Map<string, RequestCount>();
  readonly #results = new Map<Result, number>();

  constructor(calls: Pick<Calls, "called">) {
    this.#calls = calls;
  }

  /** A request was answered. */
  answered(protocol: ProtocolName, { status }: Answer): void {
    const key = `${protocol} ${status}`;
    const known = this.#requests.get(key);
    if (known === undefined) this.#requests.set(key, { protocol, status, count: 1 });
    else known.count++;
  }

  /** A call was carried out. */
  updated(call: Call, results: readonly Result[]): void {
    const byName = new Map(call.hosts.map(({ name }) => [name, [] as Result[]]));
    changesOf(call).forEach(({ name }, i) => {
      const result = results[i]!;
      this.#results.set(result, (this.#results.get(result) ?? 0) + 1);
      const own = byName.get(name);
      if (own === undefined) byName.set(name, [result]);
      else own.push(result);
    });
    for (const [name, own] of byName) this.#calls.called(name, call.caller.text, own);
  }

  /** A call was not carried out, as the client may not have this address, or nobody can. */
  refused({ hosts, prefix }: Client, answer: "BADIP" | "FAIL", from: Caller): void {
    for (const { name } of [...hosts, ...prefix?.hosts ?? []]) {
      this.#calls.called(name, from.text, [answer]);
    }
  }

  /** Requests by protocol and HTTP status, since the start. */
  get requests(): Iterable<RequestCount> {
    return this.#requests.values();
  }

  /** Records that were asked for, by what became of them, since the start. */
  get results(): Iterable<readonly [Result, number]> {
    return this.#results;
  }
}

/** The protocol, with every answer told to the observer. */
export function observed<OwnCall extends Call>(
  protocol: Protocol<OwnCall>,
  observer: Observer,
): Protocol<OwnCall> {
  const told = (answer: Answer) => {
    observer.answered(protocol.name, answer);
    return answer;
  };
  return {
    name: protocol.name,
    keyOf: (request) => protocol.keyOf(request),
    parse(request, caller, known) {
      const call = protocol.parse(request, caller, known);
      return "status" in call ? told(call) : call;
    },
    respond(results, call) {
      observer.updated(call, results);
      return told(protocol.respond(results, call));
    },
    refuse: (result) => told(protocol.refuse(result)),
  };
}

export interface RequestCount {
  readonly protocol: ProtocolName;
  readonly status: Answer["status"];
  count: number;
}
