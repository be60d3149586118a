/** What the status listener answers: to whom, and at which path. */

import { STATUS_CODE } from "@std/http/status";
import { isInAny, local, type Network, parseAddress } from "../address.ts";
import type { Answer } from "../http/answer.ts";
import type { Handler } from "../http/handler.ts";

/** What is told at a path. */
export type Telling = () => Promise<Answer>;

export interface StatusHandlerOptions {
  /** Who may ask besides this machine, now; undefined: nobody may. */
  networks: () => readonly Network[] | undefined;
  /** By path. */
  paths: Readonly<Record<string, Telling>>;
}

/** A browser takes it for what it says it is, and for nothing else. `sftdyn check` knows it by its server. */
const HEADERS = { server: "sftdyn", "x-content-type-options": "nosniff" };

export function createStatusHandler({ networks, paths }: StatusHandlerOptions): Handler {
  const told = new Map(Object.entries(paths));
  return async ({ method, target, headers }, from) => {
    const allowed = networks();
    if (allowed === undefined || !mayAsk(from, allowed)) {
      return refusal(STATUS_CODE.Forbidden, "your address is in none of status_networks");
    }
    if (method !== "GET") {
      return {
        status: STATUS_CODE.MethodNotAllowed,
        body: null,
        headers: { ...HEADERS, allow: "GET" },
      };
    }
    if (!isOurs(headers.get("host"))) {
      return refusal(
        STATUS_CODE.Forbidden,
        "ask for it by its IP address or a name without a dot, like localhost",
      );
    }
    const tell = told.get(target.replace(/\?.*/s, ""));
    if (tell === undefined) {
      return refusal(STATUS_CODE.NotFound, `there are ${[...told.keys()].join(", ")}`);
    }
    const answer = await tell();
    return { ...answer, headers: { ...HEADERS, ...answer.headers } };
  };
}

function refusal(status: Answer["status"], body: string): Answer {
  return { status, body: `${body}\n`, headers: HEADERS };
}

/** @param from the address of the connection's other end */
function mayAsk(from: string, networks: readonly Network[]): boolean {
  const address = parseAddress(from);
  return address !== undefined && (local(address) === "loopback" || isInAny(networks, address));
}

/**
 * Whether the Host field is one that no stranger can have: a page from elsewhere, in a
 * browser on this machine, could else ask for all of it under a name of its own that
 * leads here (DNS rebinding). A name without a dot is nobody's in public DNS.
 */
function isOurs(host: string | null): boolean {
  if (host === null) return true;
  const [, bracketed, name] = /^(?:\[([^\]]*)\]|([\w.-]+))(?::\d*)?$/.exec(host) ?? [];
  const address = bracketed ?? name;
  return name?.includes(".") === false ||
    address !== undefined && parseAddress(address) !== undefined;
}
