/** What is remembered of every request, for whoever watches sftdyn: who called, and how many were answered how. */

import type { Calls, LastAnswer } from "../calls.ts";
import type { Result } from "../dns/updater.ts";
import type { Answer } from "./answer.ts";
import type { Caller } from "./client_address.ts";
import { type Call, type Callee, type Protocol, resultsOf, worstOf } from "./protocol.ts";

/** "none": what is no request of any protocol. */
export type ProtocolName = Protocol["name"] | "none";

export class Observer {
  readonly #calls: Pick<Calls, "called">;
  readonly #requests = new Map<ProtocolName, Map<Answer["status"], RequestCount>>();
  readonly #results: Record<Result, number> = { OK: 0, UPTODATE: 0, FAIL: 0, BUSY: 0 };

  constructor(calls: Pick<Calls, "called">) {
    this.#calls = calls;
  }

  /** A request was answered. */
  answered(protocol: ProtocolName, { status }: Answer): void {
    let counts = this.#requests.get(protocol);
    if (counts === undefined) this.#requests.set(protocol, counts = new Map());
    const known = counts.get(status);
    if (known === undefined) counts.set(status, { protocol, status, count: 1 });
    else known.count++;
  }

  /** A call was carried out. */
  updated(call: Call, results: readonly Result[]): void {
    const { hosts, prefixed = [], caller: { text } } = call;
    for (const result of results) this.#results[result]++;
    // As a rule.
    if (hosts.length === 1 && prefixed.length === 0) {
      return this.#calls.called(hosts[0]!.name, text, worstOf(results));
    }
    const { each, behind } = resultsOf(call, results);
    for (const [i, { name }] of hosts.entries()) {
      this.#calls.called(name, text, worstOf(each[i]!));
    }
    for (const [i, { name }] of prefixed.entries()) this.#calls.called(name, text, behind[i]!);
  }

  /** A call was not carried out. */
  refused({ hosts, prefix }: Callee, answer: LastAnswer, from: Caller): void {
    for (const { name } of [...hosts, ...prefix?.hosts ?? []]) {
      this.#calls.called(name, from.text, answer);
    }
  }

  /** Requests by protocol and HTTP status, since the start. */
  get requests(): Iterable<RequestCount> {
    return [...this.#requests.values()].flatMap((counts) => [...counts.values()]);
  }

  /** Records that were asked for, by what became of them, since the start. */
  get results(): Iterable<readonly [Result, number]> {
    return Object.entries(this.#results) as [Result, number][];
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
