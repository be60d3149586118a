/** Whether the zone above leads to a zone's nameservers. */

import { DNS_PORT } from "../endpoint.ts";
import { type Ask, type DnsAnswer, DnsError, type DnsRecord } from "./dns_client.ts";
import type { Links } from "./links.ts";
import { isIn, type Nameservers } from "./nameservers_step.ts";
import type { Resolver } from "./resolver.ts";

export interface DelegationOptions {
  zone: string;
  /** As the zone itself names them. */
  nameservers: Nameservers;
  ask: Ask;
  resolver: Resolver;
  /** Where nameservers listen. */
  port?: number;
}

/** Nameservers of the zone above that are asked, each the same. */
const MAX_ASKED = 6;

export async function delegationStep(options: DelegationOptions, links: Links): Promise<void> {
  const { zone } = options;
  if (zone === "") return;
  const parent = await parentZone(options);
  if (parent === undefined) {
    return links.warning(
      "delegation: not known: this machine's resolver (/etc/resolv.conf) does not answer, or knows no zone above",
    );
  }
  const found = await askParent(parent.nameservers, options);
  const place = `delegation: zone ${parent.name || "."}`;
  if (found === undefined) {
    return links.warning(`${place}: not known: none of its nameservers answers over TCP`);
  }
  const { answer, by } = found;
  const at = `${place}, as ${by} says it`;
  if (answer.isAuthoritative && answer.rcode === "NOERROR" && answer.answers.length > 0) {
    return links.note(`${at}: this nameserver has ${zone} itself, which hides the delegation`);
  }
  const referral = answer.authorities.filter(({ type }) => type === "NS");
  const names = namesOf(referral.filter(({ name }) => name === zone));
  if (names.length === 0) {
    const [other] = referral;
    if (!answer.isAuthoritative && other !== undefined) {
      return links.warning(`${at}: not known: it sends those who ask to ${other.name || "."}`);
    }
    return links.error(`${at}: it has no NS records of ${zone}: resolvers do not find the zone`);
  }
  compare(names, answer.additionals, { ...options, at }, links);
}

function compare(
  names: readonly string[],
  glue: readonly DnsRecord[],
  { zone, nameservers, at }: Pick<DelegationOptions, "zone" | "nameservers"> & { at: string },
  links: Links,
): void {
  const own = [...nameservers.keys()];
  const missing = own.filter((name) => !names.includes(name));
  const extra = names.filter((name) => !nameservers.has(name));
  if (own.length > 0 && missing.length + extra.length > 0) {
    const difference = [
      ...(missing.length > 0 ? [`without ${missing.join(", ")}`] : []),
      ...(extra.length > 0 ? [`with ${extra.join(", ")}`] : []),
    ].join(" and ");
    return links.error(
      `${at}: other NS records than ${zone} has itself: ${difference}: make them the same`,
    );
  }
  for (const name of names) {
    // Only names in the zone need it: who looks for others does not come by here.
    if (!isIn(name, zone)) continue;
    const given = glue.filter((record) => record.name === name).map(({ value }) => value);
    const right = nameservers.get(name) ?? [];
    if (given.length === 0) return links.error(`${at}: no address (glue) with ${name}`);
    const wrong = given.filter((address) => !right.includes(address));
    if (right.length > 0 && wrong.length > 0) {
      return links.error(
        `${at}: ${name} has the address ${wrong.join(", ")} there (glue), but ${
          right.join(", ")
        } in ${zone}`,
      );
    }
  }
  links.ok(`${at}: ${names.join(", ")}`);
}

/** The next zone above that has nameservers. All are asked for at once: the resolver may be silent. */
async function parentZone({ zone, resolver }: DelegationOptions) {
  const labels = zone.split(".");
  const above = labels.map((_, i) => labels.slice(i + 1).join("."));
  const found = await Promise.all(
    above.map(async (name) => ({ name, nameservers: await resolver.nameservers(name) })),
  );
  return found.find(({ nameservers }) => nameservers.length > 0);
}

/** What the first says of the zone that is no fault of its own. */
async function askParent(
  names: readonly string[],
  { zone, ask, resolver, port = DNS_PORT }: DelegationOptions,
): Promise<{ answer: DnsAnswer; by: string } | undefined> {
  const places = await Promise.all(
    names.toSorted().slice(0, MAX_ASKED).map(async (by) =>
      (await resolver.addresses(by)).map((address) => ({ by, address }))
    ),
  );
  const answers = await Promise.all(
    places.flat().slice(0, MAX_ASKED).map(async ({ by, address }) => {
      try {
        return { by, answer: await ask({ address, port }, zone, "NS") };
      } catch (error) {
        if (!(error instanceof DnsError)) throw error;
      }
    }),
  );
  return answers.find((each) =>
    each?.answer.rcode === "NOERROR" || each?.answer.rcode === "NXDOMAIN"
  );
}

function namesOf(records: readonly DnsRecord[]): string[] {
  return [...new Set(records.map(({ value }) => value))].sort();
}
