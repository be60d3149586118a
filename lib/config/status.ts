/** `status` and what belongs to it: a listener that is no public one by accident. */

import { local, type Network, parseAddress } from "../address.ts";
import { type Endpoint, endpointText, overlap } from "../endpoint.ts";
import type { StatusSettings } from "../status_settings.ts";
import type { Faults, NumberRange, Setting } from "./settings.ts";

export interface StatusParts {
  status: Setting | undefined;
  endpoints: readonly Endpoint[];
  networks: readonly Network[];
  metricsHosts: Setting | undefined;
  /** Where else sftdyn listens. */
  others: readonly Endpoint[];
}

const METRICS_HOSTS: NumberRange = { least: 0, most: 1_000_000, isWhole: true };
const DEFAULT_METRICS_HOSTS = 10_000;

/** @returns undefined if it is not set */
export function readStatus(
  { status, endpoints, networks, metricsHosts, others }: StatusParts,
  faults: Faults,
): StatusSettings | undefined {
  const most = faults.number(metricsHosts, METRICS_HOSTS) ?? DEFAULT_METRICS_HOSTS;
  if (status === undefined) return undefined;
  for (const [i, endpoint] of endpoints.entries()) {
    const { hostname, port } = endpoint;
    const other = [...others, ...endpoints.slice(0, i)].find((other) => overlap(endpoint, other));
    if (other !== undefined) {
      faults.of(
        status,
        `"${endpointText(endpoint)}" needs a port of its own: "${
          endpointText(other)
        }" is listed, too`,
      );
    }
    if (networks.length > 0 || isLoopback(hostname)) continue;
    const reach = hostname === undefined ? "is every interface" : "can be reached by others";
    faults.of(
      status,
      `"${endpointText(endpoint)}" ${reach}: set status_networks to who may ask, like ` +
        `["192.0.2.0/24"], or listen on "127.0.0.1:${port}"`,
    );
  }
  return { endpoints, networks, metricsHosts: most };
}

function isLoopback(hostname: string | undefined): boolean {
  const address = hostname === undefined ? undefined : parseAddress(hostname);
  return address !== undefined && local(address) === "loopback";
}
