/** What the nameserver has that takes the updates. */

import { parseAddress } from "../address.ts";
import { DNS_PORT } from "../endpoint.ts";
import type { Hostname } from "../hostname.ts";
import { type Nameserver, nameserverText } from "../nameserver.ts";
import type { HostReport } from "../status/report.ts";
import { type Ask, DnsError, type Server } from "./dns_client.ts";
import { addressesText, type HostView, viewOf } from "./host_view.ts";
import type { Links } from "./links.ts";
import type { Resolver } from "./resolver.ts";

export interface PrimaryOptions {
  host: Hostname;
  /** undefined: the nameserver is asked for it. */
  zone: string | undefined;
  nameserver: Nameserver;
  ask: Ask;
  resolver: Resolver;
  /** What sftdyn has set. */
  known: Pick<HostReport, "a" | "aaaa"> | undefined;
}

export interface Primary {
  readonly zone: string | undefined;
  /** undefined: it tells us nothing. */
  readonly own: { readonly server: Server; readonly view: HostView } | undefined;
}

export async function primaryStep(options: PrimaryOptions, links: Links): Promise<Primary> {
  const { host, nameserver, ask, known } = options;
  const where = nameserverText(nameserver);
  let { zone } = options;
  let problem = "its name has no address";
  for (const server of await serversOf(options)) {
    try {
      zone ??= await zoneAt(ask, server, host);
      if (zone === undefined) {
        links.error(`${where}: it does not tell which zone ${host} is in`);
        return { zone, own: undefined };
      }
      const view = await viewOf(ask, server, zone, host);
      if (view.fault !== undefined) {
        links.note(
          `${where}: what it has is not known: without the key, ${view.fault} for ${zone || "."}`,
        );
        return { zone, own: undefined };
      }
      tell(view, { where, host, known }, links);
      return { zone, own: { server, view } };
    } catch (error) {
      if (!(error instanceof DnsError)) throw error;
      problem = error.message;
    }
  }
  links.error(`${where}: it does not answer over TCP: ${problem}`);
  return { zone, own: undefined };
}

function tell(
  view: HostView,
  { where, host, known }: Pick<PrimaryOptions, "host" | "known"> & { where: string },
  links: Links,
): void {
  const text = `${where}: ${host} has ${addressesText(view)}`;
  if (view.alias !== undefined) return links.error(`${where}: ${host} is ${addressesText(view)}`);
  for (const [type, has, set] of [["A", view.a, known?.a], ["AAAA", view.aaaa, known?.aaaa]]) {
    if (set === null || set === undefined || set === (has![0] ?? "none")) continue;
    const expected = set === "none" ? `no ${type}` : `${type} ${set}`;
    return links.error(`${text}, but sftdyn has left it with ${expected}: who else changes it?`);
  }
  if (view.a.length + view.aaaa.length === 0) {
    return links.error(`${text}: no client has set one yet, or it was removed`);
  }
  links.ok(`${text}; serial ${view.serial}`);
}

async function serversOf({ nameserver: { endpoint }, resolver }: PrimaryOptions) {
  const { hostname = "localhost", port } = endpoint ?? { port: DNS_PORT };
  const addresses = parseAddress(hostname) !== undefined
    ? [hostname]
    : hostname === "localhost"
    ? ["127.0.0.1", "::1"]
    : await resolver.addresses(hostname);
  return addresses.map((address): Server => ({ address, port }));
}

/** The zone of a host, by the SOA that the answer has for it or for why there is none (RFC 2308). */
async function zoneAt(ask: Ask, server: Server, host: Hostname): Promise<string | undefined> {
  const { answers, authorities } = await ask(server, host, "SOA");
  const zone = [...answers, ...authorities].find(({ type }) => type === "SOA")?.name;
  const isOwn = zone !== undefined && (zone === "" || host === zone || host.endsWith(`.${zone}`));
  return isOwn ? zone : undefined;
}
