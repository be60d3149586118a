/** `sftdyn why HOST`: one host from its client to the resolvers, and the first link that is broken. */

import type { AddressType } from "../change.ts";
import { recordType } from "../change.ts";
import { type Door, probeHosts } from "../check_hosts.ts";
import type { ClientHost } from "../clients.ts";
import type { Config } from "../config/config.ts";
import { count } from "../count.ts";
import type { Hostname } from "../hostname.ts";
import type { Nameserver } from "../nameserver.ts";
import type { askReport } from "../status/ask.ts";
import { callStep } from "./call_step.ts";
import { clientStep } from "./client_step.ts";
import { delegationStep } from "./delegation_step.ts";
import { type Ask, ask as askServer } from "./dns_client.ts";
import type { HostView } from "./host_view.ts";
import { Links } from "./links.ts";
import { nameserversStep } from "./nameservers_step.ts";
import { primaryStep } from "./primary_step.ts";
import { type Resolver, systemResolver } from "./resolver.ts";

export interface WhyOptions {
  host: Hostname;
  config: Config;
  /** A nameserver, reached with its key; it waits so many milliseconds. */
  connect: (nameserver: Nameserver, timeout: number) => Door & { close(): Promise<void> };
  print: (line: string) => void;
  ask?: Ask;
  resolver?: Resolver;
  askStatus?: typeof askReport;
}

/** Milliseconds that one who answers at all takes at most. */
const PATIENCE = 4000;

/** Prints a line or more for each step, and one that names the first broken link; whether there is none. */
export async function why(options: WhyOptions): Promise<boolean> {
  const { host, config, print, askStatus } = options;
  const timeout = Math.min(config.timeout, PATIENCE);
  const {
    ask = (server, name, type) => askServer(server, name, type, { timeout }),
    resolver = systemResolver({ timeout }),
  } = options;
  const links = new Links(print);
  const own = clientStep(host, config, links);
  const known = await callStep(host, config, links, askStatus);
  const nameserver = config.zones.of(host)?.nameserver ?? config.nameserver;
  const found = await zoneStep(own, nameserver, options, links);
  const { zone, own: primary } = await primaryStep(
    { host, zone: found, nameserver, ask, resolver, known },
    links,
  );
  if (zone === undefined) {
    links.note("nameservers and delegation: not asked: the zone is not known");
  } else {
    const nameservers = await nameserversStep({ host, zone, primary, ask, resolver }, links);
    await delegationStep({ zone, nameservers, ask, resolver }, links);
  }
  tellTtl(own?.ttl ?? config.ttlOf(host), primary?.view, links);
  print(links.summary);
  return links.firstBroken === undefined;
}

/** Whether the host can be set, as `sftdyn check` tells it; its zone, as far as it is known. */
async function zoneStep(
  own: ClientHost | undefined,
  nameserver: Nameserver,
  { host, config: { zones, timeout }, connect }: WhyOptions,
  links: Links,
): Promise<string | undefined> {
  let zone: string | undefined = zones.of(host)?.name;
  const connected = connect(nameserver, timeout);
  const door: Door = {
    probe: (name, records, options) =>
      connected.probe(name, records, {
        ...options,
        onZone: (found) => {
          zone ??= found;
          options?.onZone?.(found);
        },
      }),
  };
  const only = new Map<Hostname, AddressType>();
  if (own?.family !== undefined) only.set(host, recordType({ family: own.family }));
  try {
    const findings = await probeHosts({
      hosts: [host],
      only,
      nameserver,
      zones,
      timeout,
      door: () => door,
    });
    for (const each of findings) each.tell(links);
  } finally {
    await connected.close();
  }
  return zone;
}

function tellTtl(configured: number, view: HostView | undefined, links: Links): void {
  const { ttl = configured, negativeTtl } = view ?? {};
  const other = ttl === configured ? "" : ` (sftdyn sets ${configured} at the next change)`;
  const none = negativeTtl === undefined
    ? ""
    : `, and that there was none for ${count(negativeTtl, "second")}`;
  links.note(
    `ttl: resolvers may cache an older address for ${count(ttl, "second")}${other}${none}`,
  );
}
