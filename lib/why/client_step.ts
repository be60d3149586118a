/** Which clients have a host. */

import type { Client, ClientHost } from "../clients.ts";
import { closestWord } from "../closest_word.ts";
import type { Config } from "../config/config.ts";
import type { Owner } from "../config/client_reader.ts";
import type { Hostname } from "../hostname.ts";
import { prefixText } from "../prefix.ts";
import type { Links } from "./links.ts";

/** Clients with a line each. */
const MAX_CLIENTS = 20;

/** The host as its clients have it; undefined if none has. */
export function clientStep(
  host: Hostname,
  { file, ownersOf, clientFiles, clients, hooks }: Pick<
    Config,
    "file" | "ownersOf" | "clientFiles" | "clients" | "hooks"
  >,
  links: Links,
): ClientHost | undefined {
  const owners = [{ file, ownersOf }, ...clientFiles?.tables ?? []].flatMap((table) =>
    table.ownersOf(host).map((owner) => ({ file: table.file, ...owner }))
  );
  for (const owner of owners.slice(0, MAX_CLIENTS)) links.ok(ownerText(owner, host));
  if (owners.length > MAX_CLIENTS) links.note(`${owners.length - MAX_CLIENTS} more have it`);
  if (owners.length > 0) return clients.hosts().find(({ name }) => name === host);
  if (hooks !== undefined) {
    links.note(`client: none in ${file} has ${host}; whether one of the hooks' has is not known`);
    return undefined;
  }
  const meant = closestWord(host, new Set(clients.names()));
  const hint = meant === undefined ? "" : `; did you mean ${meant}?`;
  links.error(`client: no client has ${host}${hint}`);
}

function ownerText({ file, line, keyId, client }: Owner & { file: string }, host: Hostname) {
  const limits = limitTexts(client, host);
  const rest = limits.length === 0 ? "" : `: ${limits.join("; ")}`;
  return `client: ${file}: line ${line}: key ${keyId}${rest}`;
}

/** What a client must not do, or must do, to set the host. */
function limitTexts({ limits, address, prefix }: Client, host: Hostname): string[] {
  const { networks, family, isPublicOnly } = limits ?? {};
  const texts: string[] = [];
  if (networks !== undefined) {
    texts.push(`only from ${networks.map(prefixText).join(", ")}`);
  }
  if (family !== undefined) texts.push(`only IPv${family}`);
  if (isPublicOnly) texts.push("no private addresses");
  if (address === "request") texts.push("may name addresses in the request");
  if (prefix?.hosts.some(({ name }) => name === host)) {
    texts.push(`its address begins with the router's /${prefix.length}: the router must call`);
  }
  return texts;
}
