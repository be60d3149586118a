/**
 * The protocol that most routers and update clients speak: host names and
 * addresses in the query, the update key as the password of Basic authentication
 * (RFC 7617), and a line for each host in the answer.
 */

import { STATUS_CODE } from "@std/http/status";
import { isTakenFrom } from "../client_limits.ts";
import type { Client, Host } from "../clients.ts";
import type { Dyndns2Settings } from "../dyndns2_settings.ts";
import type { Result } from "../dns/updater.ts";
import { parseHostname } from "../hostname.ts";
import type { Answer } from "./answer.ts";
import { decodeBase64 } from "./base64.ts";
import { originOf } from "./client_address.ts";
import {
  type Call,
  type Protocol,
  type ProtocolOptions,
  resultsOf,
  RETRY_LATER,
  unknownKey,
  worstOf,
} from "./protocol.ts";
import { BadAddress, parametersOf, twoInOne } from "./request_addresses.ts";
import { wantedRecords } from "./request_prefix.ts";
import { keyOf } from "./request_key.ts";

export interface Dyndns2Options extends Dyndns2Settings, ProtocolOptions {}

export interface Dyndns2 extends Protocol<Dyndns2Call> {
  /** Whether a request with this target is one. */
  isFor(target: string): boolean;
}

export interface Dyndns2Call extends Call {
  /** What was asked for, in order: one of the hosts, or a name that is none. */
  readonly asked: readonly (Host | Word)[];
}

type Word = "nohost" | "notfqdn";

const MAX_HOSTS = 20;

const BADAUTH: Answer = {
  status: STATUS_CODE.Unauthorized,
  body: "badauth",
  headers: { "www-authenticate": 'Basic realm="sftdyn"' },
};

export function createDyndns2({ clients, warn, refused, failed, paths }: Dyndns2Options): Dyndns2 {
  const known = new Set(paths);
  return {
    name: "dyndns2",
    isFor: (target) => known.has(partsOf(target).path),
    keyOf: ({ headers }) => passwordOf(headers.get("authorization")) ?? "",
    parse({ target, headers }, caller, known) {
      const header = headers.get("authorization");
      // Many ask without it first. That is nobody who tries out keys.
      if (header === null) return BADAUTH;
      const key = passwordOf(header) ?? "";
      const client = known ?? clients.find(key);
      if (client === undefined || !isTakenFrom(client.limits, originOf(caller))) {
        warn(...unknownKey(caller));
        return BADAUTH;
      }
      const { query } = partsOf(target);
      const names = hostnamesIn(query);
      if (names.length === 0) return answer("notfqdn");
      if (names.length > MAX_HOSTS) return answer("numhost");
      const asked = names.map((name) => hostOf(client, name));
      const hosts = [...new Set(asked.filter((host) => typeof host !== "string"))];
      if (hosts.length === 0) return answer(linesOf(asked, () => ""));
      if (caller.address === undefined) {
        warn(caller.problem, { event: "proxy_fault" });
        failed({ ...client, hosts }, caller);
        return trouble("FAIL", linesOf(asked, () => "911"));
      }
      const named = client.address === "request" ? query : "";
      const wanted = wantedRecords(client, named, caller.address);
      if (wanted instanceof BadAddress) {
        refused({ ...client, hosts }, key, wanted, caller);
        return answer(linesOf(asked, () => "dnserr"));
      }
      const { addresses, prefixed } = wanted;
      return { client, hosts, addresses, prefixed, caller, asked };
    },
    respond,
    refuse: (result) => trouble(result, "911"),
  };
}

/** What is asked for, and how; two URLs that came as one are one request. */
function partsOf(target: string): { path: string; query: string } {
  const text = keyOf(target);
  const [first, second] = (twoInOne(text) ?? [text]).map((url) => {
    const mark = url.indexOf("?");
    return mark < 0
      ? { path: `/${url}`, query: "" }
      : { path: `/${url.slice(0, mark)}`, query: url.slice(mark + 1) };
  });
  const { path, query } = first!;
  return second?.path === path ? { path, query: `${query}&${second.query}` } : first!;
}

const BASIC = /^basic +([^ ]+)$/i;

/** @returns undefined if the header holds none */
function passwordOf(header: string | null): string | undefined {
  const credentials = decodeBase64(BASIC.exec(header ?? "")?.[1] ?? "");
  const colon = credentials?.indexOf(":") ?? -1;
  return colon < 0 ? undefined : credentials!.slice(colon + 1);
}

/** Each once, however often it is named. */
function hostnamesIn(query: string): string[] {
  const names = new Set<string>();
  for (const [name, value] of parametersOf(query)) {
    if (name !== "hostname") continue;
    for (const text of value?.split(",") ?? [""]) names.add(text.trim());
  }
  // No name at all, as where a router has none to fill in.
  if (names.size === 1) names.delete("");
  return [...names];
}

function hostOf({ hosts }: Client, text: string): Host | Word {
  try {
    const name = parseHostname(text);
    return hosts.find((host) => host.name === name) ?? "nohost";
  } catch {
    return "notfqdn";
  }
}

function respond(results: readonly Result[], call: Dyndns2Call): Answer {
  const { hosts, addresses, asked } = call;
  const { each, behind } = resultsOf(call, results);
  const worst = new Map(hosts.map((host, i) => {
    // No line is for the hosts behind the router, so each tells of them as well.
    return [host, worstOf([...each[i]!, ...behind])];
  }));
  const all = [...worst.values()];
  const suffix = addresses === "offline" || addresses.length === 0
    ? ""
    : ` ${addresses.map(({ text }) => text).join(",")}`;
  const text = (failure: string) =>
    linesOf(asked, (host) => {
      const result = worst.get(host)!;
      if (result === "OK") return `good${suffix}`;
      return result === "UPTODATE" ? `nochg${suffix}` : failure;
    });
  // Where others were served, it is these hosts that are the trouble.
  if (all.some((result) => result === "OK" || result === "UPTODATE")) {
    return answer(text("dnserr"));
  }
  return trouble(all.includes("FAIL") ? "FAIL" : "BUSY", text("911"));
}

/** What is the same line for every host, and for which clients try again. */
function trouble(result: "FAIL" | "BUSY", body: string): Answer {
  if (result === "FAIL") return { status: STATUS_CODE.InternalServerError, body };
  return { status: STATUS_CODE.ServiceUnavailable, body, headers: RETRY_LATER };
}

function linesOf(asked: Dyndns2Call["asked"], line: (host: Host) => string): string {
  return asked.map((each) => typeof each === "string" ? each : line(each)).join("\n");
}

function answer(body: string): Answer {
  return { status: STATUS_CODE.OK, body };
}
