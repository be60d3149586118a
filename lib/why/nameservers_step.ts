/** What each nameserver of a zone says of a host. */

import { DNS_PORT } from "../endpoint.ts";
import type { Hostname } from "../hostname.ts";
import { type Ask, DnsError } from "./dns_client.ts";
import { addressesText, type HostView, isOlder, valuesOf, viewOf } from "./host_view.ts";
import type { Links } from "./links.ts";
import type { Primary } from "./primary_step.ts";
import type { Resolver } from "./resolver.ts";

export interface NameserversOptions {
  host: Hostname;
  zone: string;
  primary: Primary["own"];
  ask: Ask;
  resolver: Resolver;
  /** Where nameservers listen. */
  port?: number;
}

/** The zone's nameservers, as the zone names them, with their addresses. */
export type Nameservers = ReadonlyMap<string, readonly string[]>;

/** What is asked of one zone: more are named by nobody. */
const MAX_NAMES = 13;
const MAX_ADDRESSES = 6;

interface Seen {
  readonly place: string;
  readonly view: HostView | DnsError;
}

export async function nameserversStep(
  options: NameserversOptions,
  links: Links,
): Promise<Nameservers> {
  const { host, zone, primary, ask, port = DNS_PORT } = options;
  const all = new Map<string, readonly string[]>();
  const names = await namesOf(options);
  await Promise.all(names.map(async (name) => {
    all.set(name, (await addressesOf(name, options)).slice(0, MAX_ADDRESSES));
  }));
  if (names.length === 0) links.error(`zone ${zone || "."}: no nameserver of it is known`);
  const asked = names.map(async (name): Promise<Seen[]> =>
    await Promise.all(all.get(name)!.map(async (address) => {
      const place = `nameserver ${name} (${address})`;
      try {
        return { place, view: await viewOf(ask, { address, port }, zone, host) };
      } catch (error) {
        if (!(error instanceof DnsError)) throw error;
        return { place, view: error };
      }
    }))
  );
  const seen = await Promise.all(asked);
  const reference = primary?.view ?? newest(seen.flat());
  for (const [i, name] of names.entries()) {
    if (seen[i]!.length === 0) links.error(`nameserver ${name}: its name has no address`);
    for (const each of seen[i]!) tell(each, reference, { zone }, links);
  }
  return all;
}

async function namesOf({ zone, primary, ask, resolver }: NameserversOptions): Promise<string[]> {
  const answer = primary && await orNothing(ask(primary.server, zone, "NS"));
  const names = answer === undefined
    ? await resolver.nameservers(zone)
    : valuesOf(answer, zone, "NS");
  return [...new Set(names)].sort().slice(0, MAX_NAMES);
}

/** A name in the zone itself has the addresses that the zone says; this does not need a delegation. */
async function addressesOf(
  name: string,
  { zone, primary, ask, resolver }: NameserversOptions,
): Promise<string[]> {
  if (primary !== undefined && isIn(name, zone)) {
    const types = ["A", "AAAA"] as const;
    const answers = await Promise.all(types.map(async (type) => {
      const answer = await orNothing(ask(primary.server, name, type));
      return answer === undefined ? [] : valuesOf(answer, name, type);
    }));
    if (answers.flat().length > 0) return answers.flat();
  }
  return await resolver.addresses(name);
}

/** Whether a name is a zone's, or below it. */
export function isIn(name: string, zone: string): boolean {
  return zone === "" || name === zone || name.endsWith(`.${zone}`);
}

async function orNothing<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof DnsError) return undefined;
    throw error;
  }
}

/** Of views without a primary's: the one with the newest zone. */
function newest(seen: readonly Seen[]): HostView | undefined {
  let best: HostView | undefined;
  for (const { view } of seen) {
    if (view instanceof DnsError || view.serial === undefined) continue;
    if (best === undefined || isOlder(best.serial!, view.serial)) best = view;
  }
  return best;
}

function tell(
  { place, view }: Seen,
  reference: HostView | undefined,
  { zone }: { zone: string },
  links: Links,
): void {
  if (view instanceof DnsError) {
    if (view.hasNoRoute) {
      return links.note(`${place}: not asked: this machine has no way to it (${view.message})`);
    }
    return links.error(`${place}: it does not answer over TCP: ${view.message}`);
  }
  if (view.serial === undefined || reference === undefined) {
    return links.error(`${place}: lame: ${view.fault} for ${zone || "."}`);
  }
  const text = addressesText(view), right = addressesText(reference);
  const { serial } = view;
  const older = isOlder(serial, reference.serial!)
    ? `its serial ${serial} is older than ${reference.serial}: see its log for the transfer`
    : undefined;
  if (text === right) {
    if (older === undefined) return links.ok(`${place}: ${text}; serial ${serial}`);
    return links.warning(`${place}: ${text}, as it should, but ${older}`);
  }
  links.error(
    `${place}: ${text}, instead of ${right}: ${
      older ?? `its serial is ${serial}: it has another zone`
    }`,
  );
}
