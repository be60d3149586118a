/** A handler to ask, whose updater does what a test says. */

import { parseNetwork } from "../../lib/address.ts";
import type { Change } from "../../lib/change.ts";
import { Clients, digest, type NewClient } from "../../lib/clients.ts";
import type { Result } from "../../lib/dns/updater.ts";
import { parseHostname } from "../../lib/hostname.ts";
import { createHandler } from "../../lib/http/handler.ts";
import { createLog } from "../../lib/log.ts";

export interface AskOptions {
  /** Each key's hosts, by the first label, and what else it may. */
  clients: Record<string, Omit<NewClient, "hosts"> & { hosts: string[] }>;
  paths?: string[];
  /** The updater's result for a host, by its first label; OK for the others. */
  results?: Record<string, Result>;
  trusted?: string[];
}

export interface Asked {
  /** Status and body. */
  answer: string;
  headers: Headers;
  /** What the updater was told, a record each. */
  changes: string[];
  lines: string[];
}

/** @returns what asks for a target; each time, what became of it */
export function asker({ clients: own, paths, results = {}, trusted = [] }: AskOptions) {
  const clients = new Clients(() => 30);
  for (const [key, { hosts, ...more }] of Object.entries(own)) {
    const names = hosts.map((label) => ({ name: parseHostname(`${label}.dyn.example`) }));
    clients.add(digest(key), { ...more, hosts: names });
  }
  let changes: Change[] = [];
  let lines: string[] = [];
  const handler = createHandler({
    clients,
    updater: {
      set(wanted) {
        changes.push(...wanted);
        return wanted.map(({ name }) => results[name.split(".")[0]!] ?? "OK");
      },
    },
    log: createLog({
      level: "debug",
      write: (line) => lines.push(line.slice("2026-11-05T06:07:08.009Z ".length, -1)),
    }),
    trustedProxies: trusted.map((text) => parseNetwork(text)!),
    proxyHeader: "X-Forwarded-For",
    dyndns2: paths && { paths },
  });
  return async (
    target: string,
    headers: Record<string, string> = {},
    from = "203.0.113.7",
    method = "GET",
  ): Promise<Asked> => {
    changes = [];
    lines = [];
    const request = { method, target, headers: new Headers(headers) };
    const { status, body, headers: fields } = await handler(request, from);
    const told = changes.map(({ name, type, address }) =>
      `${name.replace(".dyn.example", "")} ${type} ${address?.text ?? "none"}`
    );
    return { answer: `${status} ${body}`, headers: new Headers(fields), changes: told, lines };
  };
}

/** The header of Basic authentication. */
export function basic(user: string, password: string): Record<string, string> {
  const octets = new TextEncoder().encode(`${user}:${password}`);
  return { authorization: `Basic ${octets.toBase64()}` };
}
