/** What `sftdyn check` says of hosts behind a router: what each would get, and what is surely a mistake. */

import { parseAddress } from "./address.ts";
import type { PrefixClient } from "./config/client_table.ts";
import type { Config } from "./config/config.ts";
import { count } from "./count.ts";
import type { Report } from "./findings.ts";
import { join, prefixOf, prefixText } from "./prefix.ts";

/** For documentation (RFC 3849). */
const EXAMPLE = parseAddress("2001:db8::")!;
/** Clients, and hosts of each, that are told of. */
const MAX_CLIENTS = 100;
const MAX_HOSTS = 20;
/** Bits; whole providers get as many. */
const SHORT = 32;
/** Bits of the longest prefix that has an address of its routers (RFC 6164). */
const LONGEST_WITH_ROUTERS = 126;

export function checkPrefixes(
  { file, prefixClients }: Pick<Config, "file" | "prefixClients">,
  report: Report,
): void {
  for (const client of prefixClients.slice(0, MAX_CLIENTS)) {
    const place = `${file}: line ${client.line}`;
    report.ok(`${place}: ${whatHostsGet(client)}`);
    for (const problem of problemsOf(client)) report.warning(`${place}: prefix: ${problem}`);
  }
  const left = prefixClients.length - MAX_CLIENTS;
  if (left > 0) report.ok(`${file}: ${count(left, "more client")} with a prefix`);
}

function whatHostsGet({ prefix: { length, hosts } }: PrefixClient): string {
  const example = prefixOf(EXAMPLE, length);
  const each = hosts.slice(0, MAX_HOSTS).map(({ name, id }) =>
    `${name} gets ${join(example, id).text}`
  );
  const left = hosts.length - each.length;
  if (left > 0) each.push(`and ${count(left, "more host")} likewise`);
  return `with the prefix ${prefixText(example)}, ${each.join(", ")}`;
}

function* problemsOf({ limits, address, prefix: { length, hosts } }: PrefixClient) {
  if (length < SHORT) {
    yield `no household has one of ${count(length, "bit")}; most have 56 or 64`;
  }
  const isIpv4 = limits?.networks?.every(({ address }) => address.family === 4);
  if (isIpv4 && address === undefined) {
    yield 'networks has no IPv6, so no request brings one; address = "request" lets it name one';
  }
  const zero = hosts.find(({ id }) => id.every((part) => part === 0));
  if (zero !== undefined && length <= LONGEST_WITH_ROUTERS) {
    yield `the interface id of ${zero.name} is zero: the address is that of the network's routers`;
  }
}
